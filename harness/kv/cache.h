/*
 * The cache of one sequence under one setting, and attention over it.
 *
 * Built from a finished prefill (or empty), then it grows by one row a decode step in every layer.
 * Several caches step together through the model; a cache's result does not depend on the others.
 * All memory is taken at open: a step allocates nothing.
 */
#ifndef KVLAB_CACHE_H
#define KVLAB_CACHE_H

#include "harness/kv/prefill.h"

struct kv_cache;

/* Room for max_tokens rows. chain is borrowed until free. prompt may be NULL: an empty cache. */
struct kv_cache *kv_cache_new(const struct kv_chain *chain, const struct kv_shape *shape,
                              const struct kv_engine *engine, const struct kv_prefill *prompt,
                              int max_tokens);
void kv_cache_free(struct kv_cache *c);

/* Tokens whose rows are in every layer: the position of the next one. */
int kv_cache_length(const struct kv_cache *c);

/* One decode step of one layer for n caches: rows k, v are appended, out is the attention of q.
 * q, out [n][n_heads][head_dim]; k, v [n][n_kv_heads][head_dim] (changed: rounded by append). */
void kv_cache_attend(struct kv_cache *const *caches, int n, const struct kv_engine *engine,
                     int layer, const float *q, float *k, float *v, float *out);
/* The step has passed all layers. */
void kv_cache_advance(struct kv_cache *c);

/* What all layers hold now and have read so far. */
void kv_cache_ledger(const struct kv_cache *c, struct kv_ledger *out);

/* For tests and golden comparisons: a layer's rows and the state of the method that fills a hook;
 * what a query head read in the layer that attended last. */
const struct kv_rows *kv_cache_rows(const struct kv_cache *c, int layer);
const void *kv_cache_state(const struct kv_cache *c, int layer, enum kv_hook hook);
int kv_cache_ranges(const struct kv_cache *c, int head, const struct kv_range **out);

#endif
