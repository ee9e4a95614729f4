/*
 * The contract of a report: what it needs from the database and how it is written. Reports read
 * only the database, so that any table can be drawn again without a model.
 *
 * A report is one file and one line in reports.def.
 */
#ifndef KVLAB_REPORT_H
#define KVLAB_REPORT_H

#include <stdint.h>

#include "harness/store/store.h"

enum report_format { REPORT_TEXT, REPORT_MARKDOWN, REPORT_CSV };

struct report_request {
    const char *experiment; // by name; NULL: the one planned last
    const char *model;      // only this one; NULL: all
    enum report_format format;
    int width;   // of a line of text
    bool colour; // bold for the best; only for a terminal
};

struct report {
    const char *name;
    const char *summary; // one line
    int (*write)(struct store *s, const struct report_request *r, struct buf *out, struct err *e);
};

/* NULL-terminated, in the order of reports.def. */
extern const struct report *const report_all[];

/* NULL when there is none; the error names the nearest. */
const struct report *report_find(const char *name, struct err *e);

/* The experiment of that name planned last (NULL: of any name). *name is the caller's to free. */
int report_experiment(struct store *s, const char *wanted, int64_t *id, char **name, struct err *e);

#endif
