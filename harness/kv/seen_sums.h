/*
 * How much attention the tokens of a prompt receive from all its queries: sums of probabilities of
 * each query head, for H2O and what is like it. Methods point their observe hooks here and share
 * one. All rows of attention are needed, which a prefill otherwise does without.
 */
#ifndef KVLAB_SEEN_SUMS_H
#define KVLAB_SEEN_SUMS_H

#include "harness/base/text.h"
#include "harness/kv/codec.h"

/* For observe_key. */
void kv_sums_key(struct buf *out);

/* The hooks observe_new, observe_rows and observe_free. */
void *kv_sums_new(const struct kv_shape *shape, int n_prompt);
void kv_sums_rows(void *seen, int head, int first_query, int n_queries, const float *probs, int ld);
void kv_sums_free(void *seen);

/* [n_prompt]: what each row got in one of the model's query heads, summed in the order of queries.
 */
const float *kv_sums_of(const void *seen, int head);

#endif
