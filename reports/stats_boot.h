/*
 * The bootstrap: means of items drawn anew with replacement. Pure arithmetic, seeded.
 *
 * How often a resample draws each item depends on (seed, place, n) alone. So all settings of a task
 * share one matrix of counts [resamples][n], the means of all of them are one matrix product, and
 * where two settings have the same items, the difference of their means is the mean of their
 * differences in the same resample: pairs stay pairs.
 */
#ifndef KVLAB_STATS_BOOT_H
#define KVLAB_STATS_BOOT_H

#include <stdint.h>

/* counts: [resamples][n], each row sums to n. place: the task's, so that tasks differ. */
void stats_boot_counts(uint64_t seed, int place, int n, int resamples, int32_t *counts);

struct stats_boot_column {
    const double *x;  // [n], numbers
    int n;            // 0: the means are NaN
    double *resample; // [resamples]: the means
};
/* Every mean is the sum in the order of the items, divided by n: the same bits as one by one. */
void stats_boot_means(uint64_t seed, int place, int resamples, struct stats_boot_column *columns,
                      int n_columns);

#endif
