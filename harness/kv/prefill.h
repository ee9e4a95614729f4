/*
 * One prompt being read: the full cache that all settings of a prefill class share, and what their
 * methods observe meanwhile. The model fills it layer by layer, in chunks of tokens; afterwards it
 * is read-only and each setting builds its own cache from it (cache.h).
 */
#ifndef KVLAB_PREFILL_H
#define KVLAB_PREFILL_H

#include "harness/base/pool.h"
#include "harness/kv/chain.h"
#include "harness/tensor/kernels.h"

/* How attention is computed. */
struct kv_engine {
    struct pool *pool;
    const struct kernels *kernels;
    bool plain; // products by plain loops instead of BLAS
};

struct kv_prefill;

/* chains: the settings of one class (equal kv_chain_class), borrowed until free. n_prompt tokens
 * will come. */
struct kv_prefill *kv_prefill_new(const struct kv_engine *engine, const struct kv_shape *shape,
                                  const struct kv_chain *const *chains, int n_chains, int n_prompt);
void kv_prefill_free(struct kv_prefill *p);

/* The attention of the next n tokens in one layer: rows k and v are rounded (append hook), kept,
 * and attended to by q, causally. Layers in any order within a chunk. */
void kv_prefill_attend(struct kv_prefill *p, int layer, const float *q, float *k, float *v, int n,
                       float *out); // q, out [n][n_heads][head_dim]; k, v [n][n_kv_heads][head_dim]
/* The same without attention, as if no key had got any weight: a long cache in little time. */
void kv_prefill_push(struct kv_prefill *p, int layer, float *k, float *v, int n);
/* The chunk has passed all layers. */
void kv_prefill_advance(struct kv_prefill *p, int n);

int kv_prefill_length(const struct kv_prefill *p);
const struct kv_shape *kv_prefill_shape(const struct kv_prefill *p);
const struct kv_rows *kv_prefill_rows(const struct kv_prefill *p, int layer);
/* What was observed in a layer for this chain, or NULL. */
const void *kv_prefill_seen(const struct kv_prefill *p, const struct kv_chain *chain, int layer);

#endif
