/*
 * Positions inside queries and keys (RoPE, Su et al. 2021), for methods that move a row or look at
 * a query without its position. kv/ gets the frequencies from the model.
 */
#ifndef KVLAB_KV_ROPE_H
#define KVLAB_KV_ROPE_H

#include "harness/kv/codec.h"

/* x [head_dim] as it would be `by` positions on; negative: back. */
void kv_rope_turn(const struct kv_rope *r, float *x, int head_dim, int by);

#endif
