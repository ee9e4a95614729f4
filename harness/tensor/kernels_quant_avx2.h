/* Part of kernels_avx2.c: 16 whole numbers in two registers, for kernels_quant_simd.h. Tables would
 * need two permutations a half and a blend: no gain. */
typedef struct {
    __m256i a, b; // lanes 0..7, 8..15
} vint;

enum { QUANT_TABLE_BITS = 0 };

#define BOTH_INT(expr_a, expr_b) ((vint){expr_a, expr_b})

/* One line an operation. */
/* clang-format off */
static inline vint i_load8(const uint8_t *p)
{
    return BOTH_INT(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p)),
                    _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(p + 8))));
}
static inline vint i_set1(int x) { return BOTH_INT(_mm256_set1_epi32(x), _mm256_set1_epi32(x)); }
static inline vint i_add(vint x, vint y)
{
    return BOTH_INT(_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b));
}
static inline vint i_and(vint x, vint y)
{
    return BOTH_INT(_mm256_and_si256(x.a, y.a), _mm256_and_si256(x.b, y.b));
}
static inline vint i_shr(vint x, int n)
{
    return BOTH_INT((__m256i)((__v8su)x.a >> n), (__m256i)((__v8su)x.b >> n));
}
static inline vint i_shl(vint x, int n)
{
    return BOTH_INT((__m256i)((__v8su)x.a << n), (__m256i)((__v8su)x.b << n));
}
static inline __m256i pick8(__m256i mask, __m256i x, __m256i y)
{
    return _mm256_or_si256(_mm256_and_si256(mask, x), _mm256_andnot_si256(mask, y));
}
static inline vint i_pick(vint mask, vint x, vint y)
{
    return BOTH_INT(pick8(mask.a, x.a, y.a), pick8(mask.b, x.b, y.b));
}
static inline vec v_of_int(vint x)
{
    return BOTH(_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b));
}
static inline vint v_lane_codes(void)
{
    return BOTH_INT(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
                    _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15));
}
static inline vec v_lookup(vec table, vint index) { (void)index; return table; } // never called
/* clang-format on */
