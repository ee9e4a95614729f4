/*
 * What work costs, before it is done: for the time that is left, for the plan.
 * Unit of cost: 1e9 operations of a prefill.
 */
#ifndef KVLAB_ESTIMATE_H
#define KVLAB_ESTIMATE_H

#include "runner/plan.h"

double estimate_prefill(const struct model *m, int n_prompt);
/* A sequence to its longest answer. */
double estimate_decode(const struct model *m, int n_prompt, int max_new);
double estimate_group(const struct model *m, int n_prompt, int max_new, int n_settings);

/* Prompt tokens of all samples before they are cut: from the length of the text and the first
 * sample's tokens. */
struct lengths {
    const struct plan *plan;
    double *tokens[TASKS_MAX]; // [samples.n]
};

void lengths_open(struct lengths *l, const struct plan *p);
void lengths_release(struct lengths *l);
/* As it is fed, cut to what the protocol allows. */
int lengths_prompt(const struct lengths *l, int task, int sample);

#endif
