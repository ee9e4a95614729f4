/*
 * The value quantizer over all channels of a head at once: bit for bit what kvo_value_encode makes
 * of each, in rows as records hold them. Where codes have few bits and a group has at most 32
 * tokens, channels go side by side and entries of a channel are the bits of one word; else each
 * channel goes by itself.
 */
#ifndef KVLAB_KVO_COLUMNS_H
#define KVLAB_KVO_COLUMNS_H

#include "harness/methods/kvo_quant.h"

/* A group of value rows. */
struct kvo_columns {
    int d;               // channels
    size_t mask_stride;  // whole words
    uint8_t *codes;      // [group][d]; of salient rows their own codes, where these have 8 bits
    uint8_t *masks;      // [group][mask_stride] bit c: channel c is kept; salient rows: none
    uint16_t *base;      // [group / chunk][d] codes of salient rows
    float *scale, *zero; // [d]
    float *base_scale;   // [d]
};

void kvo_columns_init(struct kvo_columns *w, int d, const struct kvo_quant *value);
void kvo_columns_release(struct kvo_columns *w);

/* v [group][d] */
void kvo_columns_encode(struct kvo_columns *w, const struct kernels *kn, const float *v,
                        const struct kvo_quant *value);

#endif
