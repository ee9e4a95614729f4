/*
 * The beginning of a prompt that other prompts begin with, too: what reading it has left in every
 * layer, so that it is read once. Keys and values are as the append hook made them; queries are
 * kept where methods observe, so that these see what they would have seen.
 *
 * A result is the same with and without: kv_prefill and the model compute a token's row without
 * looking at which others come with it (see model_share_unit).
 */
#ifndef KVLAB_PREFIX_H
#define KVLAB_PREFIX_H

#include <stdbool.h>

#include "harness/kv/codec.h"

struct kv_prefix;

/* Of prompts of one model and prefill class. queries: where a method may observe. */
struct kv_prefix *kv_prefix_new(const struct kv_shape *shape, bool queries);
void kv_prefix_free(struct kv_prefix *x); // NULL is fine
/* Bytes that n tokens take (without the append hook's records, which are smaller than a row). */
size_t kv_prefix_bytes(const struct kv_shape *shape, bool queries, int n);

/* Tokens that it holds, of every layer. */
int kv_prefix_tokens(const struct kv_prefix *x);
/* Only the first n stay. */
void kv_prefix_cut(struct kv_prefix *x, int n);

/* ---- for prefill.c ---- */

/* Room for n tokens, with records of so many bytes. */
void kv_prefix_reserve(struct kv_prefix *x, int n, size_t record_size);
/* One more run of tokens of a layer: rows from..from+n-1, their records, q [n][n_heads][head_dim].
 */
void kv_prefix_push(struct kv_prefix *x, int layer, const struct kv_rows *rows, int from, int n,
                    const void *records, const float *q);

struct kv_prefix_layer {
    struct kv_rows rows;
    char *records; // [cap][record_size]
    float *q;      // [cap][n_heads][head_dim], or NULL
};
const struct kv_prefix_layer *kv_prefix_layer(const struct kv_prefix *x, int layer);

#endif
