/* Which builds computed an experiment's runs, and how many items each: one scan of the items, which
 * is what takes time in a large database. For report provenance. */
#ifndef KVLAB_BUILD_SHARES_H
#define KVLAB_BUILD_SHARES_H

#include <stdint.h>

#include "harness/store/store.h"
#include "reports/doc.h"

enum { BUILD_TIME = 32 };

/* Finished items of a run by one build. */
struct build_share {
    char *setting, *model;
    int64_t run, build; // build 0: made elsewhere, imported
    int64_t items, failed;
    char first[BUILD_TIME], last[BUILD_TIME]; // when finished, UTC
};

struct build_shares {
    struct build_share *share; // by position in the experiment, run, build
    int n;
    struct build_share *total; // a build each, without run and names; ascending
    int n_builds;
};

int build_shares_load(struct build_shares *b, struct store *s, int64_t experiment, struct err *e);
void build_shares_release(struct build_shares *b);

/* What each build is, as facts for people and a table "builds" for programs. */
int build_shares_put_builds(const struct build_shares *b, struct store *s, struct doc *d,
                            struct err *e);
/* Table "build_items": a row a run and build; people see it where there are several builds. */
void build_shares_put_items(const struct build_shares *b, struct doc *d);

#endif
