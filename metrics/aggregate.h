/*
 * From the scores of items to the numbers in a result.json: eval.py's `scorer` and `scorer_e`,
 * which sum and round differently. Items are in file order; scores are in [0, 1].
 */
#ifndef KVLAB_AGGREGATE_H
#define KVLAB_AGGREGATE_H

#include <stddef.h>

struct aggregate {
    size_t n;
    double raw;   // 0 to 100; NaN where n is 0
    double score; // raw with two decimals, as the function rounds
};

/* Summed one after the other, rounded as Python's round() does. */
struct aggregate aggregate_scorer(const double *x, size_t n);

enum { AGGREGATE_BUCKETS = 3 };
extern const char *const aggregate_bucket_name[AGGREGATE_BUCKETS]; // "0-4k", "4-8k", "8k+"
int aggregate_bucket(long length);

/* By length; summed and rounded as numpy does. */
void aggregate_scorer_e(const double *x, const long *length, size_t n,
                        struct aggregate out[AGGREGATE_BUCKETS]);

/* Their parts. */
double aggregate_pairwise_sum(const double *x, size_t n);
double aggregate_round_python(double x); // round(x, 2): half to even on the exact binary value
double aggregate_round_numpy(double x);  // rint(x * 100) / 100

#endif
