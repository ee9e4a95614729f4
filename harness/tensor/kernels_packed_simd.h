/*
 * INT8 rows and code rows, over the operations of kernels_simd.h, kernels_rows_simd.h and:
 *   v_bytes, v_words (16 codes of 8 or of 16 bits in general registers, as floats),
 *   v_store_bytes (16 whole numbers of 0 to 255).
 */
#include "harness/tensor/kernels_unpack_rows.h"
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
    assert(rows->d <= ROW_MAX);
    return (struct rows){
        .data = rows->data,
        .stride = rows->stride,
        .record = (size_t)rows->d + (size_t)n_pairs * (rows->wide ? PAIR : PAIR / 2),
        .d = rows->d,
        .n_pairs = n_pairs,
        .group = rows->group,
        .low = v_set1((float)rows->lowest),
    };
}

INLINE void widen_one(const enum form form, float *out, const struct rows *s, int i)
{
    for (int p = 0, l = 0; p < s->n_pairs; p++) {
        struct pair pair = row_pair(form, s, i, p);
        int end = l + s->group;
        for (; l + LANES <= end; l += LANES)
            v_store(out + l, row_load(form, s, i, l, pair));
        if (l < end)
            v_store_part(out + l, row_load(form, s, i, l, pair), end - l);
    }
}

INLINE void widen_rows(const enum form form, float *out, const struct rows *s, int n)
{
    float pairs[PAIRS_MAX];
    for (int i = 0; i < n; i += BLOCK) {
        int m = n - i < BLOCK ? n - i : BLOCK;
        struct rows b = rows_block(form, s, i, m, pairs);
        for (int j = 0; j < m; j++, out += s->d)
            widen_one(form, out, &b, j);
    }
}

static void widen_int8(float *out, const struct int8_rows *rows, int n)
{
    if (aligned(rows)) {
        struct rows s = int8_view(rows);
        if (rows->wide)
            widen_rows(ROWS_INT8_WIDE, out, &s, n);
        else if (rows->lowest)
            widen_rows(ROWS_INT8_LOW, out, &s, n);
        else
            widen_rows(ROWS_INT8, out, &s, n);
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

/* Heads of 64 or 128 in groups of 32 are known in full when compiled, which unrolls them. */
static void score_usual(float *out, const float *q, const struct rows *rows, int n, float divisor)
{
    struct rows s = *rows;
    if (s.group == 32 && s.d == 64) {
        s.group = 32, s.d = 64, s.n_pairs = 2;
        score_rows(ROWS_INT8, out, q, &s, n, divisor);
    } else if (s.group == 32 && s.d == 128) {
        s.group = 32, s.d = 128, s.n_pairs = 4;
        score_rows(ROWS_INT8, out, q, &s, n, divisor);
    } else {
        score_rows(ROWS_INT8, out, q, &s, n, divisor);
    }
}

/* One query decodes in registers; for several, rows are decoded once, some at a time. */
static void scores_int8(float *out, int ld, const float *q, int n_q, const struct int8_rows *rows,
                        int n, float divisor)
{
    if (n_q == 1 && aligned(rows)) {
        struct rows s = int8_view(rows);
        if (rows->wide)
            score_rows(ROWS_INT8_WIDE, out, q, &s, n, divisor);
        else if (rows->lowest)
            score_rows(ROWS_INT8_LOW, out, q, &s, n, divisor);
        else
            score_usual(out, q, &s, n, divisor);
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
            mix_rows(ROWS_INT8_WIDE, out, w, &s, n);
        else if (rows->lowest)
            mix_rows(ROWS_INT8_LOW, out, w, &s, n);
        else
            mix_rows(ROWS_INT8, out, w, &s, n);
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

/* The first codes of `from` into the channels in m, each in its channel's byte (or word): BMI2's
 * deposit spreads codes over channels and bits over bytes in one operation. */
INLINE uint64_t deposit(uint64_t from, unsigned m, uint64_t ones, int bits)
{
    return _pdep_u64(from, _pdep_u64(m, ones) * ((1u << bits) - 1));
}

INLINE size_t bits_of(const struct code_row *row, unsigned m)
{
    return (size_t)__builtin_popcount(m) * (size_t)row->bits;
}

/* By bits of a code: 16 codes in one window, 8, 8 in a far one, 4. */
enum width { BITS_TO_3, BITS_TO_7, BITS_8, BITS_TO_16 };

INLINE vec take_codes(const enum width width, const struct code_row *row, size_t *bit, unsigned m)
{
    const uint64_t bytes = 0x0101010101010101, words = 0x0001000100010001;
    size_t at = *bit;
    *bit += bits_of(row, m);
    if (width != BITS_TO_16) {
        size_t half = bits_of(row, m & 0xFF);
        uint64_t a = window(row->codes, at, width == BITS_8);
        uint64_t b =
            width == BITS_TO_3 ? a >> half : window(row->codes, at + half, width == BITS_8);
        return v_bytes(deposit(a, m & 0xFF, bytes, row->bits),
                       deposit(b, m >> 8, bytes, row->bits));
    }
    uint64_t codes[4];
    UNROLL for (int i = 0; i < 4; i++)
    {
        codes[i] = deposit(window(row->codes, at, true), m >> 4 * i & 15, words, row->bits);
        at += bits_of(row, m >> 4 * i & 15);
    }
    return v_words(codes);
}

/* Which of channels l to l + r - 1 are kept. */
INLINE unsigned kept_of(const struct code_row *row, int l, int r)
{
    unsigned all = (1u << r) - 1;
    if (!row->mask)
        return all;
    if (r == LANES) {
        uint16_t both;
        memcpy(&both, row->mask + l / 8, sizeof both);
        return both;
    }
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

/* Channels l to l + r - 1. */
INLINE void unpack_some(const enum width width, const enum spread spread, float *out,
                        const struct code_row *row, struct pair_run *run, const float *base,
                        size_t *bit, int l, int r)
{
    vec low = v_set1((float)row->lowest), pair[2];
    unsigned kept = kept_of(row, l, r);
    vec x = v_add(take_codes(width, row, bit, kept), low);
    take_pairs(spread, pair, run, l, r);
    x = v_keep(v_add(v_mul(x, pair[0]), pair[1]), kept);
    if (r < LANES)
        v_store_part(out + l, base ? v_add(v_load_part(base + l, r), x) : x, r);
    else
        v_store(out + l, base ? v_add(v_load(base + l), x) : x);
}

INLINE size_t unpack_row(const enum width width, const enum spread spread, float *out,
                         const struct code_row *codes, const struct code_pairs *pairs,
                         const float *base, int n)
{
    struct code_row row = *codes; // its own, which stores to out cannot change
    struct code_pairs own = *pairs;
    struct pair_run run = {&own, 0, own.group >= n ? n : own.group / LANES};
    size_t bit = row.bit;
    int l = 0;
    for (; l + LANES <= n; l += LANES)
        unpack_some(width, spread, out, &row, &run, base, &bit, l, LANES);
    if (l < n)
        unpack_some(width, spread, out, &row, &run, base, &bit, l, n - l);
    return bit - row.bit;
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
    if (row->bits <= 3)
        return unpack_width(BITS_TO_3, out, row, pairs, base, n);
    if (row->bits < 8)
        return unpack_width(BITS_TO_7, out, row, pairs, base, n);
    if (row->bits == 8)
        return unpack_width(BITS_8, out, row, pairs, base, n);
    return unpack_width(BITS_TO_16, out, row, pairs, base, n);
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

/* Bits on their way: fewer than 32 wait in `bits`. */
struct bit_writer {
    uint8_t *to;
    uint64_t bits;
    int n;
};

INLINE void write_bits(struct bit_writer *w, uint64_t bits, int n)
{
    w->bits |= bits << w->n;
    w->n += n;
    if (w->n < 32)
        return;
    memcpy(w->to, &w->bits, sizeof(uint32_t));
    w->to += sizeof(uint32_t), w->bits >>= 32, w->n -= 32;
}

/* Eight bytes of which the first r are codes[0] on. */
INLINE uint64_t eight_codes(const uint8_t *codes, int r)
{
    uint64_t x = 0;
    memcpy(&x, codes, r < 8 ? (size_t)r : sizeof x);
    return x;
}

/* BMI2's extraction takes the kept channels' bytes and then their bits. */
static size_t pack(uint8_t *to, size_t bit, const uint8_t *codes, const uint8_t *mask, int bits,
                   int n)
{
    const uint64_t bytes = 0x0101010101010101, ones = bytes * ((1u << bits) - 1);
    int begun = (int)(bit % 8), count = 0;
    struct bit_writer w = {to + bit / 8, begun ? to[bit / 8] : 0, begun};
    for (int l = 0; l < n; l += 8) {
        unsigned kept = mask ? mask[l / 8] : 0xFF;
        kept = n - l < 8 ? kept & ((1u << (n - l)) - 1) : kept;
        int m = __builtin_popcount(kept) * bits;
        uint64_t x = _pext_u64(eight_codes(codes + l, n - l), _pdep_u64(kept, bytes) * 0xFF);
        x = _pext_u64(x, ones);
        count += m;
        write_bits(&w, x & 0xFFFFFFFF, m < 32 ? m : 32);
        if (m > 32)
            write_bits(&w, x >> 32, m - 32);
    }
    memcpy(w.to, &w.bits, (size_t)(w.n + 7) / 8);
    return (size_t)count;
}

/* The ends of the range; false where a number is not finite. */
INLINE bool finite_range(float *min, float *max, const float *x, int n)
{
    vec low = v_load(x), high = low, rest = v_mul(low, v_zero());
    for (int i = LANES; i < n; i += LANES) {
        vec y = v_load(x + i);
        low = v_min(y, low), high = v_max(y, high);
        rest = v_add(rest, v_mul(y, v_zero()));
    }
    *max = v_max_lane(high), *min = -v_max_lane(v_sub(v_zero(), low));
    return v_sum(rest) == 0;
}

static struct group_pair encode_group(uint8_t *codes, const float *x, int n,
                                      const struct group_form *form)
{
    float min, max;
    struct group_grid g = form->grid;
    if (n % LANES || !finite_range(&min, &max, x, n))
        return kernels_plain.encode_group(codes, x, n, form);
    struct group_pair p = group_pair_of(min, max, g, form->symmetric, form->clip);
    if (form->half)
        p = (struct group_pair){group_half(p.scale), group_half(p.zero)};
    vec scale = v_set1(p.scale), zero = v_set1(p.zero), low = v_set1(g.low), high = v_set1(g.high);
    for (int i = 0; i < n; i += LANES) {
        vec q = v_div(v_sub(v_load(x + i), zero), scale);
        q = v_round(v_min(v_max(q, low), high));
        v_store_bytes(codes + i, v_sub(q, low));
    }
    return p;
}
