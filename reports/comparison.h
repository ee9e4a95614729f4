/*
 * Everything that is said of a table of scores: of each setting and task, and of each setting's two
 * averages over the tasks, the mean with its standard error and bootstrap interval; beside a
 * baseline the difference, paired by item, with its own, p, and p adjusted for the number of
 * comparisons. Arithmetic on what scores.h loaded; reads no database.
 *
 * The same scores and options give the same bits.
 */
#ifndef KVLAB_COMPARISON_H
#define KVLAB_COMPARISON_H

#include "reports/scores.h"
#include "reports/stats.h"

struct comparison_options {
    uint64_t seed;
    int resamples;
    double level;   // of the intervals: 0.95
    int baseline;   // row; -1: none
    const int *own; // [n_rows]: each row's own instead, -1: none; NULL. Only comparison_init looks
};
/* Seed 1, 1000 resamples, 95 %, beside the table's reference where it has one. */
struct comparison_options comparison_defaults(const struct scores_table *t);

/* Of a setting's mean over items, or over tasks. NaN where there is none; intervals need two items.
 * An average over tasks needs a score in each; its counts are sums over the tasks. */
struct comparison_mean {
    int n, missing; // items with a score, and places of the table without
    double mean, stderr_;
    struct stats_interval interval;
};

/* This setting less the baseline. Of the baseline itself, or without one: no pairs, all NaN. */
struct comparison_difference {
    struct stats_paired paired; // pairs, won, lost, tied, difference, stderr_, p, test
    int missing;                // items that either was asked for and that do not make a pair
    struct stats_interval interval;
    /* Benjamini-Hochberg's p: over all settings and tasks of the table; that of an average over all
     * settings of it. To be called "adjusted (BH)". */
    double adjusted;
};

struct comparison_cell {
    struct comparison_mean score;
    struct comparison_difference difference;
};

enum comparison_average {
    COMPARISON_TASKS,      // mean of the tasks
    COMPARISON_CATEGORIES, // mean of the categories' means: LongBench's leaderboard
    COMPARISON_AVERAGES,
};

struct comparison_row {
    int baseline;                 // the row it is compared with; itself: a baseline; -1: none
    struct comparison_cell *cell; // [n_tasks]
    struct comparison_cell average[COMPARISON_AVERAGES];
};

struct comparison {
    struct comparison_options options;
    struct comparison_row *row; // [n_rows]
    int n_rows, n_tasks, n_categories;
    bool borrowed; // another's (loaded.h): not for comparison_release
};

/* o: NULL: the defaults. t is not looked at afterwards. */
void comparison_init(struct comparison *c, const struct scores_table *t,
                     const struct comparison_options *o);
void comparison_release(struct comparison *c);

/* The paired interval does not hold 0: what a dagger marks. */
bool comparison_is_shown(const struct comparison_difference *d);

#endif
