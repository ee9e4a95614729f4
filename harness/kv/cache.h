/*
 * The cache of one sequence under one setting, and attention over it.
 *
 * Opened empty; a prefill may fill it (prefill.h), then it grows by one row a decode step in every
 * layer. The setting's codec keeps the rows. Several caches step together through the model; a
 * cache's result does not depend on the others. All memory is taken at open: a step allocates
 * nothing.
 */
#ifndef KVLAB_CACHE_H
#define KVLAB_CACHE_H

#include "harness/base/pool.h"
#include "harness/kv/chain.h"

/* How attention is computed. */
struct kv_engine {
    struct pool *pool;
    const struct kernels *kernels;
    bool plain;  // products by plain loops instead of BLAS
    bool floats; // caches keep f32 rows that are rounded as their codec says: the reference
    struct kv_rope rope;
};

enum { KV_STEP_MAX = 512 };

struct kv_cache;

/* Room for max_tokens rows. chain is borrowed until free. */
struct kv_cache *kv_cache_new(const struct kv_chain *chain, const struct kv_shape *shape,
                              const struct kv_engine *engine, int max_tokens);
void kv_cache_free(struct kv_cache *c);
/* Bytes that such a cache takes. */
size_t kv_cache_bytes(const struct kv_chain *chain, const struct kv_shape *shape,
                      const struct kv_engine *engine, int max_tokens);

const struct kv_chain *kv_cache_chain(const struct kv_cache *c);
/* Tokens whose rows are in every layer: the position of the next one. */
int kv_cache_length(const struct kv_cache *c);

/* The prompt's rows of one layer for n caches; records: of the append hook, or NULL; seen
 * [n][KV_CHAIN_MAX]: what was observed for each link of each. Caches that hold the same content of
 * it pack it once. scratch [threads]: room for a copy of the rows each. Layers may be adopted in
 * any order, then the length is set. For prefill.c. */
struct kv_prompt {
    const struct kv_rows *rows;
    const void *records;
    const void *const *seen;
    struct kv_rows *scratch;
};
void kv_cache_adopt(struct kv_cache *const *caches, int n, const struct kv_engine *engine,
                    int layer, const struct kv_prompt *prompt);
void kv_cache_adopted(struct kv_cache *c, int n_prompt);

/* One decode step of one layer for n caches, at most KV_STEP_MAX: rows k, v are appended, out is
 * the attention of q. q, out [n][n_heads][head_dim]; k, v [n][n_kv_heads][head_dim] (changed:
 * rounded by append). */
void kv_cache_attend(struct kv_cache *const *caches, int n, const struct kv_engine *engine,
                     int layer, const float *q, float *k, float *v, float *out);
/* Seconds that threads have spent on the attention of this cache's steps. */
double kv_cache_seconds(const struct kv_cache *c);
/* The step has passed all layers. */
void kv_cache_advance(struct kv_cache *c);

/* A cache that is watched keeps the position in the sequence of each row (at of its slots' parts),
 * and calls back in every layer of every step, when all heads have read and before rows move or go:
 * kv_cache_length() is the step's position, q [n_heads][head_dim] its queries, kv_cache_ranges()
 * what each has read. The call may come from any thread, for several caches at the same time, and
 * is part of what the step costs. Of a new cache, before it takes a prompt; others pay nothing. */
typedef void kv_cache_watch(void *arg, const struct kv_cache *c, int layer, const float *q);
void kv_cache_trace(struct kv_cache *c, kv_cache_watch *watch, void *arg);
/* Bytes of these positions. */
size_t kv_cache_trace_bytes(const struct kv_chain *chain, const struct kv_shape *shape,
                            int max_tokens);

/* What all layers hold now, and what the decode steps have read and written so far. */
void kv_cache_ledger(const struct kv_cache *c, struct kv_ledger *out);

/* For tests and golden comparisons: slots of a layer; one's rows, those of the first, and there the
 * state of the method that fills a hook; what a query head read in the layer that attended last. */
int kv_cache_n_slots(const struct kv_cache *c);
const struct kv_layer *kv_cache_slot(const struct kv_cache *c, int layer, int slot);
const struct kv_layer *kv_cache_layer(const struct kv_cache *c, int layer);
const void *kv_cache_state(const struct kv_cache *c, int layer, enum kv_hook hook);
int kv_cache_ranges(const struct kv_cache *c, int head, const struct kv_range **out);

#endif
