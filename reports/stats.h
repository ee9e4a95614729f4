/*
 * Statistics of scores, in points of 0 to 100. Pure arithmetic in a fixed order: the same numbers
 * give the same bits. A score that is not there is NaN: it is left out, and n says how many were
 * used. What cannot be said of so few numbers is NaN.
 *
 * The items of a task are a sample of the questions one could ask; the tasks themselves are fixed.
 * Two settings answer the same items, so that what is looked at is each item's difference.
 */
#ifndef KVLAB_STATS_H
#define KVLAB_STATS_H

#include <stdbool.h>

static const double stats_right = 100; // score of a right answer

struct stats_mean {
    int n;
    double mean, sd, stderr_; // sd by n - 1; sd and stderr_ NaN for fewer than two
};
struct stats_mean stats_mean(const double *x, int n);

struct stats_interval {
    double lo, hi;
};
/* The middle share `level` (0.95) of x, which is reordered. Quantile q of n ordered numbers is at
 * place (n - 1) q, counted from 0, straight between its neighbours: the default of numpy.quantile
 * and of scipy.stats.bootstrap(method="percentile"). NaN where a number is, or n is 0. */
struct stats_interval stats_interval(double *x, int n, double level);
/* Whether it lies wholly above or below 0, by more than what rounding does to sums. */
bool stats_interval_excludes_0(struct stats_interval i);

/* How p was found. */
enum stats_test {
    STATS_NO_TEST,  // too few pairs
    STATS_SIGN,     // exact two-sided sign test; on scores of 0 and 100 it is McNemar's exact test
    STATS_PAIRED_T, // of an average over tasks: degrees of freedom by Welch and Satterthwaite
};
const char *stats_test_name(enum stats_test t);

struct stats_paired {
    int pairs, won, lost, tied; // items on which a is better, worse, equal
    double difference, stderr_; // mean of a - b
    double p;                   // two-sided: of a difference so large where there is none
    enum stats_test test;
};
/* Pairs are the places at which both have a number. The sign test where all scores are 0 or
 * stats_right, and where all differences are equal, so that t has no denominator. */
struct stats_paired stats_paired(const double *a, const double *b, int n);

/* A task's share in a weighted mean over tasks, which are independent of one another. */
struct stats_part {
    double weight;
    int n;
    double mean, stderr_;
};
struct stats_over {
    double mean, stderr_;
    double degrees; // of freedom of stderr_, by Welch and Satterthwaite
};
/* NaN where any part is. */
struct stats_over stats_over(const struct stats_part *part, int n);
/* p of a difference of such means, from p's difference, stderr_ and counts: a t test, and the sign
 * test over all pairs where all differences of each task are equal. */
void stats_over_test(struct stats_paired *p, double degrees);

#endif
