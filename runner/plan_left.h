/*
 * What of a plan is left to do: its items one by one, and the groups that they make. Without a
 * database all of it.
 */
#ifndef KVLAB_PLAN_LEFT_H
#define KVLAB_PLAN_LEFT_H

#include "runner/plan.h"

struct plan_left {
    const struct plan *plan; // borrowed
    bool *items;             // [variant][task][sample][setting]
    size_t starts[VARIANTS_MAX][TASKS_MAX];
    int class_of[SETTINGS_MAX]; // first setting of the same prefill class: the name of a class here
    int by_class[SETTINGS_MAX]; // settings, those of a class side by side
};

/* Items that share a prefill, as a struct group has them. */
struct left_group {
    int variant, task, class;
    size_t sample;
    const int *settings; // [n], places in the plan
    int n;
};

/* All of the plan. */
void plan_left_open(struct plan_left *l, const struct plan *p);
void plan_left_close(struct plan_left *l);
/* Takes away what is done in the database, and what failed, unless that is to be done again. The
 * plan's rows are there. */
int plan_left_read(struct plan_left *l, struct store *s, bool retry, struct err *e);

/* Calls take for each group with anything left. */
void plan_left_groups(const struct plan_left *l,
                      void (*take)(void *arg, const struct left_group *g), void *arg);

#endif
