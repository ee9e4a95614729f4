/*
 * In which order the jobs of a plan are done. What costs a change of engine or of packed weights
 * comes once: phases of variants that share an engine, in each those of settings that share a
 * weights format. Within a phase the longest sample of each task first, then the second longest of
 * each: a run that is stopped has something of every task, and what several workers finish with is
 * small.
 */
#ifndef KVLAB_PLAN_ORDER_H
#define KVLAB_PLAN_ORDER_H

#include "runner/plan.h"

/* One job by its places in the plan. */
struct plan_place {
    int variant, task, setting;
    size_t sample;
};

/* Calls take for each job, in order, until it returns other than 0, which is then returned. */
int plan_order(const struct plan *p, int (*take)(void *arg, const struct plan_place *at),
               void *arg);

#endif
