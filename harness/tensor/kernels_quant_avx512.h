/* Part of kernels_avx512.c: 16 whole numbers a register, for kernels_quant_simd.h. */
typedef __m512i vint;

enum { QUANT_TABLE_BITS = 4 };

/* One line an operation. */
/* clang-format off */
static inline vint i_load8(const uint8_t *p)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
}
static inline vint i_set1(int x) { return _mm512_set1_epi32(x); }
static inline vint i_add(vint a, vint b) { return _mm512_add_epi32(a, b); }
static inline vint i_and(vint a, vint b) { return _mm512_and_si512(a, b); }
static inline vint i_shr(vint a, int n) { return (vint)((__v16su)a >> n); }
static inline vint i_shl(vint a, int n) { return (vint)((__v16su)a << n); }
static inline vint i_pick(vint mask, vint a, vint b)
{
    return _mm512_ternarylogic_epi32(mask, a, b, 0xCA);
}
static inline vec v_of_int(vint a) { return _mm512_cvtepi32_ps(a); }
static inline vint v_lane_codes(void)
{
    return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
static inline vec v_lookup(vec table, vint index) { return _mm512_permutexvar_ps(index, table); }
/* clang-format on */
