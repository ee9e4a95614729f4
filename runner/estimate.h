/*
 * What work costs, before it is done: for the time that is left, for the plan.
 * Unit of cost: 1e9 operations of a prefill.
 */
#ifndef KVLAB_ESTIMATE_H
#define KVLAB_ESTIMATE_H

#include "runner/plan.h"

/* Of one token: products with the weights, attention for each token that it attends to, and what
 * a setting's cache takes of it when a prompt has been read. */
struct estimate_token {
    double weights, attend, keep;
};
struct estimate_token estimate_token(const struct model *m);

/* n_prompt: what is read at once; max_new: steps, the rest of the prompt included. */
double estimate_prefill(const struct model *m, int n_prompt);
/* A sequence to its longest answer. */
double estimate_decode(const struct model *m, int n_prompt, int max_new);
double estimate_group(const struct model *m, int n_prompt, int max_new, int n_settings);

/* What replays feed behind a prompt for these chains; those that are shared count once. */
struct estimate_replay {
    double parts, tokens, attended; // attended: by all tokens together
};
struct estimate_replay estimate_replay(const struct model *m, const struct kv_chain *const *chains,
                                       int n, int n_prompt);
double estimate_replay_cost(const struct model *m, const struct estimate_replay *r);

/* How long prompts are, as each variant's model reads them. */
struct lengths {
    const struct plan *plan;
    double ratio[VARIANTS_MAX][TASKS_MAX]; // tokens of a byte: of the task's first sample
};

/* Encodes a sample of each task for each variant. */
void lengths_open(struct lengths *l, const struct plan *p);
/* Tokens of the prompt as it is fed, cut to what the protocol allows. */
int lengths_prompt(const struct lengths *l, int variant, int task, size_t sample);
/* Of these, those that go through the compressed cache step by step. */
int lengths_tail(const struct lengths *l, int variant, int task, size_t sample);
/* The longest answer. */
int lengths_answer(const struct lengths *l, int variant, int task);

#endif
