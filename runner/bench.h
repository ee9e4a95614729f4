/*
 * Two ways of doing the same work, timed side by side.
 *
 * A speed alone says little on a machine that others use: every figure here is a pair (a, b) whose
 * samples alternate, and the ratio is taken sample by sample. Nothing here is a test.
 */
#ifndef KVLAB_BENCH_H
#define KVLAB_BENCH_H

#include "harness/base/text.h"

struct bench {
    int threads;
    int repeats;           // samples of each side
    double sample_seconds; // at least so long does one sample last
    const char *model_dir;
    bool json;
    struct buf rows; // what --json prints: JSON objects with commas between
};

/* Does the work n times and returns the seconds that it took (its set-up left out). */
typedef double bench_run(void *arg, long n);

struct bench_pair {
    const char *name, *unit; // work done a second, in this unit
    double work_a, work_b;   // of one call
    bench_run *a, *b;
    void *arg_a, *arg_b;
};

/* Says what the sides of the following pairs are. */
void bench_group(struct bench *b, const char *group, const char *side_a, const char *side_b);
/* Measures, and prints the row or keeps it for --json. */
void bench_compare(struct bench *b, const char *group, const struct bench_pair *p);

/* The groups; each is one file. */
void bench_kernels(struct bench *b);
void bench_gemm(struct bench *b);
void bench_score(struct bench *b);
int bench_model(struct bench *b, struct err *e);
/* Whether the model can be measured: asked before the first measurement. */
int bench_model_check(const struct bench *b, struct err *e);

#endif
