/*
 * What the last queries of a prompt attend to: rows of probabilities of each query head, for the
 * methods that score tokens by them (SnapKV, TOVA, ...). Methods point their observe hooks here;
 * those with equal windows share one.
 */
#ifndef KVLAB_SEEN_WINDOW_H
#define KVLAB_SEEN_WINDOW_H

#include "harness/base/text.h"
#include "harness/kv/codec.h"

/* For observe_key and observe_from. */
void kv_window_key(int window, struct buf *out);
int kv_window_from(int window, int n_prompt);

/* The hooks observe_new (with the window), observe_rows and observe_free. */
void *kv_window_new(const struct kv_shape *shape, int n_prompt, int window);
void kv_window_rows(void *seen, int head, int first_query, int n_queries, const float *probs,
                    int ld);
void kv_window_free(void *seen);

/* Queries that were seen: the window, or all of a shorter prompt. */
int kv_window_queries(const void *seen);
/* Query i of these, in one of the model's heads: [n_prompt], zeros behind the query itself. */
const float *kv_window_row(const void *seen, int head, int i);

/* out[j], j < n_prompt: what row j got of all queries of the window, summed in their order. */
void kv_window_sum(const void *seen, int head, float *out);

#endif
