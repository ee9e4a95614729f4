/*
 * What the files of the cache share: cache.c opens and counts, cache_adopt.c takes a prompt,
 * cache_compress.c what stays of one, cache_step.c attends, cache_trace.c follows rows about.
 */
#ifndef KVLAB_CACHE_INT_H
#define KVLAB_CACHE_INT_H

#include "harness/kv/cache.h"

/* What keeps rows of its own in one layer: see method.h. */
struct slot {
    struct kv_layer rows;
    const struct kv_codec *codec;       // the chain's, also where rows are its reference
    struct kv_part parts[KV_CHAIN_MAX]; // one for each link of the chain, with scratch of its own
};

struct kv_cache {
    const struct kv_chain *chain;
    char *content; // what it makes of a prompt: kv_chain_content
    struct kv_shape shape;
    struct kv_rope rope;
    int n, cap;
    int n_slots;              // of a layer
    struct kv_shape inside;   // of a slot
    struct slot *slots;       // [n_layers][n_slots]
    size_t record;            // bytes of a row's record, when append and codec belong together
    char *row_record;         // of the row at work
    struct kv_part *append;   // [n_layers], of all heads, without state
    struct mem_arena records; // of all layers: steps read here and there in it
    struct kv_ledger start;   // what adopting a prompt has counted: no step's
    uint64_t read_full;
    /* Of the layer at work: what each query head reads, and the weights of these rows. */
    struct kv_range *ranges; // [n_heads][cap]
    int *n_ranges;           // [n_heads]
    float *weights;          // [n_heads][cap]
    float *turned;           // [n_heads][head_dim]: queries as rows meet them
    char *select_scratch;    // [units][select_bytes]
    size_t select_bytes;
    double *seconds;    // [n_kv_heads] of threads in steps; the first has what is of no head, too
    double layer_start; // their sum before the layer at work
    double cost;        // seconds of the layer before
    int *at;            // [n_layers][units][cap], or NULL: no row's position is kept
    kv_cache_watch *watch;
    void *watch_arg;
};

static inline struct slot *kv_cache_slots(const struct kv_cache *c, int layer)
{
    return c->slots + (size_t)layer * (size_t)c->n_slots;
}

/* A unit is one KV head of a slot: the heads that read the same rows. */
static inline int kv_cache_units(const struct kv_cache *c)
{
    return c->n_slots * c->inside.n_kv_heads;
}

/* The model's KV head that unit u has the rows of. */
static inline int kv_cache_source(const struct kv_cache *c, int u)
{
    return u / (kv_cache_units(c) / c->shape.n_kv_heads);
}

/* Rows stay or go, or slots are several: see cache_compress.c. seen [KV_CHAIN_MAX] */
void kv_cache_compress(struct kv_cache *c, const struct kv_engine *engine, int layer,
                       const struct kv_prompt *prompt, const void *const *seen);

/* Which slots a layer of this shape has; what is returned are the heads of one. */
struct kv_shape kv_cache_slots_of(const struct kv_chain *chain, const struct kv_shape *shape,
                                  int *n);

/* Where positions are kept, and else nothing. A slot has taken rows of the prompt, or what `from`
 * has of it; the row that comes now; one row has gone. */
void kv_cache_trace_prompt(const struct kv_cache *c, struct slot *s, const struct kv_kept *kept,
                           int n);
void kv_cache_trace_copy(const struct kv_cache *c, struct slot *to, const struct slot *from);
void kv_cache_trace_row(const struct kv_cache *c, struct slot *s);
void kv_cache_trace_drop(const struct kv_cache *c, struct slot *s, int row);

/* Rows that are to be packed, of n_before and those that come. */
int kv_cache_due(const struct kv_cache *c, const struct slot *s, int n_before);
/* What a full f16 cache has of one layer after so many tokens. */
uint64_t kv_cache_full_bits(const struct kv_cache *c, int tokens);

#endif
