/* kernels_simd.h on two 256-bit registers a vector. Built with the AVX2 flags, run where cpuid
 * says so. */
#ifdef __x86_64__
#include <immintrin.h>
#include <stdint.h>

typedef struct {
    __m256 a, b; // lanes 0..7, 8..15
} vec;

enum { PANEL_ROWS = 6, PANEL_VECS = 1 }; // 12 halves of sums in 16 registers

#define BOTH(expr_a, expr_b) ((vec){expr_a, expr_b})

/* One line an operation. */
/* clang-format off */
#define LANEWISE(name, op) \
    static inline vec name(vec x, vec y) { return BOTH(op(x.a, y.a), op(x.b, y.b)); }

static inline vec v_zero(void) { return BOTH(_mm256_setzero_ps(), _mm256_setzero_ps()); }
static inline vec v_set1(float x) { return BOTH(_mm256_set1_ps(x), _mm256_set1_ps(x)); }
static inline vec v_load(const float *p)
{
    return BOTH(_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8));
}
static inline void v_store(float *p, vec v)
{
    _mm256_storeu_ps(p, v.a);
    _mm256_storeu_ps(p + 8, v.b);
}
LANEWISE(v_add, _mm256_add_ps)
LANEWISE(v_sub, _mm256_sub_ps)
LANEWISE(v_mul, _mm256_mul_ps)
LANEWISE(v_div, _mm256_div_ps)
LANEWISE(v_max, _mm256_max_ps)
LANEWISE(v_min, _mm256_min_ps)
static inline vec v_fma(vec x, vec y, vec z)
{
    return BOTH(_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b));
}
static inline __m256i first(int r)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(r), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline vec v_load_part(const float *p, int r)
{
    return BOTH(_mm256_maskload_ps(p, first(r)), _mm256_maskload_ps(p + 8, first(r - 8)));
}
static inline void v_store_part(float *p, vec v, int r)
{
    _mm256_maskstore_ps(p, first(r), v.a);
    _mm256_maskstore_ps(p + 8, first(r - 8), v.b);
}
static inline unsigned v_reach(vec x, vec low)
{
    int a = _mm256_movemask_ps(_mm256_cmp_ps(x.a, low.a, _CMP_GE_OQ));
    int b = _mm256_movemask_ps(_mm256_cmp_ps(x.b, low.b, _CMP_GE_OQ));
    return (unsigned)(a | b << 8);
}
static inline __m256 f16_8(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
static inline __m256 bf16_8(const uint16_t *p)
{
    __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
static inline vec v_load_f16(const uint16_t *p) { return BOTH(f16_8(p), f16_8(p + 8)); }
static inline vec v_load_bf16(const uint16_t *p) { return BOTH(bf16_8(p), bf16_8(p + 8)); }
static inline void store_f16_8(uint16_t *p, __m256 x)
{
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}
static inline void v_store_f16(uint16_t *p, vec x)
{
    store_f16_8(p, x.a);
    store_f16_8(p + 8, x.b);
}
static inline __m256 round8(__m256 x)
{
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline vec v_round(vec x) { return BOTH(round8(x.a), round8(x.b)); }
static inline __m256 scale8(__m256 x, __m256 i)
{
    __m256i e = _mm256_slli_epi32(_mm256_cvtps_epi32(i), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), e));
}
static inline vec v_scale2(vec x, vec i) { return BOTH(scale8(x.a, i.a), scale8(x.b, i.b)); }
static inline vec v_zero_below(vec v, vec x, vec low)
{
    return BOTH(_mm256_and_ps(v.a, _mm256_cmp_ps(x.a, low.a, _CMP_GE_OQ)),
                _mm256_and_ps(v.b, _mm256_cmp_ps(x.b, low.b, _CMP_GE_OQ)));
}
/* Lanes i and i+8, then 4, 2, 1 apart. */
static inline float sum8(__m256 h)
{
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}
static inline float v_sum(vec x) { return sum8(_mm256_add_ps(x.a, x.b)); }
/* [a | b] of halves, added: 4 apart. */
static inline __m256 add4(__m256 a, __m256 b)
{
    return _mm256_add_ps(_mm256_blend_ps(a, b, 0xF0), _mm256_permute2f128_ps(a, b, 0x21));
}
static inline vec v_sum4(vec a, vec b, vec c, vec d)
{
    return BOTH(add4(_mm256_add_ps(a.a, a.b), _mm256_add_ps(b.a, b.b)),
                add4(_mm256_add_ps(c.a, c.b), _mm256_add_ps(d.a, d.b)));
}
static inline __m256 add2(__m256 a, __m256 b)
{
    return _mm256_add_ps(_mm256_blend_ps(a, b, 0xCC), _mm256_shuffle_ps(a, b, 0x4E));
}
static inline __m256 add1(__m256 a, __m256 b)
{
    return _mm256_add_ps(_mm256_shuffle_ps(a, b, 0x88), _mm256_shuffle_ps(a, b, 0xDD));
}
/* Lane 4 * k + g: the sum of the k-th vector (from 0) that went into x[g]. */
static inline vec v_sums(const vec x[4])
{
    return BOTH(add1(add2(x[0].a, x[1].a), add2(x[2].a, x[3].a)),
                add1(add2(x[0].b, x[1].b), add2(x[2].b, x[3].b)));
}
static inline __m256 keep8(__m256 x, unsigned mask)
{
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    __m256i on = _mm256_and_si256(_mm256_set1_epi32((int)mask), bit);
    return _mm256_and_ps(x, _mm256_castsi256_ps(_mm256_cmpeq_epi32(on, bit)));
}
static inline vec v_keep(vec x, unsigned m) { return BOTH(keep8(x.a, m), keep8(x.b, m >> 8)); }
static inline __m256 bytes8(__m128i x) { return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(x)); }
static inline __m256 words8(__m128i x) { return _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(x)); }
static inline vec v_codes(const uint8_t *p)
{
    return BOTH(bytes8(_mm_loadl_epi64((const __m128i *)p)),
                bytes8(_mm_loadl_epi64((const __m128i *)(p + 8))));
}
static inline vec v_bytes(uint64_t a, uint64_t b)
{
    return BOTH(bytes8(_mm_cvtsi64_si128((long long)a)), bytes8(_mm_cvtsi64_si128((long long)b)));
}
static inline void v_store_bytes(uint8_t *p, vec x)
{
    __m256i w = _mm256_packus_epi32(_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b));
    w = _mm256_permute4x64_epi64(w, 0xD8);
    _mm_storeu_si128((__m128i *)p, _mm_packus_epi16(_mm256_castsi256_si128(w),
                                                    _mm256_extracti128_si256(w, 1)));
}
static inline vec v_words(const uint64_t w[4])
{
    return BOTH(words8(_mm_set_epi64x((long long)w[1], (long long)w[0])),
                words8(_mm_set_epi64x((long long)w[3], (long long)w[2])));
}
static inline void halves_8(float *out, const void *in)
{
    _mm256_storeu_ps(out, _mm256_cvtph_ps(_mm_loadu_si128(in)));
}
static inline float v_max_lane(vec x)
{
    __m256 h = _mm256_max_ps(x.a, x.b);
    __m128 q = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_max_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_max_ss(q, _mm_movehdup_ps(q)));
}

typedef struct {
    __m256i a, b;
} ints;

static inline vec i_float(ints x)
{
    return BOTH(_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b));
}
static inline float half_1(uint16_t x) { return _cvtsh_ss(x); }
/* clang-format on */

#include "harness/tensor/kernels_exp.h"
#include "harness/tensor/kernels_quant_avx2.h"

#include "harness/tensor/kernels_simd.h"

#include "harness/tensor/kernels_rows_simd.h"

#include "harness/tensor/kernels_packed_simd.h"

#include "harness/tensor/kernels_scan_simd.h"

/* 8 rows' 4 channels: the even ones and the odd ones as words. */
INLINE __m256i add_words(__m256i acc, const uint8_t *codes, __m256i even, __m256i odd)
{
    __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)codes);
    __m256i e = _mm256_and_si256(x, _mm256_set1_epi32(0x00FF00FF)), o = _mm256_srli_epi16(x, 8);
    acc = _mm256_add_epi32(acc, _mm256_madd_epi16(e, even));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(o, odd));
}

INLINE void dot_words(ints *sums, const uint8_t *codes, size_t size, const struct int8_query *q,
                      int from, int n, const int m)
{
    UNROLL for (int k = 0; k < m; k++) sums[k].a = sums[k].b = _mm256_setzero_si256();
    for (int l = 0; l < n; l += 4) {
        __m256i even = _mm256_set1_epi32((int)four(q->words + from + l));
        __m256i odd = _mm256_set1_epi32((int)four(q->words + from + l + 2));
        UNROLL for (int k = 0; k < m; k++)
        {
            const uint8_t *x = codes + l * TILE_ROWS + (size_t)k * size;
            sums[k].a = add_words(sums[k].a, x, even, odd);
            sums[k].b = add_words(sums[k].b, x + 2 * TILE_ROWS, even, odd);
        }
    }
}

SCAN(scan_tiles, , dot_words)

KERNELS(avx2, unpack, unpack_rows, scores_codes, mix_codes)
#else
typedef int kernels_avx2_needs_x86_64;
#endif
