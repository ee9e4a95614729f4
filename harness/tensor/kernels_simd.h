/*
 * The body of kernels_avx2.c and kernels_avx512.c (with kernels_rows_simd.h and
 * kernels_packed_simd.h, which it leads), over vectors of 16 floats that these define:
 *   vec, v_zero, v_set1, v_load, v_store, v_add, v_sub, v_mul, v_div, v_fma (a*b+c), v_max,
 *   v_sum (a fixed tree), v_sum4 and v_sums (the same of 16 vectors at once), v_max_lane, v_exp,
 * v_load_part / v_store_part (first r lanes, rest 0), v_load_f16, v_load_bf16, v_reach (a bit for
 * each lane that is at least the other's). Multiply-add is
 * fused here, by instruction, so both give the same bits.
 */
#include <math.h>
#include <string.h>

#include "harness/tensor/kernels.h"

/* A tile keeps one accumulator for each of (rows of x) x (rows of w); it must live in registers. */
#ifdef __clang__
#define UNROLL
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

enum { LANES = 16, TILE_N = 4, TILE_M = 4 };
_Static_assert(TILE_M *TILE_N == LANES, "a tile's sums fill a vector");

/* 16 weights at index i of a row, and the row's last r of them. */
#define LOADER(name, type, load)                                                                   \
    static inline vec name(const void *row, long i)                                                \
    {                                                                                              \
        return load((const type *)row + i);                                                        \
    }                                                                                              \
    static inline vec name##_part(const void *row, long i, int r)                                  \
    {                                                                                              \
        type tail[LANES] = {0};                                                                    \
        memcpy(tail, (const type *)row + i, (size_t)r * sizeof(type));                             \
        return load(tail);                                                                         \
    }
LOADER(weights_f32, float, v_load)
LOADER(weights_f16, uint16_t, v_load_f16)
LOADER(weights_bf16, uint16_t, v_load_bf16)

/* out[i][j] = the sum of the lanes of acc[i][j]. Sixteen sums at once have the bits of v_sum. */
static inline __attribute__((always_inline)) void
put_sums(float *out, int ld_out, vec acc[TILE_M][TILE_N], const int m, const int nw)
{
    if (m == 1 || nw < TILE_N) {
        UNROLL for (int i = 0; i < m; i++) UNROLL for (int j = 0; j < nw; j++)
            out[(long)i * ld_out + j] = v_sum(acc[i][j]);
        return;
    }
    vec four[TILE_N];
    float sums[LANES];
    UNROLL for (int j = 0; j < TILE_N; j++) four[j] =
        v_sum4(acc[0][j], acc[1][j], m > 2 ? acc[2][j] : v_zero(), m > 3 ? acc[3][j] : v_zero());
    v_store(sums, v_sums(four));
    UNROLL for (int i = 0; i < m; i++)
        memcpy(out + (long)i * ld_out, sums + i * TILE_N, TILE_N * sizeof *out);
}

/* The rows of a tile are streams side by side that the processor does not foresee. While one tile
 * is at work the next but one is asked for, line by line, into the second-level cache. Past the end
 * that is of no use and does no harm. */
enum { TILES_AHEAD = 2, LINE = 64, TO_SECOND_LEVEL = 2 };

/* out[0..m)[0..nw) of one tile. The sum of (i, j) is the same whatever m and nw are. */
#define TILE(name, type, load)                                                                     \
    static inline __attribute__((always_inline)) void name##_tile(                                 \
        float *out, int ld_out, const float *x, int ld_x, const int m, const type *w,              \
        const int nw, int k)                                                                       \
    {                                                                                              \
        vec acc[TILE_M][TILE_N];                                                                   \
        UNROLL for (int i = 0; i < m; i++) UNROLL for (int j = 0; j < nw; j++) acc[i][j] =         \
            v_zero();                                                                              \
        int l = 0;                                                                                 \
        const type *ahead = w + (long)TILES_AHEAD * nw * k;                                        \
        for (; l + LANES <= k; l += LANES) {                                                       \
            vec wv[TILE_N];                                                                        \
            UNROLL for (int j = 0; j < nw; j++) wv[j] = load(w + (long)j * k, l);                  \
            for (size_t a = 0; a < LANES * nw * sizeof(type); a += LINE)                           \
                __builtin_prefetch((const char *)(ahead + (long)l * nw) + a, 0, TO_SECOND_LEVEL);  \
            UNROLL for (int i = 0; i < m; i++)                                                     \
            {                                                                                      \
                vec xv = v_load(x + (long)i * ld_x + l);                                           \
                UNROLL for (int j = 0; j < nw; j++) acc[i][j] = v_fma(xv, wv[j], acc[i][j]);       \
            }                                                                                      \
        }                                                                                          \
        if (l < k)                                                                                 \
            UNROLL for (int i = 0; i < m; i++)                                                     \
            {                                                                                      \
                vec xv = v_load_part(x + (long)i * ld_x + l, k - l);                               \
                UNROLL for (int j = 0; j < nw; j++) acc[i][j] =                                    \
                    v_fma(xv, load##_part(w + (long)j * k, l, k - l), acc[i][j]);                  \
            }                                                                                      \
        put_sums(out, ld_out, acc, m, nw);                                                         \
    }                                                                                              \
    static inline __attribute__((always_inline)) void name##_rows(                                 \
        float *out, int ld_out, const float *x, int ld_x, int m, const type *w, const int nw,      \
        int k)                                                                                     \
    {                                                                                              \
        for (; m >= TILE_M; m -= TILE_M, out += (long)TILE_M * ld_out, x += (long)TILE_M * ld_x)   \
            name##_tile(out, ld_out, x, ld_x, TILE_M, w, nw, k);                                   \
        if (m == 3)                                                                                \
            name##_tile(out, ld_out, x, ld_x, 3, w, nw, k);                                        \
        else if (m == 2)                                                                           \
            name##_tile(out, ld_out, x, ld_x, 2, w, nw, k);                                        \
        else if (m == 1)                                                                           \
            name##_tile(out, ld_out, x, ld_x, 1, w, nw, k);                                        \
    }                                                                                              \
    static void name(float *out, int ld_out, const float *x, int ld_x, int m, const void *weights, \
                     int n, int k)                                                                 \
    {                                                                                              \
        const type *w = weights;                                                                   \
        int j = 0;                                                                                 \
        for (; j + TILE_N <= n; j += TILE_N)                                                       \
            name##_rows(out + j, ld_out, x, ld_x, m, w + (long)j * k, TILE_N, k);                  \
        for (; j < n; j++)                                                                         \
            name##_rows(out + j, ld_out, x, ld_x, m, w + (long)j * k, 1, k);                       \
    }
TILE(matmul_f32, float, weights_f32)
TILE(matmul_f16, uint16_t, weights_f16)
TILE(matmul_bf16, uint16_t, weights_bf16)

static float max_of(const float *x, int n)
{
    vec m = v_set1(x[0]);
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        m = v_max(m, v_load(x + i));
    float max = v_max_lane(m);
    for (; i < n; i++)
        max = x[i] > max ? x[i] : max;
    return max;
}

static void softmax(float *x, int n)
{
    vec max = v_set1(max_of(x, n)), acc = v_zero();
    int i = 0;
    for (; i + LANES <= n; i += LANES) {
        vec e = v_exp(v_sub(v_load(x + i), max));
        v_store(x + i, e);
        acc = v_add(acc, e);
    }
    float tail = 0;
    if (i < n) {
        float part[LANES];
        v_store(part, v_exp(v_sub(v_load_part(x + i, n - i), max)));
        for (int l = 0; l < n - i; l++)
            tail += x[i + l] = part[l];
    }
    vec sum = v_set1(v_sum(acc) + tail);
    for (i = 0; i + LANES <= n; i += LANES)
        v_store(x + i, v_div(v_load(x + i), sum));
    if (i < n)
        v_store_part(x + i, v_div(v_load_part(x + i, n - i), sum), n - i);
}

static float sum_of_squares(const float *x, int n)
{
    vec acc = v_zero();
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        acc = v_fma(v_load(x + i), v_load(x + i), acc);
    if (i < n) {
        vec t = v_load_part(x + i, n - i);
        acc = v_fma(t, t, acc);
    }
    return v_sum(acc);
}

static void rmsnorm(float *out, const float *x, const float *weight, int n, float eps)
{
    float one = 1.0f / sqrtf(sum_of_squares(x, n) / (float)n + eps);
    vec scale = v_set1(one);
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        v_store(out + i, v_mul(v_mul(v_load(x + i), scale), v_load(weight + i)));
    for (; i < n; i++)
        out[i] = x[i] * one * weight[i];
}

static inline vec silu(vec g)
{
    return v_div(g, v_add(v_set1(1.0f), v_exp(v_sub(v_zero(), g))));
}

static void silu_mul(float *gate, const float *up, int n)
{
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        v_store(gate + i, v_mul(silu(v_load(gate + i)), v_load(up + i)));
    if (i < n)
        v_store_part(gate + i,
                     v_mul(silu(v_load_part(gate + i, n - i)), v_load_part(up + i, n - i)), n - i);
}

static void rope(float *x, const float *cos, const float *sin, int half)
{
    for (int i = 0; i < half; i += LANES) {
        int r = half - i < LANES ? half - i : LANES;
        vec a = v_load_part(x + i, r), b = v_load_part(x + i + half, r);
        vec c = v_load_part(cos + i, r), s = v_load_part(sin + i, r);
        v_store_part(x + i, v_sub(v_mul(a, c), v_mul(b, s)), r);
        v_store_part(x + i + half, v_add(v_mul(b, c), v_mul(a, s)), r);
    }
}

static void add(float *x, const float *y, int n)
{
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        v_store(x + i, v_add(v_load(x + i), v_load(y + i)));
    for (; i < n; i++)
        x[i] += y[i];
}

/* v_max has its second operand where one is NaN. */
static void rescale(float *out, const float *x, int n, float by, float over, float least)
{
    vec a = v_set1(by), b = v_set1(over), low = v_set1(least);
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        v_store(out + i, v_max(low, v_div(v_mul(v_load(x + i), a), b)));
    if (i < n)
        v_store_part(out + i, v_max(low, v_div(v_mul(v_load_part(x + i, n - i), a), b)), n - i);
}

static int count_from(const float *x, int n, float least)
{
    vec low = v_set1(least);
    int count = 0, i = 0;
    for (; i + LANES <= n; i += LANES)
        count += __builtin_popcount(v_reach(v_load(x + i), low));
    for (; i < n; i++)
        count += x[i] >= least;
    return count;
}

#define WIDEN(name, load, one)                                                                     \
    static void name(float *out, const uint16_t *in, long n)                                       \
    {                                                                                              \
        long i = 0;                                                                                \
        for (; i + LANES <= n; i += LANES)                                                         \
            v_store(out + i, load(in + i));                                                        \
        if (i < n && i) { /* the last vector once more from where it ends */                       \
            v_store(out + n - LANES, load(in + n - LANES));                                        \
            return;                                                                                \
        }                                                                                          \
        for (uint16_t x; i < n; i++) {                                                             \
            memcpy(&x, in + i, sizeof x); /* which need not be aligned */                          \
            out[i] = one(x);                                                                       \
        }                                                                                          \
    }
WIDEN(widen_f16, v_load_f16, f16_to_f32)
WIDEN(widen_bf16, v_load_bf16, bf16_to_f32)

static void narrow_f16(uint16_t *out, const float *in, long n)
{
    long i = 0;
    for (; i + LANES <= n; i += LANES)
        v_store_f16(out + i, v_load(in + i));
    for (; i < n; i++) {
        uint16_t half = f16_from_f32(in[i]);
        memcpy(out + i, &half, sizeof half); // which need not be aligned
    }
}

#include "harness/tensor/kernels_panel_simd.h"
#include "harness/tensor/kernels_quant_simd.h"

#define KERNELS(level, unpack_of_level, unpack_rows_of_level, scores_codes_of_level,               \
                mix_codes_of_level)                                                                \
    const struct kernels kernels_##level = {                                                       \
        .name = #level,                                                                            \
        .matmul_f32 = matmul_f32,                                                                  \
        .matmul_f16 = matmul_f16,                                                                  \
        .matmul_bf16 = matmul_bf16,                                                                \
        .scores = scores,                                                                          \
        .mix = mix,                                                                                \
        .softmax = softmax,                                                                        \
        .rmsnorm = rmsnorm,                                                                        \
        .silu_mul = silu_mul,                                                                      \
        .rope = rope,                                                                              \
        .add = add,                                                                                \
        .rescale = rescale,                                                                        \
        .count_from = count_from,                                                                  \
        .widen_f16 = widen_f16,                                                                    \
        .widen_bf16 = widen_bf16,                                                                  \
        .narrow_f16 = narrow_f16,                                                                  \
        .scores_f16 = scores_f16,                                                                  \
        .mix_f16 = mix_f16,                                                                        \
        .scores_int8 = scores_int8,                                                                \
        .mix_int8 = mix_int8,                                                                      \
        .widen_int8 = widen_int8,                                                                  \
        .scan_tiles = scan_tiles,                                                                  \
        .widen_tile = widen_tile,                                                                  \
        .pack = pack,                                                                              \
        .encode_group = encode_group,                                                              \
        .unpack = unpack_of_level,                                                                 \
        .unpack_rows = unpack_rows_of_level,                                                       \
        .scores_codes = scores_codes_of_level,                                                     \
        .mix_codes = mix_codes_of_level,                                                           \
        .matmul_quant = matmul_quant,                                                              \
        .widen_quant = widen_quant,                                                                \
        .panel_mul = panel_mul,                                                                    \
        .panel_pack = panel_pack,                                                                  \
    };
