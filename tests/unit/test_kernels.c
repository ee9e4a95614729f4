#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "harness/base/mem.h"
#include "harness/base/rng.h"
#include "harness/tensor/gemm.h"
#include "harness/tensor/kernels.h"
#include "harness/tensor/quant.h"

enum { MAX = 300, ROWS = 9, LONG = 50 };

static struct rng r = {7};

static void fill(float *x, int n, float scale)
{
    for (int i = 0; i < n; i++)
        x[i] = scale * (float)rng_normal(&r);
}

/* Within a few roundings of a sum of n terms whose magnitudes add up to `size`. */
static void assert_near(float a, float b, double size, int n)
{
    if (fabs((double)a - b) > 1e-7 * (n + 4) * size + 1e-30)
        fail_msg("%.9g and %.9g differ (n %d)", a, b, n);
}

static double magnitude(const float *a, const float *b, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += fabs((double)a[i] * b[i]);
    return sum;
}

static void check_matmul(const struct kernels *kn, enum dtype format, int m, int n, int k)
{
    static float x[ROWS * MAX], wide[ROWS * MAX], got[ROWS * ROWS], one[ROWS], want[ROWS * ROWS];
    static uint16_t half[ROWS * MAX];
    fill(x, m * k, 1);
    fill(wide, n * k, 1);
    for (int i = 0; i < n * k && format != DT_F32; i++) {
        half[i] = format == DT_F16 ? f16_from_f32(wide[i]) : bf16_from_f32(wide[i]);
        wide[i] = format == DT_F16 ? f16_to_f32(half[i]) : bf16_to_f32(half[i]);
    }
    const void *w = format == DT_F32 ? (const void *)wide : half;
    kernels_matmul(kn, got, n, x, k, m, w, format, n, k);
    kernels_matmul(&kernels_plain, want, n, x, k, m, w, format, n, k);
    for (int i = 0; i < m; i++) {
        kernels_matmul(kn, one, n, x + i * k, k, 1, w, format, n, k);
        assert_memory_equal(one, got + i * n, (size_t)n * sizeof(float)); // whatever the batch
        for (int j = 0; j < n; j++)
            assert_near(got[i * n + j], want[i * n + j], magnitude(x + i * k, wide + j * k, k), k);
    }
}

/* In one call, and in two that share the rows: the same bits. */
static void check_rows(const struct kernels *kn, int n, int d)
{
    static float q[MAX], rows[LONG * MAX], a[MAX], b[MAX], w[LONG], parts[LONG], whole[LONG];
    int first = n / 3;
    fill(q, d, 1);
    fill(rows, n * d, 1);
    fill(w, n, 1);
    kn->scores(whole, q, rows, n, d, 3.0f);
    kn->scores(parts, q, rows, first, d, 3.0f);
    kn->scores(parts + first, q, rows + first * d, n - first, d, 3.0f);
    assert_memory_equal(parts, whole, (size_t)n * sizeof *whole);
    kernels_plain.scores(parts, q, rows, n, d, 3.0f);
    for (int i = 0; i < n; i++)
        assert_near(whole[i], parts[i], magnitude(q, rows + i * d, d), d);
    memcpy(a, q, (size_t)d * sizeof *a);
    memcpy(b, q, (size_t)d * sizeof *b);
    kn->mix(a, w, rows, n, d);
    kn->mix(b, w, rows, first, d);
    kn->mix(b, w + first, rows + first * d, n - first, d);
    assert_memory_equal(a, b, (size_t)d * sizeof *a);
    kernels_plain.mix(q, w, rows, n, d);
    for (int i = 0; i < d; i++)
        assert_near(a[i], q[i], 10, n);
}

static void check_vectors(const struct kernels *kn, int n)
{
    static float x[2 * MAX], y[2 * MAX], a[2 * MAX], b[2 * MAX];
    fill(x, 2 * n, 6);
    fill(y, 2 * n, 1);
    memcpy(a, x, sizeof a), memcpy(b, x, sizeof b);
    kn->softmax(a, n), kernels_plain.softmax(b, n);
    for (int i = 0; i < n; i++)
        assert_near(a[i], b[i], b[i], 20 + n);
    kn->rmsnorm(a, x, y, n, 1e-5f), kernels_plain.rmsnorm(b, x, y, n, 1e-5f);
    for (int i = 0; i < n; i++)
        assert_near(a[i], b[i], fabsf(b[i]), 20 + n);
    memcpy(a, x, sizeof a), memcpy(b, x, sizeof b);
    kn->silu_mul(a, y, n), kernels_plain.silu_mul(b, y, n);
    for (int i = 0; i < n; i++)
        assert_near(a[i], b[i], fabsf(b[i]), 20);
    memcpy(a, x, sizeof a), memcpy(b, x, sizeof b);
    kn->rope(a, y, y + n, n), kernels_plain.rope(b, y, y + n, n);
    for (int i = 0; i < 2 * n; i++)
        assert_near(a[i], b[i], 20, 4);
    kn->add(a, y, 2 * n), kernels_plain.add(b, y, 2 * n);
    for (int i = 0; i < 2 * n; i++)
        assert_near(a[i], b[i], 20, 4);
}

/* Conversions are exact, or round in one way: the same bits at each level. */
static void check_halves(const struct kernels *kn, int n)
{
    static float x[MAX], a[MAX], b[MAX];
    uint16_t half[2][MAX];
    for (int i = 0; i < n; i++)
        x[i] = ldexpf((float)rng_normal(&r), rng_below(&r, 60) - 30); // subnormal to beyond f16
    kn->narrow_f16(half[0], x, n), kernels_plain.narrow_f16(half[1], x, n);
    assert_memory_equal(half[0], half[1], (size_t)n * sizeof **half);
    kn->widen_f16(a, half[0], n), kernels_plain.widen_f16(b, half[0], n);
    assert_memory_equal(a, b, (size_t)n * sizeof *a);
    kn->widen_bf16(a, half[0], n), kernels_plain.widen_bf16(b, half[0], n);
    assert_memory_equal(a, b, (size_t)n * sizeof *a);
}

/* Each number by itself, and a count: the same at each level, NaN and equals included. */
static void check_exact(const struct kernels *kn, int n)
{
    static float x[MAX], a[MAX], b[MAX];
    fill(x, n, 1);
    x[rng_below(&r, n)] = NAN, x[rng_below(&r, n)] = 0;
    kn->rescale(a, x, n, 3, 7, 1e-5f), kernels_plain.rescale(b, x, n, 3, 7, 1e-5f);
    assert_memory_equal(a, b, (size_t)n * sizeof *a);
    float least = x[rng_below(&r, n)];
    assert_int_equal(kn->count_from(x, n, least), kernels_plain.count_from(x, n, least));
}

/* Codes and pair of a group, whatever is in it: the same bits at each level. */
static void check_group(const struct kernels *kn, int n, int round)
{
    static const float odd[] = {0, -0.0f, NAN, INFINITY, -INFINITY, 1e30f};
    static float x[MAX];
    uint8_t got[MAX], want[MAX];
    int bits = 1 + round % 8;
    bool symmetric = bits > 1 && round % 3 == 0;
    struct group_form form = {group_grid(bits, symmetric), symmetric, round % 2,
                              round % 5 ? 1 : 0.9f};
    fill(x, n, round % 7 ? 1 : 0);
    if (round % 4 == 0)
        x[rng_below(&r, n)] = odd[rng_below(&r, (int)(sizeof odd / sizeof *odd))];
    struct group_pair a = kn->encode_group(got, x, n, &form);
    struct group_pair b = kernels_plain.encode_group(want, x, n, &form);
    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_equal(got, want, (size_t)n);
}

static void every_level_agrees_with_plain(void **state)
{
    static const char *const names[] = {"plain", "avx2", "avx512", "avx512vbmi"};
    (void)state;
    for (int level = 0; level < 4; level++) {
        const struct kernels *kn = kernels_named(names[level]);
        if (!kn)
            continue;
        for (int n = 1; n <= 70; n++)
            check_vectors(kn, n), check_halves(kn, n), check_exact(kn, n);
        for (int round = 0; round < 2000; round++)
            check_group(kn, round % 2 ? 1 + rng_below(&r, 70) : 16 * (1 + rng_below(&r, 16)),
                        round);
        for (int k = 1; k <= 70; k++)
            for (int f = 0; f < 3; f++)
                check_matmul(kn,
                             f == 0   ? DT_F32
                             : f == 1 ? DT_F16
                                      : DT_BF16,
                             1 + k % ROWS, 1 + k % 7, k);
        for (int d = 1; d < MAX; d += 13)
            check_rows(kn, 1 + d % LONG, d);
        check_vectors(kn, MAX);
    }
}

static void avx2_and_avx512_give_the_same_bits(void **state)
{
    static float x[2][MAX], y[MAX], w[ROWS * MAX], out[2][ROWS];
    const struct kernels *kn[2] = {kernels_named("avx2"), kernels_named("avx512")};
    (void)state;
    if (!kn[0] || !kn[1]) {
        skip();
        return;
    }
    for (int n = 1; n < MAX; n++) {
        fill(x[0], n, 5), fill(y, n, 1), fill(w, n * 5, 1);
        memcpy(x[1], x[0], sizeof x[1]);
        for (int l = 0; l < 2; l++) {
            kn[l]->matmul_f32(out[l], 5, y, n, 1, w, 5, n);
            kn[l]->silu_mul(x[l], y, n);
            kn[l]->softmax(x[l], n);
            kn[l]->rmsnorm(x[l], x[l], y, n, 1e-6f);
            kn[l]->mix(x[l], y, w, n < 5 ? n : 5, n);
        }
        assert_memory_equal(x[0], x[1], (size_t)n * sizeof(float));
        assert_memory_equal(out[0], out[1], 5 * sizeof(float));
    }
}

static void exp_is_close_over_its_range(void **state)
{
    (void)state;
    const struct kernels *kn = kernels_best();
    for (float x = -86; x < 0; x += 0.0137f) {
        float pair[2] = {0, x};
        kn->softmax(pair, 2);
        double want = exp((double)x) / (1 + exp((double)x));
        if (fabs(pair[1] - want) > 4e-7 * want)
            fail_msg("exp(%g): %.9g, not %.9g", x, pair[1], want);
    }
    float far[2] = {0, -200};
    kn->softmax(far, 2);
    assert_true(far[0] == 1 && far[1] == 0);
}

enum { BATCH = 33 };

static void multiply(const struct kernels *kn, const struct matrix *w, float *out, const float *x,
                     int m)
{
    if (w->packed)
        kn->matmul_quant(out, w->rows, x, w->cols, m, w->packed, w->rows);
    else
        kernels_matmul(kn, out, w->rows, x, w->cols, m, w->data, w->dtype, w->rows, w->cols);
}

/* By the kernel, and as steps share it out. */
static void check_batch(const struct kernels *kn, const struct matrix *w, struct pool *pool)
{
    static float x[BATCH * MAX], alone[BATCH * LONG], got[BATCH * LONG];
    struct gemm g;
    fill(x, BATCH * w->cols, 1);
    gemm_init(&g, pool, kn, false, w->cols);
    for (int i = 0; i < BATCH; i++)
        multiply(kn, w, alone + i * w->rows, x + i * w->cols, 1);
    for (int m = 1; m <= BATCH; m++) {
        size_t bytes = (size_t)(m * w->rows) * sizeof *got;
        multiply(kn, w, got, x, m);
        assert_memory_equal(got, alone, bytes);
        memset(got, 0, bytes);
        gemm_decode(&g, &(struct product){got, w}, 1, x, m);
        assert_memory_equal(got, alone, bytes);
    }
    gemm_release(&g);
}

/* Each row of a batch of 1 to 33 is what it is alone, in every format of weights. */
static void a_row_does_not_depend_on_its_batch(void **state)
{
    static const char *const names[] = {"plain", "avx2", "avx512", "avx512vbmi"};
    enum { N = 23, K = 288 };
    static float wide[N * K];
    static uint16_t half[N * K];
    struct pool *pool = pool_new(1);
    (void)state;
    fill(wide, N * K, 1);
    for (int i = 0; i < N * K; i++)
        half[i] = f16_from_f32(wide[i]);
    struct matrix all[] = {
        {wide, DT_F32, N, K, NULL}, {half, DT_F16, N, K, NULL}, {half, DT_BF16, N, 271, NULL}};
    for (int level = 0; level < 4; level++) {
        const struct kernels *kn = kernels_named(names[level]);
        for (int f = 0; kn && f < 3; f++)
            check_batch(kn, &all[f], pool);
        for (int bits = 2; kn && bits <= 8; bits++) {
            struct quant_format f = {bits, 32, bits % 2, 1, 0};
            struct quant_rows rows;
            uint8_t *data = mem_aligned(quant_bytes(&f, N, K));
            quant_pack(&rows, data, &all[0], &f, pool);
            check_batch(kn, &(struct matrix){NULL, DT_F32, N, K, &rows}, pool);
            free(data);
        }
    }
    pool_free(pool);
}

/* Two products of one x: [N][K] whole, and its first rows once more. */
static void gemm_does_not_depend_on_threads(void **state)
{
    enum { M = 70, N = 333, K = 96, FEW = 130 };
    static float x[M * K], out[3][M * N], few[3][M * FEW], step[2][M * N];
    static uint16_t w[N * K];
    struct matrix matrix = {w, DT_BF16, N, K, NULL}, top = {w, DT_BF16, FEW, K, NULL};
    (void)state;
    fill(x, M * K, 1);
    for (int i = 0; i < N * K; i++)
        w[i] = bf16_from_f32((float)rng_normal(&r));
    for (int threads = 1; threads <= 2; threads++) {
        struct pool *pool = pool_new(threads);
        struct product both[] = {{out[threads - 1], &matrix}, {few[threads - 1], &top}};
        struct product plain[] = {{out[2], &matrix}, {few[2], &top}};
        struct product steps[] = {{few[2], &top}, {step[threads - 1], &matrix}};
        struct gemm g;
        gemm_init(&g, pool, kernels_best(), false, K);
        gemm_weights(&g, both, 2, x, M);
        gemm_decode(&g, steps, 2, x, M);
        gemm_release(&g);
        gemm_init(&g, pool, &kernels_plain, true, K);
        gemm_weights(&g, plain, 2, x, M);
        gemm_release(&g);
        pool_free(pool);
    }
    assert_memory_equal(out[0], out[1], sizeof out[0]);
    assert_memory_equal(few[0], few[1], sizeof few[0]);
    assert_memory_equal(step[0], step[1], sizeof step[0]);
    for (int i = 0; i < M * N; i++) {
        assert_near(out[0][i], out[2][i], 80, 10);
        assert_near(step[0][i], out[2][i], 80, 10);
    }
    for (int i = 0; i < M * FEW; i++)
        assert_near(few[0][i], few[2][i], 80, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_level_agrees_with_plain),
        cmocka_unit_test(avx2_and_avx512_give_the_same_bits),
        cmocka_unit_test(a_row_does_not_depend_on_its_batch),
        cmocka_unit_test(exp_is_close_over_its_range),
        cmocka_unit_test(gemm_does_not_depend_on_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
