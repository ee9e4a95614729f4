/*
 * AVX-512 with operations on bytes (VBMI and VBMI2: Ice Lake, Zen 4): codes of a row leave their
 * bits and find their channels 64 at a time. All else is as in kernels_avx512.c.
 */
#ifdef __x86_64__
#include "harness/tensor/kernels_avx512.h"

enum { BYTES = 64 };

/* Eight codes take `bits` bytes: byte t of the window of codes 8 j to 8 j + 7, and where in it code
 * i begins. Rows are for 1 to 8 bits. */
#define EACH(f, b)                                                                                 \
    {                                                                                              \
        f(b, 0), f(b, 1), f(b, 2), f(b, 3), f(b, 4), f(b, 5), f(b, 6), f(b, 7)                     \
    }
#define WINDOW(b, j)                                                                               \
    (b) * (j), (b) * (j) + 1, (b) * (j) + 2, (b) * (j) + 3, (b) * (j) + 4, (b) * (j) + 5,          \
        (b) * (j) + 6, (b) * (j) + 7
#define BEGIN(b, j) 0, (b), 2 * (b), 3 * (b), 4 * (b), 5 * (b), 6 * (b), 7 * (b)
#define TABLE(f)                                                                                   \
    {                                                                                              \
        EACH(f, 1), EACH(f, 2), EACH(f, 3), EACH(f, 4), EACH(f, 5), EACH(f, 6), EACH(f, 7),        \
            EACH(f, 8)                                                                             \
    }
static const _Alignas(64) uint8_t windows[8][BYTES] = TABLE(WINDOW);
static const _Alignas(64) uint8_t begins[8][BYTES] = TABLE(BEGIN);

static inline __mmask64 first_bytes(size_t n)
{
    return n >= BYTES ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1;
}

/* The next n codes, at most 64, one a byte. Eight of 8 bits fit their window when they begin a
 * byte. */
static inline __m512i next_codes(const struct code_row *row, size_t bit, int n)
{
    int bits = row->bits;
    size_t bytes = (bit % 8 + (size_t)(n * bits) + 7) / 8;
    __m512i all = _mm512_maskz_loadu_epi8(first_bytes(bytes), row->codes + bit / 8);
    __m512i windowed = _mm512_permutexvar_epi8(_mm512_load_si512(windows[bits - 1]), all);
    __m512i from =
        _mm512_add_epi8(_mm512_load_si512(begins[bits - 1]), _mm512_set1_epi8((char)(bit % 8)));
    return _mm512_and_si512(_mm512_multishift_epi64_epi8(from, windowed),
                            _mm512_set1_epi8((char)((1 << bits) - 1)));
}

static inline __mmask64 kept_bytes(const struct code_row *row, int l, int n)
{
    uint64_t mask = ~(uint64_t)0;
    if (row->mask)
        memcpy(&mask, row->mask + l / 8, n == BYTES ? sizeof mask : (size_t)(n + 7) / 8);
    return mask & first_bytes((size_t)n);
}

/* Channels l to l + r - 1, whose codes are the first of `codes`. */
static inline __attribute__((always_inline)) void put_channels(const enum spread spread, float *out,
                                                               __m128i codes, unsigned kept,
                                                               vec low, struct pair_run *run,
                                                               const float *base, int l, int r)
{
    vec pair[2], x = v_add(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(codes)), low);
    take_pairs(spread, pair, run, l, r);
    x = v_keep(v_add(v_mul(x, pair[0]), pair[1]), kept);
    if (r < LANES)
        v_store_part(out + l, base ? v_add(v_load_part(base + l, r), x) : x, r);
    else
        v_store(out + l, base ? v_add(v_load(base + l), x) : x);
}

static inline __attribute__((always_inline)) size_t
unpack_bytes(const enum spread spread, float *out, const struct code_row *codes,
             const struct code_pairs *pairs, const float *base, int n)
{
    struct code_row row = *codes; // its own, which stores to out cannot change
    struct code_pairs own = *pairs;
    struct pair_run run = {&own, 0, own.group >= n ? n : own.group / LANES};
    vec low = v_set1((float)row.lowest);
    size_t bit = row.bit;
    for (int l = 0; l < n; l += BYTES) {
        int m = n - l < BYTES ? n - l : BYTES;
        uint64_t kept = kept_bytes(&row, l, m);
        int count = __builtin_popcountll(kept);
        __m512i placed = _mm512_maskz_expand_epi8(kept, next_codes(&row, bit, count));
        bit += (size_t)(count * row.bits);
        __m128i quarter[4] = {_mm512_castsi512_si128(placed), _mm512_extracti32x4_epi32(placed, 1),
                              _mm512_extracti32x4_epi32(placed, 2),
                              _mm512_extracti32x4_epi32(placed, 3)};
        UNROLL for (int i = 0; i < 4; i++)
        {
            int left = m - i * LANES;
            if (left > 0)
                put_channels(spread, out, quarter[i], (unsigned)(kept >> i * LANES) & 0xFFFF, low,
                             &run, base, l + i * LANES, left < LANES ? left : LANES);
        }
    }
    return bit - row.bit;
}

static size_t unpack_vbmi(float *out, const struct code_row *row, const struct code_pairs *pairs,
                          const float *base, int n)
{
    if (row->bits > 8 || (row->bits == 8 && row->bit % 8))
        return unpack(out, row, pairs, base, n);
    if (pairs->group == 1)
        return unpack_bytes(PAIR_EACH, out, row, pairs, base, n);
    if (pairs->group % LANES == 0 || pairs->group >= n)
        return unpack_bytes(PAIR_SHARED, out, row, pairs, base, n);
    return unpack_bytes(PAIR_MIXED, out, row, pairs, base, n);
}

/* ---- rows of whole registers ---- */

enum { FEW_BITS = 4 }; // up to here a table of 16 floats holds what codes stand for

/* Bytes l, 16 + l, 32 + l and 48 + l side by side: the lanes of four vectors of channels. */
#define FOUR(l) (l), 16 + (l), 32 + (l), 48 + (l)
static const _Alignas(64) uint8_t turned[BYTES] = {
    FOUR(0), FOUR(1), FOUR(2),  FOUR(3),  FOUR(4),  FOUR(5),  FOUR(6),  FOUR(7),
    FOUR(8), FOUR(9), FOUR(10), FOUR(11), FOUR(12), FOUR(13), FOUR(14), FOUR(15)};

/* Where in a window codes begin whose first one begins at bit `from` of a byte. */
#define BEGIN_AT(b, from) (uint64_t)(from) * 0x0101010101010101 + (uint64_t)(b)*0x0706050403020100
static const uint64_t begins_at[8][8] = TABLE(BEGIN_AT);

/* What lookups of a call have in common. */
struct lookup {
    __m512i windows, turned, ones; // of next_codes; of a code
    vec low, numbers;              // the lowest code; what 4 lowest bits stand for
    const uint64_t *begins;        // [8]
};

static inline struct lookup lookup_of(const struct code_row *row)
{
    __m512i count = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i ones = _mm512_set1_epi32((1 << row->bits) - 1);
    vec low = v_set1((float)row->lowest);
    return (struct lookup){
        .windows = _mm512_load_si512(windows[row->bits - 1]),
        .begins = begins_at[row->bits - 1],
        .turned = _mm512_load_si512(turned),
        .ones = ones,
        .low = low,
        .numbers = v_add(i_float(_mm512_and_si512(count, ones)), low),
    };
}

/* Rows on their way: the one that is next. */
struct walk {
    struct lookup lookup;
    const uint8_t *codes, *mask;
    const float *scale, *zero;
    size_t bit, mask_stride;
    int bits, scales_per_row, shift; // shift: channels of a group as a power of two
};

static inline struct walk walk_of(const struct code_rows *rows, const struct code_pairs *pairs,
                                  int n)
{
    int group = pairs->group < n ? pairs->group : 1 << 30;
    return (struct walk){.lookup = lookup_of(&rows->first),
                         .codes = rows->first.codes,
                         .mask = rows->first.mask,
                         .scale = pairs->scale,
                         .zero = pairs->zero,
                         .bit = rows->first.bit,
                         .mask_stride = rows->mask_stride,
                         .bits = rows->first.bits,
                         .scales_per_row = rows->scales_per_row,
                         .shift = __builtin_ctz((unsigned)group)};
}

static inline __attribute__((always_inline)) void next_row(struct walk *w)
{
    w->scale += w->scales_per_row, w->zero += w->scales_per_row;
    w->mask = w->mask ? w->mask + w->mask_stride : NULL;
}

/* Codes of 64 channels from l on, bits above them left where they fell, in the order of `turned`.
 */
static inline __attribute__((always_inline)) __m512i take_64(const bool masked, struct walk *w,
                                                             int l)
{
    const struct lookup *t = &w->lookup;
    __m512i all = _mm512_loadu_si512(w->codes + w->bit / 8);
    __m512i from = _mm512_set1_epi64((long long)t->begins[w->bit % 8]);
    __m512i codes = _mm512_multishift_epi64_epi8(from, _mm512_permutexvar_epi8(t->windows, all));
    uint64_t kept = ~(uint64_t)0;
    if (masked) {
        memcpy(&kept, w->mask + l / 8, sizeof kept);
        codes = _mm512_maskz_expand_epi8(kept, codes);
    }
    w->bit += (size_t)(__builtin_popcountll(kept) * w->bits);
    return _mm512_permutexvar_epi8(t->turned, codes);
}

/* Which of 16 channels are kept, from the memory and not from a register of other kind. */
static inline __attribute__((always_inline)) __mmask16 kept_16(const bool masked,
                                                               const struct walk *w, int l)
{
    uint16_t kept = 0xFFFF;
    if (masked)
        memcpy(&kept, w->mask + l / 8, sizeof kept);
    return kept;
}

/* Decodes channels l to l + 63 of the row, 0 where nothing is kept. A lookup heeds the 4 lowest
 * bits of a lane alone. A shared pair is that of 32 channels or more. */
static inline __attribute__((always_inline)) void decode_64(vec x[4], const enum spread spread,
                                                            const bool few, const bool masked,
                                                            struct walk *w, int l)
{
    ints codes = take_64(masked, w, l);
    const struct lookup *t = &w->lookup;
    UNROLL for (int i = 0; i < 4; i++)
    {
        __mmask16 kept = kept_16(masked, w, l + i * LANES);
        ints index = _mm512_srli_epi32(codes, 8 * (unsigned)i);
        int at = spread == PAIR_EACH ? l + i * LANES : (l + i / 2 * 2 * LANES) >> w->shift;
        vec a = spread == PAIR_EACH ? v_load(w->scale + at) : v_set1(w->scale[at]);
        vec b = spread == PAIR_EACH ? v_load(w->zero + at) : v_set1(w->zero[at]);
        if (few && spread == PAIR_SHARED) { // the same for two vectors, so computed once
            vec table = v_add(v_mul(t->numbers, a), b);
            x[i] = _mm512_maskz_permutexvar_ps(kept, index, table);
        } else {
            vec number = few ? _mm512_permutexvar_ps(index, t->numbers)
                             : v_add(i_float(_mm512_and_si512(index, t->ones)), t->low);
            x[i] = v_keep(v_add(v_mul(number, a), b), kept);
        }
    }
}

static inline __attribute__((always_inline)) size_t
unpack_whole(const enum spread spread, const bool few, const bool based, float *out,
             const struct code_rows *rows, const struct code_pairs *pairs, const float *base, int n)
{
    struct walk w = walk_of(rows, pairs, n);
    for (int i = 0; i < rows->n; i++, out += n) {
        for (int l = 0; l < n; l += BYTES) {
            vec x[4];
            if (w.mask)
                decode_64(x, spread, few, true, &w, l);
            else
                decode_64(x, spread, few, false, &w, l);
            UNROLL for (int k = 0; k < 4; k++) v_store(
                out + l + k * LANES, based ? v_add(v_load(base + l + k * LANES), x[k]) : x[k]);
        }
        next_row(&w);
    }
    return w.bit - rows->first.bit;
}

/* Rows of whole registers whose codes fit their windows. */
static bool whole(const struct code_rows *rows, int n)
{
    int bits = rows->first.bits;
    return n % BYTES == 0 && (bits < 8 || (bits == 8 && rows->first.bit % 8 == 0));
}

/* Pairs of 32 channels or more, as keys have them. */
static bool shared_by_many(const struct code_pairs *pairs, int n)
{
    int group = pairs->group;
    return group >= n || (group >= 2 * LANES && (group & (group - 1)) == 0);
}

/* The kinds of rows that KVO reads: keys with a base and shared pairs, values with neither. */
static size_t unpack_rows_vbmi(float *out, const struct code_rows *rows,
                               const struct code_pairs *pairs, const float *base, int n)
{
    bool few = rows->first.bits <= FEW_BITS;
    if (whole(rows, n) && base && shared_by_many(pairs, n))
        return few ? unpack_whole(PAIR_SHARED, true, true, out, rows, pairs, base, n)
                   : unpack_whole(PAIR_SHARED, false, true, out, rows, pairs, base, n);
    if (whole(rows, n) && !base && pairs->group == 1)
        return few ? unpack_whole(PAIR_EACH, true, false, out, rows, pairs, NULL, n)
                   : unpack_whole(PAIR_EACH, false, false, out, rows, pairs, NULL, n);
    return unpack_each(unpack_vbmi, out, rows, pairs, base, n);
}

/* ---- products with them ---- */

/* Sums of m <= 16 rows, added and divided as score_rows does it. */
static inline __attribute__((always_inline)) void put_scores(float *out, vec acc[BLOCK], int m,
                                                             float divisor)
{
    vec x[4];
    for (int i = m; i < (m > BLOCK / 2 ? BLOCK : BLOCK / 2); i++)
        acc[i] = v_zero();
    UNROLL for (int g = 0; g < 4; g++) x[g] =
        m > BLOCK / 2 ? v_sum4(acc[g], acc[g + 4], acc[g + 8], acc[g + 12])
                      : v_sum4(acc[g], acc[g + 4], v_zero(), v_zero());
    v_store_part(out, v_div(v_sums(x), v_set1(divisor)), m);
}

/* n is known when this is compiled, as for mixtures, whose sums stay in registers. */
static inline __attribute__((always_inline)) size_t
score_few(const bool masked, float *out, const float *q, const struct code_rows *rows,
          const struct code_pairs *pairs, const float *base, const int n, float divisor)
{
    struct walk w = walk_of(rows, pairs, n);
    vec acc[BLOCK];
    int m = 1;
    acc[0] = v_zero();
    for (int l = 0; l < n; l += LANES)
        acc[0] = v_fma(v_load(q + l), v_load(base + l), acc[0]);
    for (int i = 0; i < rows->n; i++) {
        vec sum = v_zero();
        UNROLL for (int l = 0; l < n; l += BYTES)
        {
            vec x[4];
            decode_64(x, PAIR_SHARED, true, masked, &w, l);
            UNROLL for (int k = l, j = 0; j < 4; k += LANES, j++) sum =
                v_fma(v_load(q + k), v_add(v_load(base + k), x[j]), sum);
        }
        next_row(&w);
        acc[m++] = sum;
        if (m == BLOCK) {
            put_scores(out, acc, BLOCK, divisor);
            out += BLOCK, m = 0;
        }
    }
    if (m)
        put_scores(out, acc, m, divisor);
    return w.bit - rows->first.bit;
}

static inline __attribute__((always_inline)) size_t
mix_whole(const bool few, const bool masked, float *out, const float *weight,
          const struct code_rows *rows, const struct code_pairs *pairs, const int n)
{
    struct walk w = walk_of(rows, pairs, n);
    vec acc[2 * BYTES / LANES];
    UNROLL for (int k = 0; k < n / LANES; k++) acc[k] = v_load(out + k * LANES);
    for (int i = 0; i < rows->n; i++) {
        vec wi = v_set1(weight[i]);
        UNROLL for (int l = 0; l < n; l += BYTES)
        {
            vec x[4];
            decode_64(x, PAIR_EACH, few, masked, &w, l);
            UNROLL for (int k = l / LANES, j = 0; j < 4; k++, j++) acc[k] = v_fma(wi, x[j], acc[k]);
        }
        next_row(&w);
    }
    UNROLL for (int k = 0; k < n / LANES; k++) v_store(out + k * LANES, acc[k]);
    return w.bit - rows->first.bit;
}

/* Heads of 64 and of 128, with masks and without. Functions of their own, which have all registers
 * to themselves. */
typedef size_t score_fn(float *, const float *, const struct code_rows *, const struct code_pairs *,
                        const float *, float);
typedef size_t blend_fn(float *, const float *, const struct code_rows *,
                        const struct code_pairs *);
#define PRODUCTS(n, masked)                                                                        \
    static __attribute__((noinline))                                                               \
    size_t score_##n##_##masked(float *out, const float *q, const struct code_rows *rows,          \
                                const struct code_pairs *pairs, const float *base, float divisor)  \
    {                                                                                              \
        return score_few(masked, out, q, rows, pairs, base, n, divisor);                           \
    }                                                                                              \
    static __attribute__((noinline)) size_t few_##n##_##masked(                                    \
        float *out, const float *w, const struct code_rows *rows, const struct code_pairs *pairs)  \
    {                                                                                              \
        return mix_whole(true, masked, out, w, rows, pairs, n);                                    \
    }                                                                                              \
    static __attribute__((noinline)) size_t many_##n##_##masked(                                   \
        float *out, const float *w, const struct code_rows *rows, const struct code_pairs *pairs)  \
    {                                                                                              \
        return mix_whole(false, masked, out, w, rows, pairs, n);                                   \
    }
PRODUCTS(64, 0)
PRODUCTS(64, 1)
PRODUCTS(128, 0)
PRODUCTS(128, 1)
static score_fn *const score_of[2][2] = {{score_64_0, score_64_1}, {score_128_0, score_128_1}};
static blend_fn *const few_of[2][2] = {{few_64_0, few_64_1}, {few_128_0, few_128_1}};
static blend_fn *const many_of[2][2] = {{many_64_0, many_64_1}, {many_128_0, many_128_1}};

static size_t scores_codes_vbmi(float *out, const float *q, const struct code_rows *rows,
                                const struct code_pairs *pairs, const float *base, int n,
                                float divisor)
{
    bool fast = rows->first.bits <= FEW_BITS && shared_by_many(pairs, n);
    if (fast && (n == 64 || n == 128))
        return score_of[n == 128][rows->first.mask != NULL](out, q, rows, pairs, base, divisor);
    return scores_each(unpack_rows_vbmi, scores, out, q, rows, pairs, base, n, divisor);
}

static size_t mix_codes_vbmi(float *out, const float *w, const struct code_rows *rows,
                             const struct code_pairs *pairs, int n)
{
    bool few = rows->first.bits <= FEW_BITS, fast = whole(rows, n) && pairs->group == 1;
    if (fast && (n == 64 || n == 128))
        return (few ? few_of : many_of)[n == 128][rows->first.mask != NULL](out, w, rows, pairs);
    return mix_each(unpack_rows_vbmi, mix, out, w, rows, pairs, n);
}

KERNELS(avx512vbmi, unpack_vbmi, unpack_rows_vbmi, scores_codes_vbmi, mix_codes_vbmi)
#else
typedef int kernels_vbmi_needs_x86_64;
#endif
