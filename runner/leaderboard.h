/*
 * The two averages that are called "LongBench average", which must never be mixed:
 * the leaderboard's, the mean of the means of six categories, and that of papers on KV caches, the
 * mean of the tasks (16 of them, English and code). Both over the rounded scores of result.json, so
 * that anybody can do them again. As on the leaderboard the code tasks count as English and as
 * Chinese.
 */
#ifndef KVLAB_LEADERBOARD_H
#define KVLAB_LEADERBOARD_H

#include "runner/scoring.h"

enum { CATEGORIES = CAT_CODE + 1 };

enum leaderboard_group { LEADERBOARD_ENGLISH, LEADERBOARD_CHINESE, LEADERBOARD_ALL };
enum { LEADERBOARDS = LEADERBOARD_ALL + 1 };
const char *leaderboard_name(enum leaderboard_group g); // "english", ...

struct leaderboard {
    size_t n_tasks;              // of the group that have a score
    int n_categories;            // that have a task
    double category[CATEGORIES]; // NaN where it has no task
    double mean_of_tasks;        // NaN where there is none
    double mean_of_categories;   // NaN unless all six are there
};

void leaderboard_fill(struct leaderboard *l, enum leaderboard_group g, const struct scoring *s);

#endif
