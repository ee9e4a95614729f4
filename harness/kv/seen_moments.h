/*
 * How the queries of a prompt are spread without their positions: mean and covariance of each query
 * head, over all but the first tokens. Methods point their observe hooks here; those that leave out
 * as many tokens share one.
 */
#ifndef KVLAB_SEEN_MOMENTS_H
#define KVLAB_SEEN_MOMENTS_H

#include <stdbool.h>

#include "harness/base/text.h"
#include "harness/kv/codec.h"

/* For observe_key. skip: first tokens that do not count. */
void kv_moments_key(int skip, bool covariance, struct buf *out);

/* The hooks observe_new (with what the key says), observe_rope, observe_queries, observe_free. */
void *kv_moments_new(const struct kv_shape *shape, int n_prompt, int skip, bool covariance);
void kv_moments_rope(void *seen, const struct kv_rope *rope);
void kv_moments_queries(void *seen, int head, int first_query, int n_queries, const float *q,
                        int ld);
void kv_moments_free(void *seen);

/* Of one of the model's query heads, of a prompt that is longer than skip: mean [head_dim];
 * covariance [head_dim][head_dim], divided by the number of queries, or NULL where it is not
 * wanted. */
void kv_moments_of(const void *seen, int head, double *mean, double *covariance);

#endif
