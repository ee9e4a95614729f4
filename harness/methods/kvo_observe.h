/*
 * What KVO gathers in the prefill of one layer: for each query head the attention that every row
 * received from the queries of its own window and the next one. Settings with equal windows share
 * it, so it is complete when the last query has passed and is only read afterwards.
 */
#ifndef KVLAB_KVO_OBSERVE_H
#define KVLAB_KVO_OBSERVE_H

#include "harness/kv/method.h"

void *kvo_seen_new(const struct kv_shape *shape, int n_prompt, int window);
void kvo_seen_free(void *seen);

/* The hook observe_rows. */
void kvo_seen_rows(void *seen, int head, int first_query, int n_queries, const float *probs,
                   int ld);

/* Sums over the query heads of a KV head's group, in their order: score[n_prompt] of the rows,
 * sums[2 * window] of those after the last ordered window. */
void kvo_seen_group(const void *seen, int kv_head, float *score, float *sums);

#endif
