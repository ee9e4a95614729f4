/*
 * The contract of a report: what may be asked of it, and that it builds a document from the
 * database and from nothing else, so that any of them can be drawn again without a model. The same
 * database and request give the same document: no clock, no locale, no paths.
 *
 * A report is one file and one line in reports.def.
 */
#ifndef KVLAB_REPORT_H
#define KVLAB_REPORT_H

#include <stdint.h>

#include "harness/store/store.h"
#include "reports/doc.h"

enum { REPORT_ARGS = 4 };

struct loaded; // loaded.h

/* What is asked. A report reads what it takes and no more; the rest has its default. */
struct report_request {
    const char *arg[REPORT_ARGS]; // positional, as report.args names them
    int n_args;
    const char *experiment; // by name; NULL: the one planned last
    const char *model;      // only this one; NULL: all
    const char *baseline;   // a setting to compare with; NULL: the full cache
    const char *x, *y;      // fields; NULL: the report's own
    uint64_t seed;          // of the resampling
    int resamples;
    double level; // of intervals, in percent
    bool mix_protocols;
    int items; // how many single items are shown at most; -1: as many as is the report's way
    const struct loaded *loaded; // of this experiment and model by who asks; NULL: nothing is
};

/* Every default; seed 1, 1000 resamples, 95 %. */
#define REPORT_REQUEST                                                                             \
    ((struct report_request){.seed = 1, .resamples = 1000, .level = 95, .items = -1})

/* Flags of the command line that a report may take. */
enum {
    REPORT_EXPERIMENT = 1 << 0,
    REPORT_MODEL = 1 << 1,
    REPORT_BASELINE = 1 << 2,
    REPORT_X = 1 << 3,
    REPORT_Y = 1 << 4,
    REPORT_SEED = 1 << 5,
    REPORT_RESAMPLES = 1 << 6,
    REPORT_LEVEL = 1 << 7,
    REPORT_MIX_PROTOCOLS = 1 << 8,
    REPORT_PLOT = 1 << 9, // it has plots
    REPORT_ITEMS = 1 << 10,
    REPORT_RESAMPLING = REPORT_SEED | REPORT_RESAMPLES | REPORT_LEVEL
};

struct report {
    const char *name;
    const char *summary;           // one line
    const char *help;              // what `kvlab report NAME --help` says besides, or NULL
    const char *args[REPORT_ARGS]; // names of positional arguments ("A", "B"), or none
    int min_args;                  // that must be given
    unsigned takes;                // REPORT_...
    /* Experiment, model and baseline are there when they are given and taken. */
    int (*build)(struct store *s, const struct report_request *r, struct doc *d, struct err *e);
    /* Instead of build: a page of its own, in HTML and no other format. Plots that should have a
     * picture and have none are added to *undrawn. */
    int (*page)(struct store *s, const struct report_request *r, int *undrawn, struct buf *out,
                struct err *e);
};

/* NULL-terminated, in the order of reports.def. */
extern const struct report *const report_all[];

/* NULL when there is none; the error names the nearest. */
const struct report *report_find(const char *name, struct err *e);

/* The document; the caller frees it. */
int report_build(const struct report *r, struct store *s, const struct report_request *q,
                 struct doc **out, struct err *e);

/* Whether what is asked for by name is there: report_build does it first. */
int report_check_names(const struct report *r, struct store *s, const struct report_request *q,
                       struct err *e);

/* ---- its command line ---- */

struct report_flag {
    unsigned flag;     // REPORT_...
    const char *name;  // "--baseline"
    const char *value; // "SETTING", or NULL for a switch
    const char *help;
};
extern const struct report_flag report_flags[]; // .flag 0 ends it

/* What `kvlab report NAME --help` says. */
void report_put_help(const struct report *r, struct buf *out);

/* ---- names in the database; near matches in the errors ---- */

/* The experiment of that name planned last (NULL: of any name). *name is the caller's to free. */
int report_experiment(struct store *s, const char *wanted, int64_t *id, char **name, struct err *e);
/* Whether the experiment has a model, a setting of that name. */
int report_has_model(struct store *s, int64_t experiment, const char *model, struct err *e);
int report_has_setting(struct store *s, int64_t experiment, const char *setting, struct err *e);

#endif
