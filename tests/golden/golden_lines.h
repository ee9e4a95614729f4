/* JSON lines of the reference values, one at a time. */
#ifndef KVLAB_GOLDEN_LINES_H
#define KVLAB_GOLDEN_LINES_H

#include "harness/base/json.h"

struct golden_lines {
    const char *path;
    struct text content;
    size_t at, line;
    struct json *record; // of the last call
};

int golden_lines_open(struct golden_lines *f, const char *path, struct err *e);
/* The next record, borrowed until the next call; NULL at the end, or with e->class set. */
const struct json *golden_lines_next(struct golden_lines *f, struct err *e);
void golden_lines_close(struct golden_lines *f);

/* The texts of an array of strings; the caller frees. NULL where j is absent or null. */
struct text *golden_texts_new(const struct json *j, size_t *n);

#endif
