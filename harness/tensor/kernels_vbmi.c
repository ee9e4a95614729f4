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

/* What lookups of a call have in common. */
struct lookup {
    __m512i windows, begins, ones; // of next_codes
    vec low, numbers;              // the lowest code; 0 to 15 and it
};

static inline struct lookup lookup_of(const struct code_row *row)
{
    vec count = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    vec low = v_set1((float)row->lowest);
    return (struct lookup){
        .windows = _mm512_load_si512(windows[row->bits - 1]),
        .begins = _mm512_load_si512(begins[row->bits - 1]),
        .ones = _mm512_set1_epi8((char)((1 << row->bits) - 1)),
        .low = low,
        .numbers = v_add(count, low),
    };
}

/* 16 kept channels with one pair, or each with its own. */
static inline __attribute__((always_inline)) vec look_up(const enum spread spread, const bool few,
                                                         const struct lookup *t, __m128i codes,
                                                         unsigned kept, const float *scale,
                                                         const float *zero)
{
    ints index = _mm512_cvtepu8_epi32(codes);
    if (few && spread == PAIR_SHARED) { // the same for vectors side by side, so computed once
        vec table = v_add(v_mul(t->numbers, v_set1(*scale)), v_set1(*zero));
        return _mm512_maskz_permutexvar_ps((__mmask16)kept, index, table);
    }
    vec x = few ? _mm512_permutexvar_ps(index, t->numbers) : v_add(i_float(index), t->low);
    vec a = spread == PAIR_SHARED ? v_set1(*scale) : v_load(scale);
    vec b = spread == PAIR_SHARED ? v_set1(*zero) : v_load(zero);
    return v_keep(v_add(v_mul(x, a), b), kept);
}

/* 64 channels. A pair is shared by 32 of them or more. */
static inline __attribute__((always_inline)) void
put_64(const enum spread spread, const bool few, float *out, const struct lookup *t, __m512i codes,
       uint64_t kept, const float *scale[2], const float *zero[2], const float *base)
{
    __m128i quarter[4] = {_mm512_castsi512_si128(codes), _mm512_extracti32x4_epi32(codes, 1),
                          _mm512_extracti32x4_epi32(codes, 2), _mm512_extracti32x4_epi32(codes, 3)};
    UNROLL for (int i = 0; i < 4; i++)
    {
        int l = i * LANES, at = spread == PAIR_EACH ? i % 2 * LANES : 0;
        vec x = look_up(spread, few, t, quarter[i], (unsigned)(kept >> l) & 0xFFFF,
                        scale[i / 2] + at, zero[i / 2] + at);
        v_store(out + l, base ? v_add(v_load(base + l), x) : x);
    }
}

/* `shift`: channels of a group as a power of two. */
static inline __attribute__((always_inline)) size_t
unpack_whole(const enum spread spread, const bool few, const bool based, float *out,
             const struct code_rows *rows, const struct code_pairs *pairs, const float *base, int n,
             int shift)
{
    struct code_row row = rows->first;
    struct lookup t = lookup_of(&row);
    const float *scale = pairs->scale, *zero = pairs->zero;
    size_t bit = row.bit;
    for (int i = 0; i < rows->n; i++) {
        for (int l = 0; l < n; l += BYTES) {
            uint64_t kept = ~(uint64_t)0;
            if (row.mask)
                memcpy(&kept, row.mask + l / 8, sizeof kept);
            __m512i all = _mm512_loadu_si512(row.codes + bit / 8);
            __m512i from = _mm512_add_epi8(t.begins, _mm512_set1_epi8((char)(bit % 8)));
            __m512i codes =
                _mm512_multishift_epi64_epi8(from, _mm512_permutexvar_epi8(t.windows, all));
            codes = _mm512_maskz_expand_epi8(kept, _mm512_and_si512(codes, t.ones));
            bit += (size_t)(__builtin_popcountll(kept) * row.bits);
            int p = l >> shift, q = (l + BYTES / 2) >> shift;
            put_64(spread, few, out + l, &t, codes, kept, (const float *[]){scale + p, scale + q},
                   (const float *[]){zero + p, zero + q}, based ? base + l : NULL);
        }
        out += n, scale += rows->scales_per_row, zero += rows->scales_per_row;
        row.mask = row.mask ? row.mask + rows->mask_stride : NULL;
    }
    return bit - row.bit;
}

/* The kinds of rows that KVO reads: keys with a base and shared pairs, values with neither. */
static size_t unpack_rows_vbmi(float *out, const struct code_rows *rows,
                               const struct code_pairs *pairs, const float *base, int n)
{
    int bits = rows->first.bits, group = pairs->group < n ? pairs->group : 1 << 30;
    bool fits = n % BYTES == 0 && (bits < 8 || (bits == 8 && rows->first.bit % 8 == 0));
    bool shared = group >= 2 * LANES && (group & (group - 1)) == 0;
    if (fits && shared && base) {
        int shift = __builtin_ctz((unsigned)group);
        if (bits <= FEW_BITS)
            return unpack_whole(PAIR_SHARED, true, true, out, rows, pairs, base, n, shift);
        return unpack_whole(PAIR_SHARED, false, true, out, rows, pairs, base, n, shift);
    }
    if (fits && group == 1 && !base) {
        if (bits <= FEW_BITS)
            return unpack_whole(PAIR_EACH, true, false, out, rows, pairs, NULL, n, 0);
        return unpack_whole(PAIR_EACH, false, false, out, rows, pairs, NULL, n, 0);
    }
    return unpack_each(unpack_vbmi, out, rows, pairs, base, n);
}

KERNELS(avx512vbmi, unpack_vbmi, unpack_rows_vbmi)
#else
typedef int kernels_vbmi_needs_x86_64;
#endif
