#include "harness/methods/kvo_columns.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/methods/kvo_few.h"
#include "harness/tensor/group_quant.h"

enum { WORD = 32 };

void kvo_columns_init(struct kvo_columns *w, int d, const struct kvo_quant *value)
{
    size_t n = (size_t)d, group = (size_t)value->group;
    *w = (struct kvo_columns){.d = d, .mask_stride = (n + WORD - 1) / WORD * sizeof(uint32_t)};
    w->codes = xcalloc(group, n);
    w->masks = xcalloc(group, w->mask_stride);
    w->base = xcalloc(group * n, sizeof *w->base);
    w->scale = xcalloc(3 * n, sizeof *w->scale);
    w->zero = w->scale + n;
    w->base_scale = w->zero + n;
}

void kvo_columns_release(struct kvo_columns *w)
{
    free(w->codes);
    free(w->masks);
    free(w->base);
    free(w->scale);
}

/* ---- channel by channel ---- */

static void encode_one(struct kvo_columns *w, const float *v, int c, const struct kvo_quant *value)
{
    float x[KVO_GROUP_MAX];
    uint8_t codes[KVO_GROUP_MAX], kept[KVO_GROUP_MAX];
    uint16_t base[KVO_GROUP_MAX];
    struct kvo_group g = {.codes = codes, .kept = kept, .base = base};
    int d = w->d, chunk = value->chunk;
    for (int i = 0; i < value->group; i++)
        x[i] = v[i * d + c];
    kvo_value_encode(&g, x, value);
    w->scale[c] = g.pair.scale, w->zero[c] = g.pair.zero;
    for (int i = 0; i < value->group; i++) {
        bool salient = i % chunk == 0;
        w->codes[i * d + c] = salient ? (uint8_t)base[i / chunk] : codes[i];
        w->masks[(size_t)i * w->mask_stride + (size_t)c / 8] |= (uint8_t)(kept[i] << c % 8);
        if (salient)
            w->base[i / chunk * d + c] = base[i / chunk];
    }
}

static void encode_each(struct kvo_columns *w, const float *v, const struct kvo_quant *value)
{
    memset(w->masks, 0, (size_t)value->group * w->mask_stride);
    for (int c = 0; c < w->d; c++)
        encode_one(w, v, c, value);
}

/* ---- channels side by side ---- */

/* Salient rows count as 0, which is always in the range. False where a number is NaN. */
static bool ranges(float *restrict min, float *restrict max, const float *restrict v, int d,
                   const struct kvo_quant *value)
{
    int nan = 0;
    for (int c = 0; c < d; c++)
        min[c] = max[c] = 0;
    for (int i = 0; i < value->group; i++)
        for (int c = 0; i % value->chunk && c < d; c++) {
            float x = v[i * d + c];
            max[c] = x > max[c] ? x : max[c];
            min[c] = x < min[c] ? x : min[c];
            nan |= x != x;
        }
    return !nan;
}

/* From the ranges, which they replace. */
static void make_pairs(struct kvo_columns *w, const struct kernels *kn,
                       const struct kvo_quant *value)
{
    struct group_grid g = group_grid(value->bits, value->symmetric);
    for (int c = 0; c < w->d; c++) {
        struct group_pair p =
            group_pair_of(w->zero[c], w->scale[c], g, value->symmetric, (float)value->clip);
        w->scale[c] = value->half_pairs ? group_half(p.scale) : p.scale;
        w->zero[c] = value->half_pairs ? group_half(p.zero) : p.zero;
    }
    kvo_base_scales(kn, w->base_scale, w->scale, w->d, value);
}

static void make_codes(struct kvo_columns *w, const float *v, const struct kvo_quant *value)
{
    struct group_grid g = group_grid(value->bits, value->symmetric);
    struct group_grid base = group_grid(2 * value->bits, value->symmetric);
    int d = w->d;
    for (int i = 0; i < value->group; i++) {
        bool salient = i % value->chunk == 0;
        group_encode_each(w->codes + i * d, v + i * d, d, salient ? w->base_scale : w->scale,
                          w->zero, salient ? base : g);
    }
}

/* Bit j of word i becomes bit i of word j. */
static void transpose(uint32_t a[WORD])
{
    uint32_t m = 0x0000FFFF;
    for (int j = WORD / 2; j; j /= 2, m ^= m << j)
        for (int k = 0; k < WORD; k = (k + j + 1) & ~j) {
            uint32_t t = (a[k] >> j ^ a[k + j]) & m;
            a[k] ^= t << j;
            a[k + j] ^= t;
        }
}

/* Bit `plane` of the codes of channels c to c + 31: word i is channel c + i's. */
static void take_plane(uint32_t out[WORD], const struct kvo_columns *w, int c, int rows, int plane)
{
    memset(out, 0, WORD * sizeof *out);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < WORD; j += 8)
            out[i] |= (uint32_t)kvo_few_bits(w->codes + i * w->d + c + j, plane) << j;
    transpose(out);
}

static void prune_word(struct kvo_columns *w, int c, uint32_t others, const struct kvo_quant *value)
{
    uint32_t planes[KVO_FEW_BITS][WORD], kept[WORD];
    for (int p = 0; p < value->bits; p++)
        take_plane(planes[p], w, c, value->group, p);
    for (int i = 0; i < WORD; i++) {
        uint32_t of[KVO_FEW_BITS] = {0};
        for (int p = 0; p < value->bits; p++)
            of[p] = planes[p][i];
        struct kvo_pair pair = {w->scale[c + i], w->zero[c + i]};
        kept[i] = kvo_few_kept(of, others, kvo_pruned(value), pair, value);
    }
    transpose(kept);
    for (int i = 0; i < value->group; i++)
        memcpy(w->masks + (size_t)i * w->mask_stride + c / 8, &kept[i], sizeof kept[i]);
}

void kvo_columns_encode(struct kvo_columns *w, const struct kernels *kn, const float *v,
                        const struct kvo_quant *value)
{
    bool few = value->bits <= KVO_FEW_BITS && value->group <= WORD && w->d % WORD == 0;
    if (!few || !ranges(w->zero, w->scale, v, w->d, value)) {
        encode_each(w, v, value);
        return;
    }
    uint32_t others = 0;
    make_pairs(w, kn, value);
    make_codes(w, v, value);
    for (int i = 0; i < value->group; i++)
        others |= (uint32_t)(i % value->chunk != 0) << i;
    for (int c = 0; c < w->d; c += WORD)
        prune_word(w, c, others, value);
}
