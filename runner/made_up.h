/*
 * A large database of results that nobody computed: for timing what reads and writes one.
 *
 * Made as real ones are, through the store, setting by setting as an import is. Scores hang
 * together as real ones do: a task has its level, an item its difficulty, a setting touches a share
 * of the items and hurts some of these, so that most pairs are ties. A few items failed, and the
 * last setting has not finished its last task. The same request makes the same rows; only the
 * times of the puts differ.
 */
#ifndef KVLAB_MADE_UP_H
#define KVLAB_MADE_UP_H

#include <stdint.h>

#include "harness/store/store.h"

enum { MADE_UP_SETTINGS_MAX = 1024 };

struct made_up {
    int settings; // the first is the full cache
    int tasks;    // LongBench's, from the first
    int items;    // of each task
    uint64_t seed;
    bool ledgers; // four rows of bytes by class with each item
};

struct made_up_count {
    int64_t items;  // done, failed or ready
    double seconds; // that the store took for them, the commit included
};

/* Into an empty database, as experiment "made up". */
int made_up_fill(struct store *s, const struct made_up *m, struct made_up_count *out,
                 struct err *e);

#endif
