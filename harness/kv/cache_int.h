/*
 * What the files of the cache share: cache.c opens and counts, cache_adopt.c takes a prompt,
 * cache_step.c attends.
 */
#ifndef KVLAB_CACHE_INT_H
#define KVLAB_CACHE_INT_H

#include "harness/kv/cache.h"

struct layer {
    struct kv_layer rows;
    struct kv_part parts[KV_CHAIN_MAX]; // one for each link of the chain, with scratch of its own
    void *record;                       // of the row at work
};

struct kv_cache {
    const struct kv_chain *chain;
    char *content; // what it makes of a prompt: kv_chain_content
    struct kv_shape shape;
    int n, cap;
    bool own_record; // append and codec belong together: rows come with records
    struct layer *layers;
    struct mem_arena records; // of all layers: steps read here and there in it
    struct kv_ledger start;   // what adopting a prompt has counted: no step's
    uint64_t read_full;
    /* Of the layer at work: what each query head reads, and the weights of these rows. */
    struct kv_range *ranges; // [n_heads][cap]
    int *n_ranges;           // [n_heads]
    float *weights;          // [n_heads][cap]
    char *select_scratch;    // [n_kv_heads][select_bytes]
    size_t select_bytes;
    double *seconds;    // [n_kv_heads] of threads in steps; the first has what is of no head, too
    double layer_start; // their sum before the layer at work
    double cost;        // seconds of the layer before
};

/* Rows that are to be packed, of n_before and those that come. */
int kv_cache_due(const struct kv_cache *c, const struct layer *l, int n_before);
/* What is in the layer, as f16 rows. */
uint64_t kv_cache_full_bits(const struct kv_cache *c, const struct layer *l);

#endif
