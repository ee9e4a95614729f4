/* The plain twins of packed rows, for kernels_plain.c. */
#include <string.h>

#include "harness/tensor/kernels.h"
#include "harness/tensor/kernels_unpack_rows.h"
#include "harness/tensor/packed.h"

static float int8_decoded(const struct int8_rows *rows, int i, int l)
{
    const uint8_t *row = rows->data + (size_t)i * rows->stride;
    size_t pair = 2 * (size_t)(l / rows->group);
    float of[2];
    uint16_t half[2];
    if (rows->wide) {
        memcpy(of, row + rows->d + pair * sizeof *of, sizeof of);
    } else {
        memcpy(half, row + rows->d + pair * sizeof *half, sizeof half);
        of[0] = f16_to_f32(half[0]), of[1] = f16_to_f32(half[1]);
    }
    return (float)(row[l] + rows->lowest) * of[0] + of[1];
}

static void scores_int8(float *out, int ld, const float *q, int n_q, const struct int8_rows *rows,
                        int n, float divisor)
{
    for (int i = 0; i < n_q; i++)
        for (int j = 0; j < n; j++) {
            float sum = 0;
            for (int l = 0; l < rows->d; l++)
                sum += q[(long)i * rows->d + l] * int8_decoded(rows, j, l);
            out[(long)i * ld + j] = sum / divisor;
        }
}

static void mix_int8(float *out, const float *w, const struct int8_rows *rows, int n)
{
    for (int i = 0; i < n; i++)
        for (int l = 0; l < rows->d; l++)
            out[l] += w[i] * int8_decoded(rows, i, l);
}

static void widen_int8(float *out, const struct int8_rows *rows, int n)
{
    for (int i = 0; i < n; i++)
        for (int l = 0; l < rows->d; l++)
            out[(long)i * rows->d + l] = int8_decoded(rows, i, l);
}

static float tile_number(const uint8_t *numbers, int i, bool wide)
{
    float x;
    uint16_t half;
    if (wide) {
        memcpy(&x, numbers + (size_t)i * sizeof x, sizeof x);
        return x;
    }
    memcpy(&half, numbers + (size_t)i * sizeof half, sizeof half);
    return f16_to_f32(half);
}

/* Row j of a tile with one query. */
static float tile_score(const struct int8_tiles *t, const uint8_t *tile, const struct int8_query *q,
                        int j)
{
    const uint8_t *numbers = tile + TILE_ROWS * t->d;
    float total = 0;
    for (int g = 0; g < t->d / t->group; g++) {
        int32_t dot = 0;
        for (int l = g * t->group; l < (g + 1) * t->group; l++)
            dot += tile[l / 4 * 4 * TILE_ROWS + 4 * j + l % 4] * (128 * q->high[l] + q->low[l]);
        float scale = tile_number(numbers, 2 * g * TILE_ROWS + j, t->wide);
        float zero = tile_number(numbers, (2 * g + 1) * TILE_ROWS + j, t->wide);
        zero = zero + (float)t->lowest * scale;
        total = total + (scale * (float)dot + zero * q->sums[g]);
    }
    return q->unit * total;
}

static void scan_tiles(float *out, int ld, float *max, const struct int8_query *q, int n_q,
                       const struct int8_tiles *tiles, int n_tiles)
{
    size_t size =
        (size_t)(TILE_ROWS * (tiles->d + tiles->d / tiles->group * (tiles->wide ? 8 : 4)));
    for (int i = 0; i < n_q; i++)
        for (int t = 0; t < n_tiles; t++) {
            float *most = max + (long)i * (ld / TILE_ROWS) + t;
            for (int j = 0; j < TILE_ROWS; j++) {
                float x = tile_score(tiles, tiles->data + (size_t)t * size, q + i, j);
                out[(long)i * ld + t * TILE_ROWS + j] = x;
                *most = j == 0 || x > *most ? x : *most;
            }
        }
}

static void widen_tile(float *out, const struct int8_tiles *t, int i)
{
    const uint8_t *numbers = t->data + TILE_ROWS * t->d;
    for (int l = 0; l < t->d; l++) {
        int at = 2 * (l / t->group) * TILE_ROWS + i;
        float scale = tile_number(numbers, at, t->wide);
        float zero = tile_number(numbers, at + TILE_ROWS, t->wide);
        out[l] = (float)(t->data[l / 4 * 4 * TILE_ROWS + 4 * i + l % 4] + t->lowest) * scale + zero;
    }
}

static int bits_at(const uint8_t *codes, size_t from, int n)
{
    int code = 0;
    for (int i = 0; i < n; i++) {
        size_t bit = from + (size_t)i;
        code |= (codes[bit / 8] >> bit % 8 & 1) << i;
    }
    return code;
}

static size_t unpack(float *out, const struct code_row *row, const struct code_pairs *pairs,
                     const float *base, int n)
{
    size_t bit = row->bit;
    for (int i = 0; i < n; i++) {
        float x = 0;
        if (!row->mask || row->mask[i / 8] >> i % 8 & 1) {
            int g = i / pairs->group;
            x = (float)(bits_at(row->codes, bit, row->bits) + row->lowest) * pairs->scale[g] +
                pairs->zero[g];
            bit += (size_t)row->bits;
        }
        out[i] = base ? base[i] + x : x;
    }
    return bit - row->bit;
}

static inline size_t unpack_rows(float *out, const struct code_rows *rows,
                                 const struct code_pairs *pairs, const float *base, int n)
{
    return unpack_each(unpack, out, rows, pairs, base, n);
}

static inline size_t scores_codes(float *out, const float *q, const struct code_rows *rows,
                                  const struct code_pairs *pairs, const float *base, int n,
                                  float divisor)
{
    return scores_each(unpack_rows, scores, out, q, rows, pairs, base, n, divisor);
}

static inline size_t mix_codes(float *out, const float *w, const struct code_rows *rows,
                               const struct code_pairs *pairs, int n)
{
    return mix_each(unpack_rows, mix, out, w, rows, pairs, n);
}

static size_t pack(uint8_t *to, size_t bit, const uint8_t *codes, const uint8_t *mask, int bits,
                   int n)
{
    size_t at = bit;
    for (int i = 0; i < n; i++)
        for (int b = 0; (!mask || mask[i / 8] >> i % 8 & 1) && b < bits; b++, at++)
            to[at / 8] |= (uint8_t)((codes[i] >> b & 1) << at % 8);
    return at - bit;
}

static struct group_pair encode_group(uint8_t *codes, const float *x, int n,
                                      const struct group_form *form)
{
    struct group_pair p = group_pair(x, n, form->grid, form->symmetric, form->clip);
    if (form->half)
        p = (struct group_pair){group_half(p.scale), group_half(p.zero)};
    group_encode(codes, x, n, p, form->grid);
    return p;
}
