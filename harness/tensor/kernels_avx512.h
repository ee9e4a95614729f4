/* kernels_simd.h on one 512-bit register a vector: the operations, and with them all kernels. */
#include <immintrin.h>
#include <stdint.h>

typedef __m512 vec;

enum { PANEL_ROWS = 14, PANEL_VECS = 2 }; // 28 sums in 32 registers

/* One line an operation. */
/* clang-format off */
static inline vec v_zero(void) { return _mm512_setzero_ps(); }
static inline vec v_set1(float x) { return _mm512_set1_ps(x); }
static inline vec v_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void v_store(float *p, vec v) { _mm512_storeu_ps(p, v); }
static inline vec v_add(vec a, vec b) { return _mm512_add_ps(a, b); }
static inline vec v_sub(vec a, vec b) { return _mm512_sub_ps(a, b); }
static inline vec v_mul(vec a, vec b) { return _mm512_mul_ps(a, b); }
static inline vec v_div(vec a, vec b) { return _mm512_div_ps(a, b); }
static inline vec v_fma(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
static inline vec v_max(vec a, vec b) { return _mm512_max_ps(a, b); }
static inline vec v_min(vec a, vec b) { return _mm512_min_ps(a, b); }
static inline __mmask16 first(int r) { return (__mmask16)((1u << r) - 1); }
static inline vec v_load_part(const float *p, int r) { return _mm512_maskz_loadu_ps(first(r), p); }
static inline void v_store_part(float *p, vec v, int r) { _mm512_mask_storeu_ps(p, first(r), v); }
static inline vec v_load_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
static inline void v_store_f16(uint16_t *p, vec v)
{
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}
static inline vec v_load_bf16(const uint16_t *p)
{
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
static inline vec v_round(vec a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT); }
static inline vec v_scale2(vec a, vec i)
{
    __m512i e = _mm512_slli_epi32(_mm512_cvtps_epi32(i), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), e));
}
static inline vec v_zero_below(vec v, vec x, vec low)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, low, _CMP_GE_OQ), v);
}
static inline unsigned v_reach(vec x, vec low) { return _mm512_cmp_ps_mask(x, low, _CMP_GE_OQ); }
/* Lanes i and i+8, then 4, 2, 1 apart. */
static inline float sum8(__m256 h)
{
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}
static inline float v_sum(vec a)
{
    return sum8(_mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1)));
}
/* [a | b] of halves, added: 8 apart. */
static inline vec add8(vec a, vec b)
{
    return _mm512_add_ps(_mm512_mask_blend_ps(0xFF00, a, b), _mm512_shuffle_f32x4(a, b, 0x4E));
}
static inline vec add4(vec a, vec b)
{
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xDD));
}
static inline vec v_sum4(vec a, vec b, vec c, vec d) { return add4(add8(a, b), add8(c, d)); }
static inline vec add2(vec a, vec b)
{
    return _mm512_add_ps(_mm512_mask_blend_ps(0xCCCC, a, b), _mm512_shuffle_ps(a, b, 0x4E));
}
static inline vec add1(vec a, vec b)
{
    return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xDD));
}
/* Lane 4 * k + g: the sum of the k-th vector (from 0) that went into x[g]. */
static inline vec v_sums(const vec x[4]) { return add1(add2(x[0], x[1]), add2(x[2], x[3])); }
static inline vec v_keep(vec x, unsigned mask) { return _mm512_maskz_mov_ps((__mmask16)mask, x); }
static inline vec v_codes(const uint8_t *p)
{
    __m128i x = _mm_loadu_si128((const __m128i *)p);
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(x));
}
static inline vec v_bytes(uint64_t a, uint64_t b)
{
    __m128i x = _mm_set_epi64x((long long)b, (long long)a);
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(x));
}
static inline void v_store_bytes(uint8_t *p, vec x)
{
    _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x)));
}
static inline vec v_words(const uint64_t w[4])
{
    __m256i x = _mm256_set_epi64x((long long)w[3], (long long)w[2], (long long)w[1],
                                  (long long)w[0]);
    return _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(x));
}
static inline void halves_8(float *out, const void *in)
{
    _mm256_storeu_ps(out, _mm256_cvtph_ps(_mm_loadu_si128(in)));
}
static inline float v_max_lane(vec a) { return _mm512_reduce_max_ps(a); }
typedef __m512i ints;
static inline vec i_float(ints x) { return _mm512_cvtepi32_ps(x); }
static inline float half_1(uint16_t x) { return _cvtsh_ss(x); }
/* clang-format on */

#include "harness/tensor/kernels_exp.h"
#include "harness/tensor/kernels_quant_avx512.h"

#include "harness/tensor/kernels_simd.h"

#include "harness/tensor/kernels_rows_simd.h"

#include "harness/tensor/kernels_packed_simd.h"

#include "harness/tensor/kernels_scan_simd.h"

/* The even channels of four and the odd ones as words. */
INLINE void dot_words(ints *sums, const uint8_t *codes, size_t size, const struct int8_query *q,
                      int from, int n, const int m)
{
    UNROLL for (int k = 0; k < m; k++) sums[k] = _mm512_setzero_si512();
    for (int l = 0; l < n; l += 4)
        UNROLL for (int k = 0; k < m; k++)
        {
            ints x = _mm512_loadu_si512(codes + l * TILE_ROWS + (size_t)k * size);
            ints even = _mm512_and_si512(x, _mm512_set1_epi32(0x00FF00FF));
            ints odd = _mm512_srli_epi16(x, 8);
            even = _mm512_madd_epi16(even, _mm512_set1_epi32((int)four(q->words + from + l)));
            odd = _mm512_madd_epi16(odd, _mm512_set1_epi32((int)four(q->words + from + l + 2)));
            sums[k] = _mm512_add_epi32(sums[k], _mm512_add_epi32(even, odd));
        }
}

SCAN(scan_words, , dot_words)

/* Where the processor multiplies bytes (VNNI): in two digits. */
#define VNNI __attribute__((target("avx512vnni")))

INLINE VNNI void dot_digits(ints *sums, const uint8_t *codes, size_t size,
                            const struct int8_query *q, int from, int n, const int m)
{
    ints high[2], low[2];
    UNROLL for (int k = 0; k < m; k++) high[k] = low[k] = _mm512_setzero_si512();
    UNROLL for (int l = 0; l < n; l += 4)
    {
        ints h = _mm512_set1_epi32((int)four(q->high + from + l));
        ints w = _mm512_set1_epi32((int)four(q->low + from + l));
        UNROLL for (int k = 0; k < m; k++)
        {
            ints x = _mm512_loadu_si512(codes + l * TILE_ROWS + (size_t)k * size);
            high[k] = _mm512_dpbusd_epi32(high[k], x, h);
            low[k] = _mm512_dpbusd_epi32(low[k], x, w);
        }
    }
    UNROLL for (int k = 0; k < m; k++) sums[k] =
        _mm512_add_epi32(_mm512_slli_epi32(high[k], 7), low[k]);
}

SCAN(scan_digits, VNNI, dot_digits)

static void scan_tiles(float *out, int ld, float *max, const struct int8_query *q, int n_q,
                       const struct int8_tiles *tiles, int n_tiles)
{
    if (__builtin_cpu_supports("avx512vnni"))
        scan_digits(out, ld, max, q, n_q, tiles, n_tiles);
    else
        scan_words(out, ld, max, q, n_q, tiles, n_tiles);
}
