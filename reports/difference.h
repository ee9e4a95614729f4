/*
 * The smallest difference in score that a number of items can show: between two settings that
 * answer the same items, in the mean over tasks. Pure arithmetic.
 *
 * A difference is shown when a two-sided test at the 5 % level finds it in 80 of 100 repetitions:
 * (1.96 + 0.84) standard errors. The standard error of the mean of T tasks, each with n_t items and
 * paired differences of standard deviation sd_t, is sqrt(sum of sd_t^2 / n_t) / T.
 */
#ifndef KVLAB_DIFFERENCE_H
#define KVLAB_DIFFERENCE_H

#include <stdint.h>

enum { DIFFERENCE_PAIRS_MIN = 8 }; // common items of two settings that say how much items differ
static const double difference_sd = 25; // points, where nothing is stored

/* Paired differences of two settings in one task, as they come. */
struct moments {
    int64_t n;
    double mean, squares; // around the mean
};
void moments_add(struct moments *m, double x);

/* Those of several pairs of settings: what is pooled is how items differ around each one's mean. */
struct pooled {
    int64_t pairs;   // items
    int64_t degrees; // of freedom
    double squares;
};
/* Fewer than DIFFERENCE_PAIRS_MIN are left out. */
void pooled_add(struct pooled *p, const struct moments *m);
/* NAN where there is nothing, or where no item differed: so few items say nothing of others. */
double pooled_sd(const struct pooled *p);

struct difference_task {
    int64_t items; // of a setting
    struct pooled stored;
};

struct difference {
    double points;        // the smallest that can be shown
    double sd;            // of paired differences: root of the tasks' mean square
    int tasks, assumed;   // with items; of these without stored pairs
    int64_t items, pairs; // of a setting; stored
};
/* Tasks without items do not count; points is NAN where none has any. */
void difference_find(const struct difference_task *tasks, int n, struct difference *out);

#endif
