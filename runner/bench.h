/*
 * Speeds, side by side.
 *
 * A speed alone says little on a machine that others use: where two ways of doing the same work are
 * compared, their samples alternate, and the ratio is taken sample by sample. Nothing here is a
 * test. A bench is one file runner/bench_NAME.c and one line in benches.def.
 */
#ifndef KVLAB_BENCH_H
#define KVLAB_BENCH_H

#include <stdbool.h>

#include "harness/base/err.h"

enum { BENCH_CONTEXTS_MAX = 16, BENCH_REPEATS_MAX = 32 };

/* What the command line asked for, and what all rows share. */
struct bench {
    const char *name; // of the bench at work
    int threads;
    int repeats;           // samples of each side
    double sample_seconds; // at least so long does one sample last
    bool quick, json;
    const char *model_dir;                        // of bench model
    const char *shape;                            // a shape's name, or NULL: those of the bench
    const char *weights;                          // format of made-up weights
    int contexts[BENCH_CONTEXTS_MAX], n_contexts; // none: those of the bench
    char llama[4096];                             // llama-bench to run against, or ""
    double bandwidth;                             // bench_memory_rate keeps it here
};

struct bench_kind {
    const char *name, *summary;
    bool slow; // only when it is named
    /* Whether it can be done, asked before the first measurement; may be NULL. ERR_USER. */
    int (*check)(const struct bench *b, struct err *e);
    int (*run)(struct bench *b, struct err *e);
};

extern const struct bench_kind *const bench_all[]; // NULL-terminated, in the order of benches.def

struct spread {
    double median, min, max;
};

struct spread bench_spread(const double *x, int n); // 1 <= n <= BENCH_REPEATS_MAX
/* Of a[i] / b[i], where b begins again when it has fewer. */
struct spread bench_ratio(const double *a, int n, const double *b, int n_b);

struct bench_row {
    const char *name, *unit; // the case; of value
    struct spread value;
    const char *against; // what ratio is to, or NULL: no ratio
    struct spread ratio;
};

/* Opens the table of the bench: what it compares, for people. */
void bench_title(const struct bench *b, const char *title);
/* Prints a row: a line of the table, or with --json an object on a line. */
void bench_put(const struct bench *b, const struct bench_row *r);

/* Says that a case is not measured, and why. */
void bench_leave_out(const struct bench *b, const char *name, const char *why);

/* Does the work n times and returns the seconds that it took (its set-up left out). */
typedef double bench_run(void *arg, long n);

struct bench_pair {
    const char *name, *unit; // work done a second, in this unit
    const char *against;     // what b is
    double work_a, work_b;   // of one call
    bench_run *a, *b;
    void *arg_a, *arg_b;
};

/* Measures both sides in turns and puts the row of a against b. */
void bench_compare(struct bench *b, const struct bench_pair *p);

/* 1e9 bytes a second that all threads read from memory: measured once, the best of several. */
double bench_memory_rate(struct bench *b);

#endif
