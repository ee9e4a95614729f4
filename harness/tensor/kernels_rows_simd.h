/*
 * Scores and mixtures of the rows of a cache, over the operations of kernels_simd.h and:
 *   v_sum4 and v_sums (the sums of 16 vectors at once, each by the tree of v_sum),
 *   v_keep (lanes of a mask, the others +0),
 *   v_codes (16 bytes as floats), halves_8 (8 f16 numbers as f32).
 * One body for rows of f32, f16 and INT8: a row is decoded in registers to exactly the floats it
 * stands for, and from there on all forms share every operation and its order.
 */
#include <assert.h>

#include "harness/tensor/kernels.h"

#define INLINE static inline __attribute__((always_inline))

enum {
    BLOCK = 16,
    PAIR = 2 * sizeof(float),
    ROW_MAX = 1024,                         // of INT8 rows
    PAIRS_MAX = BLOCK * 2 * ROW_MAX / LANES // floats of a block's pairs
};

/* INT8 rows with pairs of f32 or of f16. The 11 bits of the latter times the 9 of a code are exact
 * in f32, so that one fused operation has the bits of two rounded ones. ROWS_INT8: f16 pairs and
 * codes from 0, which leaves an operation out. */
enum form { ROWS_F32, ROWS_F16, ROWS_INT8, ROWS_INT8_LOW, ROWS_INT8_WIDE };

struct rows {
    const uint8_t *data, *pairs; // pairs (INT8): (scale, zero) of f32, row i at i * pairs_stride
    size_t stride, record, pairs_stride; // record: bytes of a row
    int d, n_pairs, group;               // n_pairs 1 or group % LANES == 0
    vec low;
};

struct pair {
    vec scale, zero;
};

INLINE float f32_at(const uint8_t *p)
{
    float f;
    memcpy(&f, p, sizeof f);
    return f;
}

INLINE struct pair row_pair(const enum form form, const struct rows *s, long i, int p)
{
    if (form == ROWS_F32 || form == ROWS_F16)
        return (struct pair){v_zero(), v_zero()};
    const uint8_t *pair = s->pairs + i * (long)s->pairs_stride + p * PAIR;
    return (struct pair){v_set1(f32_at(pair)), v_set1(f32_at(pair + sizeof(float)))};
}

/* Channels l to l + 15 of row i. */
INLINE vec row_load(const enum form form, const struct rows *s, long i, int l, struct pair pair)
{
    const uint8_t *row = s->data + i * (long)s->stride;
    if (form == ROWS_F32)
        return weights_f32(row, l);
    if (form == ROWS_F16)
        return weights_f16(row, l);
    vec x = v_codes(row + l);
    if (form != ROWS_INT8)
        x = v_add(x, s->low);
    return form == ROWS_INT8_WIDE ? v_add(v_mul(x, pair.scale), pair.zero)
                                  : v_fma(x, pair.scale, pair.zero);
}

/* The first r of them, then 0. */
INLINE vec row_load_part(const enum form form, const struct rows *s, long i, int l, int r,
                         struct pair pair)
{
    const uint8_t *row = s->data + i * (long)s->stride;
    if (form == ROWS_F32)
        return v_load_part((const float *)(const void *)row + l, r);
    if (form == ROWS_F16)
        return weights_f16_part(row, l, r);
    return v_keep(row_load(form, s, i, l, pair), (1u << r) - 1);
}

/*
 * A step reads every row of a cache once and passes far more of them than the caches hold: asked
 * for some time ahead and not to be kept, they leave the room to the weights, which every step
 * reads again. Ahead by whole blocks, of 4 KiB or more.
 */
INLINE int rows_ahead(const struct rows *s)
{
    return (int)((4095 / s->record + BLOCK) / BLOCK * BLOCK);
}

INLINE void expect_rows(const struct rows *s, long from, int n)
{
    for (long i = from; i < from + n; i++)
        for (size_t b = 0; b < s->record; b += 64)
            __builtin_prefetch(s->data + i * (long)s->stride + b, 0, 0);
}

/* Rows from..from + n - 1 as rows of their own, with pairs as f32: at buffer if they are not. */
INLINE struct rows rows_block(const enum form form, const struct rows *s, long from, int n,
                              float *buffer)
{
    struct rows b = *s;
    b.data += from * (long)s->stride;
    b.pairs = b.data + s->d;
    b.pairs_stride = s->stride;
    if (form != ROWS_INT8 && form != ROWS_INT8_LOW)
        return b;
    int width = (2 * s->n_pairs + 7) / 8 * 8;
    for (int i = 0; i < n; i++)
        for (int p = 0; p < 2 * s->n_pairs; p += 8)
            halves_8(buffer + i * width + p, b.pairs + (size_t)i * s->stride + 2 * (size_t)p);
    b.pairs = (const uint8_t *)buffer;
    b.pairs_stride = (size_t)width * sizeof *buffer;
    return b;
}

/* The sums of rows first + k * step, k < n <= 4, with q, before their lanes are added. */
INLINE void dot_rows(const enum form form, vec *acc, const float *q, const struct rows *s,
                     const int first, const int step, const int n)
{
    UNROLL for (int k = 0; k < n; k++) acc[k] = v_zero();
    UNROLL for (int p = 0; p < s->n_pairs; p++)
    {
        struct pair pair[4];
        int l = p * s->group, end = l + s->group;
        UNROLL for (int k = 0; k < n; k++) pair[k] = row_pair(form, s, first + k * step, p);
        UNROLL for (; l + LANES <= end; l += LANES)
        {
            vec x = v_load(q + l);
            UNROLL for (int k = 0; k < n; k++) acc[k] =
                v_fma(x, row_load(form, s, first + k * step, l, pair[k]), acc[k]);
        }
        if (l < end) {
            int r = end - l;
            vec x = v_load_part(q + l, r);
            UNROLL for (int k = 0; k < n; k++) acc[k] =
                v_fma(x, row_load_part(form, s, first + k * step, l, r, pair[k]), acc[k]);
        }
    }
}

/* Rows g, g + 4, g + 8 and g + 12: the order in which v_sums has its results ascending. */
INLINE vec dot_4_rows(const enum form form, const float *q, const struct rows *s, int g)
{
    vec acc[4];
    dot_rows(form, acc, q, s, g, 4, 4);
    return v_sum4(acc[0], acc[1], acc[2], acc[3]);
}

INLINE float dot_row(const enum form form, const float *q, const struct rows *s, int i)
{
    vec acc[1];
    dot_rows(form, acc, q, s, i, 1, 1);
    return v_sum(acc[0]);
}

INLINE void score_rows(const enum form form, float *out, const float *q, const struct rows *s,
                       int n, float divisor)
{
    float pairs[PAIRS_MAX];
    int ahead = rows_ahead(s), i = 0;
    for (; i + BLOCK <= n; i += BLOCK) {
        if (i + ahead + BLOCK <= n)
            expect_rows(s, i + ahead, BLOCK);
        struct rows b = rows_block(form, s, i, BLOCK, pairs);
        vec sums[4];
        UNROLL for (int g = 0; g < 4; g++) sums[g] = dot_4_rows(form, q, &b, g);
        v_store(out + i, v_div(v_sums(sums), v_set1(divisor)));
    }
    struct rows b = rows_block(form, s, i, n - i, pairs);
    for (int j = 0; i + j < n; j++)
        out[i + j] = dot_row(form, q, &b, j) / divisor;
}

/* 64 columns, which stay in registers while the rows pass by. Of their 4 vectors `share` have a
 * pair in common. */
INLINE void mix_columns(const enum form form, const int share, float *out, const float *w,
                        const struct rows *b, int n, int l)
{
    vec acc[4];
    UNROLL for (int c = 0; c < 4; c++) acc[c] = v_load(out + l + c * LANES);
    int p[4];
    UNROLL for (int c = 0; c < 4; c += share) p[c] = (l + c * LANES) / b->group;
    for (int i = 0; i < n; i++) {
        vec wi = v_set1(w[i]);
        struct pair pair;
        UNROLL for (int c = 0; c < 4; c++)
        {
            if (c % share == 0)
                pair = row_pair(form, b, i, p[c]);
            acc[c] = v_fma(wi, row_load(form, b, i, l + c * LANES, pair), acc[c]);
        }
    }
    UNROLL for (int c = 0; c < 4; c++) v_store(out + l + c * LANES, acc[c]);
}

INLINE void mix_block(const enum form form, float *out, const float *w, const struct rows *b, int n)
{
    int l = 0;
    bool by_4 = form == ROWS_F32 || form == ROWS_F16 || b->group % (4 * LANES) == 0;
    for (; l + 4 * LANES <= b->d; l += 4 * LANES) {
        if (by_4 || b->n_pairs == 1)
            mix_columns(form, 4, out, w, b, n, l);
        else if (b->group % (2 * LANES) == 0)
            mix_columns(form, 2, out, w, b, n, l);
        else
            mix_columns(form, 1, out, w, b, n, l);
    }
    for (; l + LANES <= b->d; l += LANES) {
        vec acc = v_load(out + l);
        for (int i = 0, p = l / b->group; i < n; i++)
            acc = v_fma(v_set1(w[i]), row_load(form, b, i, l, row_pair(form, b, i, p)), acc);
        v_store(out + l, acc);
    }
    if (l < b->d) {
        int r = b->d - l;
        vec acc = v_load_part(out + l, r);
        for (int i = 0; i < n; i++)
            acc =
                v_fma(v_set1(w[i]), row_load_part(form, b, i, l, r, row_pair(form, b, i, 0)), acc);
        v_store_part(out + l, acc, r);
    }
}

INLINE void mix_rows(const enum form form, float *out, const float *w, const struct rows *s, int n)
{
    float pairs[PAIRS_MAX];
    int ahead = rows_ahead(s);
    for (int i = 0; i < n; i += BLOCK) {
        int m = n - i < BLOCK ? n - i : BLOCK;
        if (i + ahead + BLOCK <= n)
            expect_rows(s, i + ahead, BLOCK);
        struct rows b = rows_block(form, s, i, m, pairs);
        mix_block(form, out, w + i, &b, m);
    }
}

INLINE struct rows dense_rows(const void *rows, int d, size_t size)
{
    size_t record = (size_t)d * size;
    return (struct rows){
        .data = rows, .stride = record, .record = record, .d = d, .n_pairs = 1, .group = d};
}

static void scores(float *out, const float *q, const float *rows, int n, int d, float divisor)
{
    struct rows s = dense_rows(rows, d, sizeof *rows);
    score_rows(ROWS_F32, out, q, &s, n, divisor);
}

static void scores_f16(float *out, const float *q, const uint16_t *rows, int n, int d,
                       float divisor)
{
    struct rows s = dense_rows(rows, d, sizeof *rows);
    score_rows(ROWS_F16, out, q, &s, n, divisor);
}

static void mix(float *out, const float *w, const float *rows, int n, int d)
{
    struct rows s = dense_rows(rows, d, sizeof *rows);
    mix_rows(ROWS_F32, out, w, &s, n);
}

static void mix_f16(float *out, const float *w, const uint16_t *rows, int n, int d)
{
    struct rows s = dense_rows(rows, d, sizeof *rows);
    mix_rows(ROWS_F16, out, w, &s, n);
}
