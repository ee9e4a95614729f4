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

/* Vectors of a group; 0: groups are no whole vectors. A group that is a row has no end. */
static int group_vectors(const struct quant_rows *q)
{
    if (q->group == q->cols)
        return 1 << 20;
    return q->group % LANES ? 0 : q->group / LANES;
}

/* Pairs that may come up in a span, widened, of rows one stride apart. Group `first` is the
 * current one; reads up to QUANT_SLACK bytes on. */
INLINE void span_pairs(float out[TILE_N][2 * QUANT_SPAN], const struct quant_rows *q,
                       const uint8_t *row, const int nw, int first)
{
    size_t size = (q->symmetric ? 1 : 2) * (q->wide ? sizeof(float) : sizeof(uint16_t));
    const uint8_t *pairs = row + q->codes + (size_t)first * size;
    UNROLL for (int j = 0; j < nw; j++)
    {
        const void *at = pairs + (size_t)j * q->stride;
        v_store(out[j], q->wide ? v_load(at) : v_load_f16(at));
        __builtin_prefetch((const uint8_t *)at + (size_t)nw * q->stride);
    }
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

/* Rows are short and processors' own prefetch starts anew with each: asks for the same span of the
 * next tile's rows. */
INLINE void expect_tile(const uint8_t *span, size_t stride, const int nw, const int bits)
{
    UNROLL for (int j = 0; j < nw; j++) for (int line = 0; line < bits * QUANT_LANES; line += 64)
        __builtin_prefetch(span + (size_t)(nw + j) * stride + line);
}

/*
 * Whole spans, all in registers: rows 0..m-1 of x by rows 0..nw-1 of w; with m = 0 the weights
 * themselves, of one row, to out. Returns where it ends.
 * step: vectors of which all groups are multiples; decoders are made once for so many.
 */
INLINE int quant_spans(vec acc[TILE_M][TILE_N], float *out, const float *x, int ld_x, const int m,
                       const struct quant_rows *q, const uint8_t *row, const int nw, const int bits,
                       const int step)
{
    static const float none[2 * QUANT_SPAN] = {0};
    const int vectors = group_vectors(q), n = q->symmetric ? 1 : 2;
    const int zero_stride = q->symmetric ? 0 : 2 * QUANT_SPAN;
    int left = vectors, group = 0, l = 0;
    float pairs[TILE_N][2 * QUANT_SPAN];
    vint lowest = i_set1(q->lowest);
    const uint8_t *span = row;
    for (; vectors && l + QUANT_SPAN * LANES <= q->cols; l += QUANT_SPAN * LANES) {
        const float *scale = pairs[0], *zero = q->symmetric ? none : pairs[0] + 1;
        struct decoder d[TILE_N];
        if (m)
            expect_tile(span, q->stride, nw, bits);
        span_pairs(pairs, q, row, nw, group);
        UNROLL for (int v = 0; v < QUANT_SPAN; v++)
        {
            vec wv[TILE_N];
            if (v % step == 0) {
                UNROLL for (int j = 0; j < nw; j++) d[j] =
                    decoder_of(bits, scale[j * 2 * QUANT_SPAN], zero[j * zero_stride], lowest);
                left -= step;
                if (left == 0) {
                    scale += n;
                    zero += q->symmetric ? 0 : n;
                    left = vectors;
                    group++;
                }
            }
            UNROLL for (int j = 0; j < nw; j++) wv[j] =
                decoded(bits, d[j], codes_of(bits, span + (size_t)j * q->stride, v), lowest);
            if (m == 0)
                v_store(out + l + v * LANES, wv[0]);
            UNROLL for (int i = 0; i < m; i++)
            {
                vec xv = v_load(x + (long)i * ld_x + l + v * LANES);
                UNROLL for (int j = 0; j < nw; j++) acc[i][j] = v_fma(xv, wv[j], acc[i][j]);
            }
        }
        span += bits * QUANT_LANES;
    }
    return l;
}

INLINE void quant_tile(float *out, int ld_out, const float *x, int ld_x, const int m,
                       const struct quant_rows *q, const uint8_t *row, const int nw, const int bits,
                       const int step)
{
    vec acc[TILE_M][TILE_N];
    UNROLL for (int i = 0; i < m; i++) UNROLL for (int j = 0; j < nw; j++) acc[i][j] = v_zero();
    int l = bits ? quant_spans(acc, NULL, x, ld_x, m, q, row, nw, bits, step) : 0;
    for (; l < q->cols; l += LANES) {
        int r = q->cols - l < LANES ? q->cols - l : LANES;
        UNROLL for (int j = 0; j < nw; j++)
        {
            vec wv = weights_quant(q, row + (size_t)j * q->stride, l);
            UNROLL for (int i = 0; i < m; i++) acc[i][j] =
                v_fma(v_load_part(x + (long)i * ld_x + l, r), wv, acc[i][j]);
        }
    }
    put_sums(out, ld_out, acc, m, nw);
}

/* What one function does: so many rows of x by four rows of w, or the spans of one row to out. */
struct quant_call {
    float *out;
    int ld_out;
    const float *x;
    int ld_x;
    const struct quant_rows *q;
    const uint8_t *row;
};

/* Bits and step are constants in each function made from this. m 0: spans to out. */
INLINE int quant_do(const struct quant_call *c, int m, const int bits, const int step)
{
    switch (m) {
    case 0:
        return quant_spans(NULL, c->out, NULL, 0, 0, c->q, c->row, 1, bits, step);
    case 1:
        quant_tile(c->out, c->ld_out, c->x, c->ld_x, 1, c->q, c->row, TILE_N, bits, step);
        return 0;
    case 2:
        quant_tile(c->out, c->ld_out, c->x, c->ld_x, 2, c->q, c->row, TILE_N, bits, step);
        return 0;
    }
    quant_tile(c->out, c->ld_out, c->x, c->ld_x, TILE_M, c->q, c->row, TILE_N, bits, step);
    return 0;
}

/* Groups of an odd number of vectors are rare and slower: one row of x at a time. */
INLINE int quant_do_one(const struct quant_call *c, int m, const int bits)
{
    if (m == 0)
        return quant_spans(NULL, c->out, NULL, 0, 0, c->q, c->row, 1, bits, 1);
    for (int i = 0; i < m; i++)
        quant_tile(c->out + (long)i * c->ld_out, c->ld_out, c->x + (long)i * c->ld_x, c->ld_x, 1,
                   c->q, c->row, TILE_N, bits, 1);
    return 0;
}

/* Without a table there is nothing to make for a group, so nothing to gain from long steps. */
#define QUANT_BITS(bits)                                                                           \
    static int quant_##bits##_1(const struct quant_call *c, int m)                                 \
    {                                                                                              \
        return quant_do_one(c, m, bits);                                                           \
    }                                                                                              \
    static int quant_##bits##_2(const struct quant_call *c, int m)                                 \
    {                                                                                              \
        return quant_do(c, m, bits, 2);                                                            \
    }                                                                                              \
    static int quant_##bits##_8(const struct quant_call *c, int m)                                 \
    {                                                                                              \
        return (bits) <= QUANT_TABLE_BITS ? quant_do(c, m, bits, 8) : quant_##bits##_2(c, m);      \
    }
QUANT_BITS(2)
QUANT_BITS(3)
QUANT_BITS(4)
QUANT_BITS(5)
QUANT_BITS(6)
QUANT_BITS(7)
QUANT_BITS(8)

typedef int quant_function(const struct quant_call *c, int m);

/* By bits, and the step that the groups are multiples of. */
#define QUANT_ROW(bits)                                                                            \
    {                                                                                              \
        quant_##bits##_1, quant_##bits##_2, quant_##bits##_8                                       \
    }
static quant_function *const quant_functions[][3] = {QUANT_ROW(2), QUANT_ROW(3), QUANT_ROW(4),
                                                     QUANT_ROW(5), QUANT_ROW(6), QUANT_ROW(7),
                                                     QUANT_ROW(8)};

static quant_function *quant_function_of(const struct quant_rows *q)
{
    int vectors = group_vectors(q);
    return quant_functions[q->bits - 2][vectors % 8 == 0 ? 2 : vectors % 2 == 0 ? 1 : 0];
}

/* Rows of x that one call takes: 4, 2 or 1. */
static int quant_rows_of(int left)
{
    return left >= TILE_M ? TILE_M : left >= 2 ? 2 : 1;
}

/* A row of w that is left over. */
static void quant_one(float *out, int ld_out, const float *x, int ld_x, int m,
                      const struct quant_rows *q, const uint8_t *row)
{
    for (int i = 0; i < m; i++)
        quant_tile(out + (long)i * ld_out, ld_out, x + (long)i * ld_x, ld_x, 1, q, row, 1, 0, 1);
}

/* Each weight is decoded once for up to four rows of x (three are two and one). */
static void matmul_quant(float *out, int ld_out, const float *x, int ld_x, int m,
                         const struct quant_rows *w, int n)
{
    quant_function *four = quant_function_of(w);
    int j = 0;
    for (; j + TILE_N <= n; j += TILE_N)
        for (int i = 0, some; i < m; i += some) {
            some = quant_rows_of(m - i);
            const struct quant_call c = {
                out + (long)i * ld_out + j, ld_out, x + (long)i * ld_x, ld_x, w, quant_row(w, j)};
            four(&c, some);
        }
    for (; j < n; j++)
        quant_one(out + j, ld_out, x, ld_x, m, w, quant_row(w, j));
}

static void widen_quant(float *out, const struct quant_rows *w, int n)
{
    quant_function *spans = quant_function_of(w);
    for (int j = 0; j < n; j++, out += w->cols) {
        const struct quant_call c = {.out = out, .q = w, .row = quant_row(w, j)};
        for (int l = spans(&c, 0); l < w->cols; l += LANES) {
            int r = w->cols - l < LANES ? w->cols - l : LANES;
            v_store_part(out + l, weights_quant(w, c.row, l), r);
        }
    }
}
