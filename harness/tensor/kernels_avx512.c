/* kernels_simd.h on one 512-bit register a vector. Built with the AVX-512 flags, run where cpuid
 * says so. */
#ifdef __x86_64__
#include <immintrin.h>
#include <stdint.h>

typedef __m512 vec;

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
static inline float v_max_lane(vec a) { return _mm512_reduce_max_ps(a); }
/* clang-format on */

#include "harness/tensor/kernels_exp.h"
#include "harness/tensor/kernels_quant_avx512.h"

#include "harness/tensor/kernels_simd.h"

KERNELS(avx512)
#else
typedef int kernels_avx512_needs_x86_64;
#endif
