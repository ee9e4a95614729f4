/*
 * A layer's packed rows from the inside, for the two files that know it: kvo_store.c fills them,
 * kvo_store_attend.c reads them.
 */
#ifndef KVLAB_KVO_STORE_INT_H
#define KVLAB_KVO_STORE_INT_H

#include <string.h>

#include "harness/kv/meter.h"
#include "harness/methods/kvo_scan.h"
#include "harness/methods/kvo_store.h"

/* A block of one head on its way into records. */
struct way {
    struct kvo_work work;
    float *k, *v;     // [block rows][d]
    uint8_t *records; // [block chunks][base_size]: its salient keys
    int next_group;   // of values whose pairs the step has not read yet
};

struct kvo_store {
    struct kv_part part;
    struct kvo_format f;
    int n, packed, cap;     // rows; compressed ones
    int before, was_packed; // the same before the step
    int max_chunks, window; // chunks that fit; recent rows that fit
    size_t max_blocks;
    uint8_t *memory;        // of what follows, unless it is the cache's
    uint8_t *tiles;         // [n_kv_heads] of kvo_scan_bytes(): of the bases
    struct kvo_scan *bases; // [n_kv_heads]
    uint8_t *blocks;        // [n_kv_heads][max_chunks / chunks][block_size]
    uint8_t *keys;          // [n_kv_heads][window][base_size]: the recent rows
    uint8_t *values;        // [n_kv_heads][window][d] of f16 or f32
    struct way *ways;       // [n_kv_heads]
    float *tile;            // [n_kv_heads][tile_size]: a chunk decoded, and room to decode it
    size_t tile_size;
    struct kv_meter *meters;
};

static inline size_t number_size(const struct kvo_store *s)
{
    return s->f.value.half_numbers ? sizeof(uint16_t) : sizeof(float);
}

static inline size_t value_size(const struct kvo_store *s)
{
    return (size_t)s->f.d * number_size(s);
}

/* ---- where things are ---- */

static inline uint8_t *block_at(const struct kvo_store *s, int head, int block)
{
    return s->blocks + ((size_t)head * s->max_blocks + (size_t)block) * s->f.block_size;
}

/* Row t, which is not compressed. */
static inline uint8_t *key_at(const struct kvo_store *s, int head, int t)
{
    size_t row = (size_t)head * (size_t)s->window + (size_t)(t - s->packed);
    return s->keys + row * s->f.base_size;
}

static inline uint8_t *value_at(const struct kvo_store *s, int head, int t)
{
    size_t row = (size_t)head * (size_t)s->window + (size_t)(t - s->packed);
    return s->values + row * value_size(s);
}

static inline float *tile_of(const struct kvo_store *s, int head)
{
    return s->tile + (size_t)head * s->tile_size;
}

/* kvo_scratch_size() behind the chunk. */
static inline float *scratch_of(const struct kvo_store *s, int head)
{
    return tile_of(s, head) + s->f.key.chunk * s->f.d;
}

static inline uint64_t recent_key_bits(const struct kvo_store *s)
{
    return s->f.base_size * 8;
}

static inline uint64_t recent_value_bits(const struct kvo_store *s)
{
    return value_size(s) * 8;
}

/* n rows of values as they are kept uncompressed. */
static inline void get_values(const struct kvo_store *s, float *out, const void *from, int n)
{
    if (s->f.value.half_numbers)
        s->part.kernels->widen_f16(out, from, (long)n * s->f.d);
    else
        memcpy(out, from, (size_t)n * value_size(s));
}

static inline struct int8_rows recent_keys(const struct kvo_store *s, int head, int t)
{
    return int8_record_rows(key_at(s, head, t), s->f.base_size, s->f.d, &s->f.key);
}

#endif
