/*
 * How large the last queries of a prompt are in each channel: the mean of their squares, of each
 * query head, with positions turned in. Methods point their observe hooks here; those with equal
 * windows share one.
 */
#ifndef KVLAB_SEEN_SQUARES_H
#define KVLAB_SEEN_SQUARES_H

#include "harness/base/text.h"
#include "harness/kv/codec.h"

/* For observe_key. */
void kv_squares_key(int window, struct buf *out);

/* The hooks observe_new (with the window), observe_queries and observe_free. */
void *kv_squares_new(const struct kv_shape *shape, int n_prompt, int window);
void kv_squares_queries(void *seen, int head, int first_query, int n_queries, const float *q,
                        int ld);
void kv_squares_free(void *seen);

/* [head_dim] of one of the model's query heads. */
const float *kv_squares_mean(const void *seen, int head);

#endif
