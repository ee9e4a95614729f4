/*
 * Scores of tiles of INT8 rows in whole numbers, over the operations of kernels_simd.h and:
 *   ints (16 of 32 bits), i_zero, i_float,
 *   dot_words (the codes of a group of channels with a query's words, exact).
 * A lane is a row, so that nothing is added across lanes. Whatever multiplies, a group's sum fits 32
 * bits: 512 codes of at most 255 and numbers below 2^14.
 */
#include "harness/tensor/packed.h"

INLINE vec tile_numbers(const uint8_t *from, const bool wide)
{
    return wide ? weights_f32(from, 0) : weights_f16(from, 0);
}

static inline uint32_t four(const void *p)
{
    uint32_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* Tiles are read once a step, as rows are (rows_ahead()). */
INLINE void expect_tile(const uint8_t *tile, size_t size)
{
    for (size_t b = 0; b < size; b += 64)
        __builtin_prefetch(tile + b, 0, 0);
}

/* dot(codes, query, first channel, channels) of a group of one tile */
#define SCAN(name, attributes, dot)                                                                \
    INLINE attributes vec name##_tile(const struct int8_tiles *s, const int group, const bool wide,\
                                      const uint8_t *tile, const struct int8_query *q)             \
    {                                                                                              \
        size_t each = TILE_ROWS * (wide ? sizeof(float) : sizeof(uint16_t));                       \
        const uint8_t *numbers = tile + TILE_ROWS * s->d;                                          \
        vec total = v_zero(), low = v_set1((float)s->lowest);                                      \
        for (int l = 0, g = 0; l < s->d; l += group, g++, numbers += 2 * each) {                   \
            vec product = i_float(dot(tile + TILE_ROWS * l, q, l, group));                         \
            vec scale = tile_numbers(numbers, wide), zero = tile_numbers(numbers + each, wide);    \
            zero = v_add(zero, v_mul(low, scale));                                                 \
            product = v_add(v_mul(scale, product), v_mul(zero, v_set1(q->sums[g])));               \
            total = v_add(total, product);                                                         \
        }                                                                                          \
        return v_mul(v_set1(q->unit), total);                                                      \
    }                                                                                              \
    INLINE attributes void name##_all(float *out, int ld, float *max, const struct int8_query *q,  \
                                      int n_q, const struct int8_tiles *s, int n_tiles,            \
                                      const int group, const bool wide)                            \
    {                                                                                              \
        enum { AHEAD = 4 };                                                                        \
        size_t size = (size_t)(TILE_ROWS * (s->d + s->d / group * (wide ? PAIR : PAIR / 2)));      \
        const uint8_t *tile = s->data;                                                             \
        for (int t = 0; t < n_tiles; t++, tile += size) {                                          \
            if (t + AHEAD < n_tiles)                                                               \
                expect_tile(tile + AHEAD * size, size);                                            \
            for (int i = 0; i < n_q; i++) {                                                        \
                vec x = name##_tile(s, group, wide, tile, q + i);                                  \
                v_store(out + (long)i * ld + t * TILE_ROWS, x);                                    \
                max[(long)i * (ld / TILE_ROWS) + t] = v_max_lane(x);                               \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static attributes void name(float *out, int ld, float *max, const struct int8_query *q,        \
                                int n_q, const struct int8_tiles *s, int n_tiles)                  \
    {                                                                                              \
        if (s->wide)                                                                               \
            name##_all(out, ld, max, q, n_q, s, n_tiles, s->group, true);                          \
        else if (s->group == 32)                                                                   \
            name##_all(out, ld, max, q, n_q, s, n_tiles, 32, false);                               \
        else                                                                                       \
            name##_all(out, ld, max, q, n_q, s, n_tiles, s->group, false);                         \
    }
