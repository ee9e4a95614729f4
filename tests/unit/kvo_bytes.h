/*
 * What KVO holds and reads, in closed form, by class of bytes: written from the method's
 * description and from nothing in harness/methods, so that the two can be compared. One layer.
 *
 * Notation: C = kv_heads * head_dim channels; a "pair" is scale and offset of a group. Rows 0..T-1
 * are compressed in chunks of `chunk` rows of which the first is the base, rows T..rows-1 are
 * recent. `rows` is what a step reads: with n rows before the step n + 1 when the row that it
 * appends counts, n in the paper's way of counting. Classes rows, index and sums stay 0: they are
 * of a packing.
 */
#ifndef KVLAB_TEST_KVO_BYTES_H
#define KVLAB_TEST_KVO_BYTES_H

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "harness/kv/ledger.h"

struct kvo_bytes_setting {
    int kv_heads, head_dim;
    int key_bits, key_group, chunk, value_bits, value_group, value_chunk;
    double key_kept, value_kept; // shares
    int prune_keys, prune_values;
    int pair_bits;  // 32: two f16; 64: two f32
    int value_wide; // bits of a value that is not compressed: 16 or 32
};

/* The defaults; the shape is the caller's. */
static inline struct kvo_bytes_setting kvo_bytes_default(int kv_heads, int head_dim)
{
    return (struct kvo_bytes_setting){kv_heads, head_dim, 2,   32, 8, 2,  32,
                                      8,        0.25,     0.5, 1,  1, 32, 16};
}

/* ---- what a group keeps ---- */

/* Pruned are int(group * (1 - share)), in doubles, cut off. */
static inline int kvo_bytes_pruned(int group, double share)
{
    return (int)(group * (1 - share));
}

static inline int kvo_bytes_key_kept(const struct kvo_bytes_setting *s)
{
    return s->key_group - (s->prune_keys ? kvo_bytes_pruned(s->key_group, s->key_kept) : 0);
}

static inline int kvo_bytes_value_bases(const struct kvo_bytes_setting *s)
{
    return s->value_group / s->value_chunk;
}

/* Values of a channel's group that are kept beside its bases. */
static inline int kvo_bytes_value_kept(const struct kvo_bytes_setting *s)
{
    int others = s->value_group - kvo_bytes_value_bases(s);
    return others - (s->prune_values ? kvo_bytes_pruned(s->value_group, s->value_kept) : 0);
}

/* ---- boundaries ---- */

/* Rows compressed during the step with n rows before it. */
static inline int kvo_bytes_compressed(int n, int window)
{
    return n >= 2 * window ? n / window * window - window : 0;
}

/* Chunks that one query head reads. */
static inline int kvo_bytes_chosen(int compressed, int budget, int chunk)
{
    int least = compressed < budget ? compressed : budget;
    int m = least / chunk > 3 ? least / chunk : 3;
    return m < compressed / chunk ? m : compressed / chunk;
}

/* ---- bits ---- */

static inline void kvo_bytes_recent(const struct kvo_bytes_setting *s, int64_t rows,
                                    uint64_t out[KV_CLASSES])
{
    int64_t channels = (int64_t)s->kv_heads * s->head_dim;
    out[KV_RECENT] =
        (uint64_t)(rows * channels * 8 + rows * channels / s->key_group * s->pair_bits +
                   rows * channels * s->value_wide);
}

/* Bases and their pairs of so many chunks of every head. */
static inline void kvo_bytes_bases(const struct kvo_bytes_setting *s, int64_t chunks,
                                   uint64_t out[KV_CLASSES])
{
    int64_t channels = (int64_t)s->kv_heads * s->head_dim;
    out[KV_BASES] += (uint64_t)(chunks * channels * 8);
    out[KV_PAIRS] += (uint64_t)(chunks * channels / s->key_group * s->pair_bits);
}

/* Differences of so many (head, chunk). 16 bits: kept as they are, nothing beside them. */
static inline void kvo_bytes_diffs(const struct kvo_bytes_setting *s, int64_t head_chunks,
                                   uint64_t out[KV_CLASSES])
{
    int64_t rows = head_chunks * (s->chunk - 1), groups = rows * s->head_dim / s->key_group;
    if (s->key_bits >= 16) {
        out[KV_DIFFS] += (uint64_t)(rows * s->head_dim * s->value_wide);
        return;
    }
    out[KV_DIFFS] += (uint64_t)(groups * kvo_bytes_key_kept(s) * s->key_bits);
    out[KV_PAIRS] += (uint64_t)(groups * s->pair_bits);
    out[KV_MASKS] += s->prune_keys ? (uint64_t)(groups * s->key_group) : 0;
}

/* Values of so many (head, chunk): `kept` of their numbers beside bases are kept, which a mask says
 * chunk by chunk; `groups` (head, group of rows) are touched, each with a pair a channel. The value
 * chunk must be the key chunk, so that each chunk has one base row. */
static inline void kvo_bytes_values(const struct kvo_bytes_setting *s, int64_t head_chunks,
                                    int64_t groups, int64_t kept, uint64_t out[KV_CLASSES])
{
    int64_t numbers = head_chunks * s->head_dim;
    if (s->value_bits >= 16) {
        out[KV_VALUES] += (uint64_t)(numbers * s->chunk * s->value_wide);
        return;
    }
    assert(s->value_chunk == s->chunk);
    out[KV_VALUES] += (uint64_t)(numbers * 2 * s->value_bits + kept * s->value_bits);
    out[KV_PAIRS] += (uint64_t)(groups * s->head_dim * s->pair_bits);
    out[KV_MASKS] += s->prune_values ? (uint64_t)(numbers * (s->chunk - 1)) : 0;
}

/* ---- a layer ---- */

/* All that `rows` rows of which `compressed` are compressed take. */
static inline void kvo_bytes_held(const struct kvo_bytes_setting *s, int rows, int compressed,
                                  uint64_t out[KV_CLASSES])
{
    int64_t chunks = compressed / s->chunk, groups = compressed / s->value_group;
    memset(out, 0, KV_CLASSES * sizeof *out);
    kvo_bytes_recent(s, rows - compressed, out);
    kvo_bytes_bases(s, chunks, out);
    kvo_bytes_diffs(s, chunks * s->kv_heads, out);
    kvo_bytes_values(s, chunks * s->kv_heads, groups * s->kv_heads,
                     groups * s->kv_heads * s->head_dim * kvo_bytes_value_kept(s), out);
}

/* Which chunks a step reads: chosen[head][i] of n_chosen[head] different chunks of each KV head; of
 * query heads that share one, the union. kept counts the kept values beside bases in these chunks,
 * over all heads and channels, or is negative: then each chunk is taken to have its even share. */
struct kvo_bytes_choice {
    const int *const *chosen;
    const int *n_chosen;
    int64_t kept;
};

static inline int64_t kvo_bytes_groups_touched(const struct kvo_bytes_setting *s, const int *chosen,
                                               int n)
{
    int64_t groups = 0;
    for (int i = 0; i < n; i++) {
        int first = 1;
        for (int k = 0; k < i; k++)
            first &= chosen[k] * s->chunk / s->value_group != chosen[i] * s->chunk / s->value_group;
        groups += first;
    }
    return groups;
}

/* What a step reads: the recent rows, the bases of all chunks, the rest of the chosen ones. */
static inline void kvo_bytes_read(const struct kvo_bytes_setting *s, int rows, int compressed,
                                  const struct kvo_bytes_choice *choice, uint64_t out[KV_CLASSES])
{
    int64_t chunks = 0, groups = 0;
    memset(out, 0, KV_CLASSES * sizeof *out);
    for (int h = 0; h < s->kv_heads; h++) {
        chunks += choice->n_chosen[h];
        groups += kvo_bytes_groups_touched(s, choice->chosen[h], choice->n_chosen[h]);
    }
    int64_t share = chunks * s->head_dim * kvo_bytes_value_kept(s) * s->chunk / s->value_group;
    kvo_bytes_recent(s, rows - compressed, out);
    kvo_bytes_bases(s, compressed / s->chunk, out);
    kvo_bytes_diffs(s, chunks, out);
    kvo_bytes_values(s, chunks, groups, choice->kept < 0 ? share : choice->kept, out);
}

/* 16-bit keys and values. */
static inline uint64_t kvo_bytes_full(const struct kvo_bytes_setting *s, int rows)
{
    return (uint64_t)rows * (uint64_t)s->kv_heads * (uint64_t)s->head_dim * 2 * 16;
}

#endif
