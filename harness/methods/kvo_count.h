/*
 * What KVO's records hold and what a decode step reads of them, counted per layer from the settings
 * alone: codes, kept masks, pairs of scale and offset. Exact; the encoders' output is the proof
 * (tests/unit/test_kvo.c).
 */
#ifndef KVLAB_KVO_COUNT_H
#define KVLAB_KVO_COUNT_H

#include <stdint.h>

#include "harness/methods/kvo_quant.h"

enum kvo_part {
    KVO_RECENT_KEYS,   // INT8
    KVO_RECENT_VALUES, // uncompressed
    KVO_KEY_BASES,     // salient keys, INT8
    KVO_KEY_DIFFS,     // the other keys
    KVO_VALUES,        // compressed values, salient ones included
    KVO_PARTS
};

struct kvo_count {
    int64_t codes;     // how many
    int64_t code_bits; // of all of them
    int64_t mask_bits; // none where nothing is pruned
    int64_t pairs;
};

struct kvo_layer {
    int channels;   // KV heads * head_dim
    int rows;       // cached
    int compressed; // of these: kvo_boundary() or what is compressed so far
    int value_bits; // of one recent value: 16, or 32
    int pair_bits;  // of scale and offset together: 32 as two f16
};

/* Everything that is stored. Window sums (2 * window floats a head) are the caller's. */
void kvo_count_held(struct kvo_count out[KVO_PARTS], const struct kvo_layer *l,
                    const struct kvo_quant *key, const struct kvo_quant *value);

/*
 * What one step reads when heads choose chunks: all bases (they are the scores), and of chosen
 * chunks the differences and the values. `chosen` chunks and `value_groups` groups of values
 * touched (kvo_select_value_groups) are summed over KV heads.
 * A group's kept values are not spread evenly over its chunks: the share of the rows is counted.
 */
void kvo_count_read(struct kvo_count out[KVO_PARTS], const struct kvo_layer *l, int head_dim,
                    int64_t chosen, int64_t value_groups, const struct kvo_quant *key,
                    const struct kvo_quant *value);

/* Bits of one part, or of all. */
int64_t kvo_count_bits(const struct kvo_count *part, const struct kvo_layer *l);
int64_t kvo_count_total_bits(const struct kvo_count parts[KVO_PARTS], const struct kvo_layer *l);

#endif
