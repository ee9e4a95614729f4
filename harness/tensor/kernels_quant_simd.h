/*
 * Part of kernels_simd.h: products with packed weights, the same bits as matmul_f32 over the
 * decoded ones. More operations, over vectors of 16 whole numbers, that the including file defines:
 *   vint, i_load8 (16 bytes), i_set1, i_add, i_shr and i_shl (by a constant), i_pick (the bits of
 *   a where the mask has 1, else those of b), i_and, v_of_int, v_lane_codes (0, 1, .. 15),
 *   and v_lookup (entry index % 16 of 16 floats) where QUANT_TABLE_BITS > 0.
 *
 * Codes of few bits index a table of all the values that a group can have: decoding a vector is a
 * shift and a permutation then. Wider ones are converted, multiplied and added.
 */
#include "harness/tensor/quant_rows.h"

#define INLINE static inline __attribute__((always_inline))

/* What decodes the codes of a group: a table of its values, or scale and offset. */
struct decoder {
    vec a, b;
};

INLINE bool by_table(const int bits)
{
    return bits <= QUANT_TABLE_BITS;
}

INLINE struct decoder decoder_of(const int bits, float scale, float zero, vint lowest)
{
    struct decoder d = {v_set1(scale), v_set1(zero)};
    if (by_table(bits)) {
        vint codes = i_and(v_lane_codes(), i_set1((1 << bits) - 1));
        d.a = v_add(v_mul(v_of_int(i_add(codes, lowest)), d.a), d.b);
    }
    return d;
}

INLINE vint shifted(vint x, const int right)
{
    return right > 0 ? i_shr(x, right) : right < 0 ? i_shl(x, -right) : x;
}

/* Codes of vector v of a span. For a table what lies above the code's bits is left there. */
INLINE vint codes_of(const int bits, const uint8_t *span, const int v)
{
    vint code = i_set1(0);
    int have = 0;
    UNROLL for (int part = 8; part; part /= 2)
    {
        if (!(bits & part))
            continue;
        vint unit = i_load8(span + v * part / 8 * QUANT_LANES);
        vint bit = shifted(unit, part * (v % (8 / part)) - have);
        code = have ? i_pick(i_set1((1 << have) - 1), code, bit) : bit;
        have += part;
        span += part * QUANT_LANES;
    }
    return bits == 8 || by_table(bits) ? code : i_and(code, i_set1((1 << bits) - 1));
}

INLINE vec decoded(const int bits, struct decoder d, vint code, vint lowest)
{
    if (by_table(bits))
        return v_lookup(d.a, code);
    return v_add(v_mul(v_of_int(i_add(code, lowest)), d.a), d.b);
}

/* A row on its way through the spans. */
struct quant_walk {
    const uint8_t *span, *pairs;
    float buffer[2 * QUANT_SPAN]; // pairs of f16 of this span, widened
    const float *next;            // pair
    struct decoder decoder;
};

INLINE void walk_start(struct quant_walk *w, const struct quant_rows *q, const uint8_t *row)
{
    w->span = row;
    w->pairs = row + q->codes;
}

/* A span begins: the pairs that may come up in it. */
INLINE void walk_span(struct quant_walk *w, const struct quant_rows *q)
{
    w->next = (const float *)(const void *)w->pairs;
    if (q->wide)
        return;
    v_store(w->buffer, v_load_f16((const uint16_t *)(const void *)w->pairs));
    w->next = w->buffer;
}

INLINE void walk_group(const int bits, struct quant_walk *w, const struct quant_rows *q,
                       vint lowest)
{
    int n = q->symmetric ? 1 : 2;
    w->decoder = decoder_of(bits, w->next[0], q->symmetric ? 0 : w->next[1], lowest);
    w->next += n;
    w->pairs += (size_t)n * (q->wide ? sizeof(float) : sizeof(uint16_t));
}

/* Vectors of a group; 0: groups are no whole vectors. */
static int group_vectors(const struct quant_rows *q)
{
    if (q->group == q->cols)
        return (q->cols + LANES - 1) / LANES;
    return q->group % LANES ? 0 : q->group / LANES;
}

/* Weights of a row from index i on, at most 16, one by one: ends of rows, and odd groups. */
static __attribute__((noinline)) vec weights_quant(const struct quant_rows *q, const uint8_t *row,
                                                   int i)
{
    float part[LANES] = {0};
    int r = q->cols - i < LANES ? q->cols - i : LANES;
    for (int l = 0; l < r; l++)
        part[l] = quant_weight(q, row, i + l);
    return v_load(part);
}

/* Whole spans, all in registers: rows 0..m-1 of x by rows 0..nw-1 of w. Returns where it ends. */
INLINE int quant_spans(vec acc[TILE_M][TILE_N], const float *x, int ld_x, const int m,
                       const struct quant_rows *q, const uint8_t *row, const int nw, const int bits)
{
    int group = group_vectors(q), left = 0, l = 0;
    vint lowest = i_set1(q->lowest);
    struct quant_walk walk[TILE_N];
    UNROLL for (int j = 0; j < nw; j++) walk_start(&walk[j], q, row + (size_t)j * q->stride);
    for (; group && l + QUANT_SPAN * LANES <= q->cols; l += QUANT_SPAN * LANES) {
        UNROLL for (int j = 0; j < nw; j++) walk_span(&walk[j], q);
        UNROLL for (int v = 0; v < QUANT_SPAN; v++)
        {
            vec wv[TILE_N];
            if (left == 0) {
                UNROLL for (int j = 0; j < nw; j++) walk_group(bits, &walk[j], q, lowest);
                left = group;
            }
            left--;
            UNROLL for (int j = 0; j < nw; j++) wv[j] =
                decoded(bits, walk[j].decoder, codes_of(bits, walk[j].span, v), lowest);
            UNROLL for (int i = 0; i < m; i++)
            {
                vec xv = v_load(x + (long)i * ld_x + l + v * LANES);
                UNROLL for (int j = 0; j < nw; j++) acc[i][j] = v_fma(xv, wv[j], acc[i][j]);
            }
        }
        UNROLL for (int j = 0; j < nw; j++) walk[j].span += bits * QUANT_LANES;
    }
    return l;
}

INLINE void quant_tile(float *out, int ld_out, const float *x, int ld_x, const int m,
                       const struct quant_rows *q, const uint8_t *row, const int nw, const int bits)
{
    vec acc[TILE_M][TILE_N];
    UNROLL for (int i = 0; i < m; i++) UNROLL for (int j = 0; j < nw; j++) acc[i][j] = v_zero();
    int l = bits ? quant_spans(acc, x, ld_x, m, q, row, nw, bits) : 0;
    for (; l < q->cols; l += LANES) {
        int r = q->cols - l < LANES ? q->cols - l : LANES;
        UNROLL for (int j = 0; j < nw; j++)
        {
            vec wv = weights_quant(q, row + (size_t)j * q->stride, l);
            UNROLL for (int i = 0; i < m; i++) acc[i][j] =
                v_fma(v_load_part(x + (long)i * ld_x + l, r), wv, acc[i][j]);
        }
    }
    UNROLL for (int i = 0; i < m; i++) UNROLL for (int j = 0; j < nw; j++)
        out[(long)i * ld_out + j] = v_sum(acc[i][j]);
}

/* All rows of x by nw rows of w: each weight is decoded once for up to four rows of x. */
INLINE void quant_tiles(float *out, int ld_out, const float *x, int ld_x, int m,
                        const struct quant_rows *q, const uint8_t *row, const int nw,
                        const int bits)
{
    for (; m >= TILE_M; m -= TILE_M, out += (long)TILE_M * ld_out, x += (long)TILE_M * ld_x)
        quant_tile(out, ld_out, x, ld_x, TILE_M, q, row, nw, bits);
    if (m == 3)
        quant_tile(out, ld_out, x, ld_x, 3, q, row, nw, bits);
    else if (m == 2)
        quant_tile(out, ld_out, x, ld_x, 2, q, row, nw, bits);
    else if (m == 1)
        quant_tile(out, ld_out, x, ld_x, 1, q, row, nw, bits);
}

/* The whole spans of a row as floats. Returns where it ends. */
INLINE int quant_widen_row(float *out, const struct quant_rows *q, const uint8_t *row,
                           const int bits)
{
    int group = group_vectors(q), left = 0, l = 0;
    vint lowest = i_set1(q->lowest);
    struct quant_walk walk;
    walk_start(&walk, q, row);
    for (; group && l + QUANT_SPAN * LANES <= q->cols; l += QUANT_SPAN * LANES) {
        walk_span(&walk, q);
        UNROLL for (int v = 0; v < QUANT_SPAN; v++)
        {
            if (left == 0) {
                walk_group(bits, &walk, q, lowest);
                left = group;
            }
            left--;
            v_store(out + l + v * LANES,
                    decoded(bits, walk.decoder, codes_of(bits, walk.span, v), lowest));
        }
        walk.span += bits * QUANT_LANES;
    }
    return l;
}

/* A function for each number of bits, which is a constant in it. */
#define QUANT_BITS(bits)                                                                           \
    static void quant_four_##bits(float *out, int ld_out, const float *x, int ld_x, int m,         \
                                  const struct quant_rows *q, const uint8_t *row)                  \
    {                                                                                              \
        quant_tiles(out, ld_out, x, ld_x, m, q, row, TILE_N, bits);                                \
    }                                                                                              \
    static int quant_widen_##bits(float *out, const struct quant_rows *q, const uint8_t *row)      \
    {                                                                                              \
        return quant_widen_row(out, q, row, bits);                                                 \
    }

QUANT_BITS(2)
QUANT_BITS(3)
QUANT_BITS(4)
QUANT_BITS(5)
QUANT_BITS(6)
QUANT_BITS(7)
QUANT_BITS(8)

static void quant_one(float *out, int ld_out, const float *x, int ld_x, int m,
                      const struct quant_rows *q, const uint8_t *row)
{
    quant_tiles(out, ld_out, x, ld_x, m, q, row, 1, 0);
}

static void matmul_quant(float *out, int ld_out, const float *x, int ld_x, int m,
                         const struct quant_rows *w, int n)
{
    static void (*const four[])(float *, int, const float *, int, int, const struct quant_rows *,
                                const uint8_t *) = {
        [2] = quant_four_2, [3] = quant_four_3, [4] = quant_four_4, [5] = quant_four_5,
        [6] = quant_four_6, [7] = quant_four_7, [8] = quant_four_8};
    int j = 0;
    for (; j + TILE_N <= n; j += TILE_N)
        four[w->bits](out + j, ld_out, x, ld_x, m, w, quant_row(w, j));
    for (; j < n; j++)
        quant_one(out + j, ld_out, x, ld_x, m, w, quant_row(w, j));
}

static void widen_quant(float *out, const struct quant_rows *w, int n)
{
    static int (*const widen[])(float *, const struct quant_rows *, const uint8_t *) = {
        [2] = quant_widen_2, [3] = quant_widen_3, [4] = quant_widen_4, [5] = quant_widen_5,
        [6] = quant_widen_6, [7] = quant_widen_7, [8] = quant_widen_8};
    for (int j = 0; j < n; j++, out += w->cols) {
        const uint8_t *row = quant_row(w, j);
        for (int l = widen[w->bits](out, w, row); l < w->cols; l += LANES) {
            int r = w->cols - l < LANES ? w->cols - l : LANES;
            v_store_part(out + l, weights_quant(w, row, l), r);
        }
    }
}
