/* What computed a result: stored beside it, never part of its identity. */
#ifndef KVLAB_BUILD_INFO_H
#define KVLAB_BUILD_INFO_H

#define KVLAB_VERSION "0.1.0"

struct build_info {
    char commit[64];
    int dirty; // tracked files differed from the commit
    char compiler[128], cflags[128], blas[128], cpu[128], host[128];
};

void build_info_get(struct build_info *b);

#endif
