/*
 * INT8 rows and code rows, over the operations of kernels_simd.h, kernels_rows_simd.h and:
 *   v_bytes, v_words (16 codes of 8 or of 16 bits in general registers, as floats).
 */
#include "harness/tensor/packed.h"

enum { DECODED = 4 * ROW_MAX }; // floats on the stack: 4 rows or more

/* The general path: groups that vectors straddle. */
static void widen_row(float *out, const struct int8_rows *rows, const uint8_t *row)
{
    const uint8_t *pair = row + rows->d;
    for (int l = 0; l < rows->d; pair += rows->wide ? PAIR : PAIR / 2) {
        float scale, zero;
        if (rows->wide) {
            scale = f32_at(pair), zero = f32_at(pair + sizeof scale);
        } else {
            uint16_t half[2];
            memcpy(half, pair, sizeof half);
            scale = f16_to_f32(half[0]), zero = f16_to_f32(half[1]);
        }
        for (int end = l + rows->group; l < end; l++)
            out[l] = (float)(row[l] + rows->lowest) * scale + zero;
    }
}

/* Has each vector of a row one pair? */
static bool aligned(const struct int8_rows *rows)
{
    return rows->group == rows->d || rows->group % LANES == 0;
}

static struct rows int8_view(const struct int8_rows *rows)
{
    int n_pairs = rows->d / rows->group;
    uint64_t vectors = (uint64_t)(rows->group / LANES); // of a group
    assert(rows->d <= ROW_MAX);
    return (struct rows){
        .data = rows->data,
        .stride = rows->stride,
        .record = (size_t)rows->d + (size_t)n_pairs * (rows->wide ? PAIR : PAIR / 2),
        .d = rows->d,
        .n_pairs = n_pairs,
        .pairs_per = n_pairs == 1 ? 0 : (((uint64_t)1 << 32) + vectors - 1) / vectors,
        .origin = v_origin(rows->lowest),
    };
}

INLINE void widen_rows(const enum form form, float *out, const struct rows *s, int n)
{
    float pairs[PAIRS_MAX];
    for (int i = 0; i < n; i += BLOCK) {
        int m = n - i < BLOCK ? n - i : BLOCK;
        struct rows b = rows_block(form, s, i, m, pairs);
        for (int j = 0; j < m; j++, out += s->d) {
            int l = 0;
            for (; l + LANES <= s->d; l += LANES)
                v_store(out + l, row_load(form, &b, j, l));
            if (l < s->d)
                v_store_part(out + l, row_load(form, &b, j, l), s->d - l);
        }
    }
}

static void widen_int8(float *out, const struct int8_rows *rows, int n)
{
    if (aligned(rows)) {
        struct rows s = int8_view(rows);
        if (rows->wide)
            widen_rows(ROWS_WIDE, out, &s, n);
        else
            widen_rows(ROWS_NARROW, out, &s, n);
        return;
    }
    for (int i = 0; i < n; i++)
        widen_row(out + (long)i * rows->d, rows, rows->data + (size_t)i * rows->stride);
}

static struct int8_rows rows_from(const struct int8_rows *rows, int i)
{
    struct int8_rows rest = *rows;
    rest.data += (size_t)i * rows->stride;
    return rest;
}

/* Of 4 queries with 4 rows, out[i * ld + j]. */
INLINE void score_tile(float *out, int ld, const float *q, const float *rows, int d, float divisor)
{
    vec acc[4][4], sums[4];
    UNROLL for (int j = 0; j < 4; j++) UNROLL for (int i = 0; i < 4; i++) acc[j][i] = v_zero();
    for (int l = 0; l < d; l += LANES) {
        vec x[4];
        bool whole = l + LANES <= d;
        UNROLL for (int j = 0; j < 4; j++) x[j] =
            whole ? v_load(rows + j * d + l) : v_load_part(rows + j * d + l, d - l);
        UNROLL for (int i = 0; i < 4; i++)
        {
            vec y = whole ? v_load(q + i * d + l) : v_load_part(q + i * d + l, d - l);
            UNROLL for (int j = 0; j < 4; j++) acc[j][i] = v_fma(y, x[j], acc[j][i]);
        }
    }
    UNROLL for (int j = 0; j < 4; j++) sums[j] = v_sum4(acc[j][0], acc[j][1], acc[j][2], acc[j][3]);
    float tile[4][4];
    v_store(tile[0], v_div(v_sums(sums), v_set1(divisor)));
    for (int i = 0; i < 4; i++)
        memcpy(out + (long)i * ld, tile[i], sizeof tile[i]);
}

static void score_decoded(float *out, int ld, const float *q, int n_q, const float *rows, int n,
                          int d, float divisor)
{
    int i = 0, whole = n / 4 * 4;
    for (; i + 4 <= n_q; i += 4) {
        for (int j = 0; j < whole; j += 4)
            score_tile(out + (long)i * ld + j, ld, q + (long)i * d, rows + (long)j * d, d, divisor);
        for (int k = i; k < i + 4 && whole < n; k++)
            scores(out + (long)k * ld + whole, q + (long)k * d, rows + (long)whole * d, n - whole,
                   d, divisor);
    }
    for (; i < n_q; i++)
        scores(out + (long)i * ld, q + (long)i * d, rows, n, d, divisor);
}

static int decoded_at_once(const struct int8_rows *rows)
{
    return rows->d <= DECODED / BLOCK ? BLOCK : DECODED / rows->d;
}

/* One query decodes in registers; for several, rows are decoded once, some at a time. */
static void scores_int8(float *out, int ld, const float *q, int n_q, const struct int8_rows *rows,
                        int n, float divisor)
{
    if (n_q == 1 && aligned(rows)) {
        struct rows s = int8_view(rows);
        if (rows->wide)
            score_rows(ROWS_WIDE, out, q, &s, n, divisor);
        else
            score_rows(ROWS_NARROW, out, q, &s, n, divisor);
        return;
    }
    float decoded[DECODED];
    assert(rows->d <= ROW_MAX);
    for (int j = 0, m = decoded_at_once(rows); j < n; j += m) {
        struct int8_rows rest = rows_from(rows, j);
        m = n - j < m ? n - j : m;
        widen_int8(decoded, &rest, m);
        score_decoded(out + j, ld, q, n_q, decoded, m, rows->d, divisor);
    }
}

static void mix_int8(float *out, const float *w, const struct int8_rows *rows, int n)
{
    if (aligned(rows)) {
        struct rows s = int8_view(rows);
        if (rows->wide)
            mix_rows(ROWS_WIDE, out, w, &s, n);
        else
            mix_rows(ROWS_NARROW, out, w, &s, n);
        return;
    }
    float decoded[DECODED];
    assert(rows->d <= ROW_MAX);
    for (int i = 0, m = decoded_at_once(rows); i < n; i += m) {
        struct int8_rows rest = rows_from(rows, i);
        m = n - i < m ? n - i : m;
        widen_int8(decoded, &rest, m);
        mix(out, w + i, decoded, m, rows->d);
    }
}

/* 64 bits from any bit on; `far`: all of them count, else only the first 57. */
INLINE uint64_t window(const uint8_t *codes, size_t bit, const bool far)
{
    uint64_t low;
    unsigned shift = bit % 8;
    memcpy(&low, codes + bit / 8, sizeof low);
    return far ? low >> shift | (uint64_t)codes[bit / 8 + 8] << 1 << (63 - shift) : low >> shift;
}

/* The codes of the channels in m, each in its channel's byte (or word): BMI2's deposit spreads
 * codes over channels and bits over bytes in one operation. */
INLINE uint64_t deposit(const struct code_row *row, size_t *bit, unsigned m, uint64_t ones,
                        const bool far)
{
    uint64_t places = _pdep_u64(m, ones) * ((1u << row->bits) - 1);
    uint64_t codes = _pdep_u64(window(row->codes, *bit, far), places);
    *bit += (size_t)__builtin_popcount(m) * (size_t)row->bits;
    return codes;
}

enum width { BITS_TO_7, BITS_8, BITS_TO_16 };

INLINE vec take_codes(const enum width width, const struct code_row *row, size_t *bit, unsigned m)
{
    if (width != BITS_TO_16) {
        uint64_t a = deposit(row, bit, m & 0xFF, 0x0101010101010101, width == BITS_8);
        uint64_t b = deposit(row, bit, m >> 8, 0x0101010101010101, width == BITS_8);
        return v_bytes(a, b);
    }
    uint64_t words[4];
    UNROLL for (int i = 0; i < 4; i++) words[i] =
        deposit(row, bit, m >> 4 * i & 15, 0x0001000100010001, true);
    return v_words(words);
}

/* Which of channels l to l + r - 1 are kept. */
INLINE unsigned kept_of(const struct code_row *row, int l, int r)
{
    unsigned all = (1u << r) - 1;
    if (!row->mask)
        return all;
    unsigned high = r > 8 ? (unsigned)row->mask[l / 8 + 1] << 8 : 0;
    return (row->mask[l / 8] | high) & all;
}

/* The pairs of one vector after the other. */
struct pair_run {
    const struct code_pairs *pairs;
    int index, left; // group of whole vectors: vectors left of it
};

enum spread { PAIR_EACH, PAIR_SHARED, PAIR_MIXED };

INLINE void take_pairs(const enum spread spread, vec pair[2], struct pair_run *run, int l, int r)
{
    const struct code_pairs *p = run->pairs;
    if (spread == PAIR_EACH) {
        pair[0] = r == LANES ? v_load(p->scale + l) : v_load_part(p->scale + l, r);
        pair[1] = r == LANES ? v_load(p->zero + l) : v_load_part(p->zero + l, r);
        return;
    }
    if (spread == PAIR_SHARED) {
        if (run->left == 0)
            run->index++, run->left = p->group / LANES;
        run->left--;
        pair[0] = v_set1(p->scale[run->index]), pair[1] = v_set1(p->zero[run->index]);
        return;
    }
    float scale[LANES] = {0}, zero[LANES] = {0};
    for (int i = 0; i < r; i++)
        scale[i] = p->scale[(l + i) / p->group], zero[i] = p->zero[(l + i) / p->group];
    pair[0] = v_load(scale), pair[1] = v_load(zero);
}

INLINE size_t unpack_row(const enum width width, const enum spread spread, float *out,
                         const struct code_row *row, const struct code_pairs *pairs,
                         const float *base, int n)
{
    size_t bit = row->bit;
    vec low = v_set1((float)row->lowest), pair[2];
    struct pair_run run = {pairs, 0, pairs->group >= n ? n : pairs->group / LANES};
    for (int l = 0; l < n; l += LANES) {
        int r = n - l < LANES ? n - l : LANES;
        unsigned kept = kept_of(row, l, r);
        vec x = v_add(take_codes(width, row, &bit, kept), low);
        take_pairs(spread, pair, &run, l, r);
        x = v_keep(v_add(v_mul(x, pair[0]), pair[1]), kept);
        if (r == LANES) {
            v_store(out + l, base ? v_add(v_load(base + l), x) : x);
        } else {
            v_store_part(out + l, base ? v_add(v_load_part(base + l, r), x) : x, r);
        }
    }
    return bit - row->bit;
}

INLINE size_t unpack_width(const enum width width, float *out, const struct code_row *row,
                           const struct code_pairs *pairs, const float *base, int n)
{
    if (pairs->group % LANES == 0 || pairs->group >= n)
        return unpack_row(width, PAIR_SHARED, out, row, pairs, base, n);
    if (pairs->group == 1)
        return unpack_row(width, PAIR_EACH, out, row, pairs, base, n);
    return unpack_row(width, PAIR_MIXED, out, row, pairs, base, n);
}

static size_t unpack(float *out, const struct code_row *row, const struct code_pairs *pairs,
                     const float *base, int n)
{
    if (row->bits < 8)
        return unpack_width(BITS_TO_7, out, row, pairs, base, n);
    if (row->bits == 8)
        return unpack_width(BITS_8, out, row, pairs, base, n);
    return unpack_width(BITS_TO_16, out, row, pairs, base, n);
}
