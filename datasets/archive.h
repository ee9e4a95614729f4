/* Files in a zip archive, read only. The one user of libzip. */
#ifndef KVLAB_ARCHIVE_H
#define KVLAB_ARCHIVE_H

#include "harness/base/text.h"

/* A whole entry; the caller frees content->s. Returns 1 when there is none of that name. A damaged
 * archive or a wrong checksum is an error. */
int archive_read(const char *path, const char *entry, struct text *content, struct err *e);

/* Calls each(name, context) for every entry in order. */
int archive_list(const char *path, void (*each)(const char *name, void *context), void *context,
                 struct err *e);

#endif
