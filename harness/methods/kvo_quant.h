/*
 * KVO's quantizers on f32 rows: INT8 of appended keys, differential compression of keys and
 * group compression of values (KVO-LLM, DAC 2025; the authors' code where it differs from the
 * paper). Encoders write codes, scale and offset, and which entries are kept; a compressed row is
 * by definition what the decoder makes of these, so a packed cache holds exactly the reference.
 *
 * Knows nothing of caches, budgets or attention. No allocation, no state: a group of entries is
 * the unit, and everything a group needs lives on the stack.
 * Arithmetic is f32, each operation rounded by itself, division true, ties to even.
 */
#ifndef KVLAB_KVO_QUANT_H
#define KVLAB_KVO_QUANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/tensor/kernels.h"

enum {
    KVO_GROUP_MAX = 512,
    KVO_BITS_MAX = 8,  // of a code; a value's salient tokens have twice as many
    KVO_BITS_OFF = 16, // this many bits and more: not compressed, and nothing pruned either
};

/* Settings of the key quantizer or of the value quantizer. */
struct kvo_quant {
    int bits;          // 1..8, or >= 16: off
    int group;         // keys: channels, values: tokens that share one scale and offset
    int chunk;         // tokens of which the first is the salient one
    double kept;       // the KEPT share of a group (the authors' prune_budget); 1: no pruning
    double clip;       // below 1: both ends of the range are multiplied by it
    bool symmetric;    // no offset; by the signed maximum, as the authors have it
    bool half_pairs;   // pairs are f16: rounded before codes are made of them
    bool half_numbers; // what stays uncompressed is f16: here the differences of keys at 16 bits
};

struct kvo_pair {
    float scale, zero; // value = code * scale + zero, a code counting from the grid's lowest
};

/* What is stored of one group; arrays are the caller's, n = quant.group. */
struct kvo_group {
    uint8_t *codes; // [n] of every entry, whether kept or not; unsigned, 0 is the grid's lowest
    uint8_t *kept;  // [n] 1: the code counts, 0: the entry reads back as nothing (salient: 0)
    uint16_t *base; // [n / chunk] values only: codes of the salient tokens, twice the bits
    struct kvo_pair pair;
};

/* K or V of a layer: row t of a KV head is x + h * head_stride + t * row_stride, head_dim floats.
 * Channel c of all n_heads * head_dim is entry c % head_dim of head c / head_dim; a group of
 * channels may cross heads. */
struct kvo_rows {
    float *x;
    size_t head_stride, row_stride;
    int n_heads, head_dim;
};

/* Can these settings work? ERR_USER naming the setting: key_group, value_kept, ... */
int kvo_key_check(const struct kvo_quant *key, int n_channels, int window, struct err *e);
int kvo_value_check(const struct kvo_quant *value, int window, struct err *e);
/* The divisor of n that is nearest to want, the smaller of two. */
int kvo_near_divisor(int n, int want);

/* Entries of a group that pruning drops and that it keeps. Of values the salient tokens count in
 * neither: dropped + kept + group / chunk = group. */
int kvo_pruned(const struct kvo_quant *q);
int kvo_key_kept(const struct kvo_quant *key);
int kvo_value_kept(const struct kvo_quant *value);

/* The lowest code of the grid: signed code = code + this. */
int kvo_lowest(int bits, bool symmetric);

/* n entries with their own scale and offset, at any width up to 8 bits. */
struct kvo_pair kvo_encode(const struct kernels *kn, uint8_t *codes, const float *x, int n,
                           int bits, const struct kvo_quant *q);
void kvo_decode(float *x, const uint8_t *codes, struct kvo_pair pair, int n, int bits,
                const struct kvo_quant *q);

/* One group of key channels of one token, as difference to the decoded salient token of its chunk.
 * Decoding writes base + difference. */
void kvo_key_encode(const struct kernels *kn, struct kvo_group *out, const float *x,
                    const float *base, const struct kvo_quant *key);
void kvo_key_decode(float *x, const struct kvo_group *in, const float *base,
                    const struct kvo_quant *key);

/* At 16 bits: the difference as it is kept. */
float kvo_key_number(float x, float base, const struct kvo_quant *key);

/* One channel of a group of consecutive tokens. */
void kvo_value_encode(struct kvo_group *out, const float *v, const struct kvo_quant *value);
void kvo_value_decode(float *v, const struct kvo_group *in, const struct kvo_quant *value);
/* The scales of the salient tokens of groups with these scales. */
void kvo_base_scales(const struct kernels *kn, float *out, const float *scale, int n,
                     const struct kvo_quant *value);

/* Rows from..to-1 in place, encoded and decoded. Keys: (to - from) % chunk == 0, values:
 * (to - from) % group == 0. kvo_int8_rows takes the key's group, clip and symmetric. */
void kvo_int8_rows(const struct kvo_rows *k, int from, int to, const struct kvo_quant *key);
void kvo_key_rows(const struct kvo_rows *k, int from, int to, const struct kvo_quant *key);
void kvo_value_rows(const struct kvo_rows *v, int from, int to, const struct kvo_quant *value);

#endif
