/*
 * Scores of tiles of INT8 rows in whole numbers, over the operations of kernels_simd.h and:
 *   ints (16 of 32 bits), i_float, half_1 (an f16 number as f32),
 *   a product of the codes of a group of channels with a query, for SCAN.
 * A lane is a row, so that nothing is added across lanes. Whatever multiplies, a group's sum fits
 * 32 bits: 512 codes of at most 255 and numbers below 2^14.
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
INLINE void expect_tiles(const uint8_t *tile, size_t size)
{
    for (size_t b = 0; b < size; b += 64)
        __builtin_prefetch(tile + b, 0, 0);
}

INLINE float tile_number(const uint8_t *from, const bool wide)
{
    uint16_t half;
    if (wide)
        return f32_at(from);
    memcpy(&half, from, sizeof half);
    return half_1(half);
}

/* n <= 16 channels of a row, each four of them 64 bytes further. The arithmetic is row_load's. */
INLINE void widen_codes(float *out, const uint8_t *codes, vec scale, vec zero, vec low, int n)
{
    uint64_t x[2] = {0, 0};
    for (int l = 0; l < n; l += 4)
        x[l / 8] |= (uint64_t)four(codes + l * TILE_ROWS) << l % 8 * 8;
    vec y = v_add(v_mul(v_add(v_bytes(x[0], x[1]), low), scale), zero);
    if (n == LANES)
        v_store(out, y);
    else
        v_store_part(out, y, n);
}

static void widen_tile(float *out, const struct int8_tiles *t, int i)
{
    int size = (int)(t->wide ? sizeof(float) : sizeof(uint16_t));
    const uint8_t *number = t->data + TILE_ROWS * t->d + i * size, *codes = t->data + 4 * i;
    vec low = v_set1((float)t->lowest);
    for (int l = 0; l < t->d; number += 2 * TILE_ROWS * size) {
        vec scale = v_set1(tile_number(number, t->wide));
        vec zero = v_set1(tile_number(number + TILE_ROWS * size, t->wide));
        int end = l + t->group;
        for (; l + LANES <= end; l += LANES)
            widen_codes(out + l, codes + l * TILE_ROWS, scale, zero, low, LANES);
        if (l < end)
            widen_codes(out + l, codes + l * TILE_ROWS, scale, zero, low, end - l);
        l = end;
    }
}

/* What one group adds to the scores of a tile. */
INLINE vec group_scores(vec product, const uint8_t *numbers, float low, float sum, const bool wide)
{
    vec scale = tile_numbers(numbers, wide);
    vec zero = tile_numbers(numbers + TILE_ROWS * (wide ? PAIR / 2 : PAIR / 4), wide);
    zero = v_add(zero, v_mul(v_set1(low), scale));
    return v_add(v_mul(scale, product), v_mul(zero, v_set1(sum)));
}

/* Two tiles at a time share the loads of a query. dot(sums of m groups, their codes `size` apart,
 * query, first channel, channels, m) */
#define SCAN(name, attributes, dot)                                                                \
    INLINE attributes void name##_few(                                                             \
        float *out, float *max, const struct int8_tiles *s, const uint8_t *tile, size_t size,      \
        const int m, const int group, const bool wide, const struct int8_query *q)                 \
    {                                                                                              \
        size_t each = TILE_ROWS * (wide ? PAIR : PAIR / 2);                                        \
        const uint8_t *numbers = tile + TILE_ROWS * s->d;                                          \
        vec total[2] = {v_zero(), v_zero()};                                                       \
        for (int l = 0, g = 0; l < s->d; l += group, g++, numbers += each) {                       \
            ints sums[2];                                                                          \
            dot(sums, tile + TILE_ROWS * l, size, q, l, group, m);                                 \
            UNROLL for (int k = 0; k < m; k++) total[k] =                                          \
                v_add(total[k], group_scores(i_float(sums[k]), numbers + (size_t)k * size,         \
                                             (float)s->lowest, q->sums[g], wide));                 \
        }                                                                                          \
        UNROLL for (int k = 0; k < m; k++)                                                         \
        {                                                                                          \
            total[k] = v_mul(v_set1(q->unit), total[k]);                                           \
            v_store(out + k * TILE_ROWS, total[k]);                                                \
            max[k] = v_max_lane(total[k]);                                                         \
        }                                                                                          \
    }                                                                                              \
    INLINE attributes void name##_all(float *out, int ld, float *max, const struct int8_query *q,  \
                                      int n_q, const struct int8_tiles *s, int n_tiles,            \
                                      const int group, const bool wide)                            \
    {                                                                                              \
        enum { AHEAD = 4 };                                                                        \
        size_t size = (size_t)(TILE_ROWS * (s->d + s->d / group * (wide ? PAIR : PAIR / 2)));      \
        const uint8_t *tile = s->data;                                                             \
        for (int t = 0; t < n_tiles; t += 2, tile += 2 * size) {                                   \
            if (t + AHEAD + 2 <= n_tiles)                                                          \
                expect_tiles(tile + AHEAD * size, 2 * size);                                       \
            for (int i = 0; i < n_q; i++) {                                                        \
                float *to = out + (long)i * ld + t * TILE_ROWS;                                    \
                float *most = max + (long)i * (ld / TILE_ROWS) + t;                                \
                if (t + 2 <= n_tiles)                                                              \
                    name##_few(to, most, s, tile, size, 2, group, wide, q + i);                    \
                else                                                                               \
                    name##_few(to, most, s, tile, size, 1, group, wide, q + i);                    \
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
