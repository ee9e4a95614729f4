/* The plain twins of packed rows, for kernels_plain.c. */
#include <string.h>

#include "harness/tensor/kernels.h"
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
