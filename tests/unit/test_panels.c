/* The products of prefill: by panels, against the plain twin, whatever stands beside. */
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "harness/base/rng.h"
#include "harness/tensor/gemm.h"

enum { M = 33, N = 100, K = 600 };

static const int ms[] = {1, 2, 5, 14, 33}, ns[] = {1, 15, 16, 31, 33, 64, 100};
static const int ks[] = {1, 64, 257, K};
static const char *const levels[] = {"avx2", "avx512", "avx512vbmi"};
enum { LEVELS = sizeof levels / sizeof *levels };
static struct rng r = {11};
static float x[M * K], panel[K * N], sizes[M * N];

static void fill(float *to, int n)
{
    for (int i = 0; i < n; i++)
        to[i] = (float)rng_normal(&r);
}

static void assert_near(const float *got, const float *want, int n)
{
    for (int i = 0; i < n; i++)
        if (fabs((double)got[i] - want[i]) > 1e-6 * (1 + sizes[i]))
            fail_msg("%.9g and %.9g differ", got[i], want[i]);
}

/* Twice, the second time added to the first. out [M][N] */
static void multiply(const struct kernels *kn, float *out, int m, int n, int k)
{
    kn->panel_mul(out, N, x, K, m, panel, N, n, k, 0.5f, false);
    kn->panel_mul(out, N, x, K, m, panel, N, n, k, 1.0f, true);
}

static void check_level(const struct kernels *kn, int m, int n, int k)
{
    static float got[M * N], want[M * N], one[N];
    memset(got, 0, sizeof got);
    memset(want, 0, sizeof want);
    multiply(kn, got, m, n, k);
    multiply(&kernels_plain, want, m, n, k);
    assert_near(got, want, M * N); // and nothing beyond m and n
    kn->panel_mul(one, N, x + (m - 1) * K, K, 1, panel, N, n, k, 0.5f, false);
    kn->panel_mul(one, N, x + (m - 1) * K, K, 1, panel, N, n, k, 1.0f, true);
    assert_memory_equal(one, got + (m - 1) * N, (size_t)n * sizeof *one);
}

static void every_level_agrees_with_plain(void **state)
{
    (void)state;
    fill(x, M * K);
    fill(panel, K * N);
    for (int i = 0; i < M * N; i++)
        sizes[i] = 5 * sqrtf(K);
    for (int l = 0; l < LEVELS; l++)
        for (size_t i = 0; kernels_named(levels[l]) && i < sizeof ms / sizeof *ms; i++)
            for (size_t j = 0; j < sizeof ns / sizeof *ns; j++)
                for (size_t h = 0; h < sizeof ks / sizeof *ks; h++)
                    check_level(kernels_named(levels[l]), ms[i], ns[j], ks[h]);
}

static void levels_give_the_same_bits(void **state)
{
    static float out[2][M * N];
    const struct kernels *kn[2] = {kernels_named("avx2"), kernels_named("avx512")};
    (void)state;
    if (!kn[0] || !kn[1]) {
        skip();
        return;
    }
    fill(x, M * K);
    fill(panel, K * N);
    for (size_t j = 0; j < sizeof ns / sizeof *ns; j++) {
        for (int l = 0; l < 2; l++)
            multiply(kn[l], out[l], M, ns[j], K);
        assert_memory_equal(out[0], out[1], sizeof out[0]);
    }
}

static void packing_turns_rows(void **state)
{
    static float rows[PANEL_WIDTH * K], got[K * PANEL_WIDTH], want[K * PANEL_WIDTH];
    (void)state;
    fill(rows, PANEL_WIDTH * K);
    for (int l = 0; l < LEVELS; l++)
        for (int n = 1; kernels_named(levels[l]) && n <= PANEL_WIDTH; n += 9)
            for (int k = 1; k < 20; k += 3) {
                memset(got, 1, sizeof got);
                memset(want, 1, sizeof want);
                kernels_named(levels[l])->panel_pack(got, rows, K, n, k);
                kernels_plain.panel_pack(want, rows, K, n, k);
                assert_memory_equal(got, want, sizeof got);
                assert_true(want[0] == rows[0] && want[n - 1] == rows[(n - 1) * K]);
            }
}

/* Rows longer than a copy in place allows, cut into one call, and into calls of few rows. */
static void gemm_does_not_depend_on_how_x_is_cut(void **state)
{
    enum { ROWS = 300, COLS = 1100, TOKENS = 70, FEW = 9 };
    static uint16_t w[ROWS * COLS];
    static float in[TOKENS * COLS], out[2][TOKENS * ROWS];
    const struct matrix matrix = {w, DT_BF16, ROWS, COLS, NULL};
    struct pool *pool = pool_new(2);
    struct gemm g;
    (void)state;
    fill(in, TOKENS * COLS);
    for (int i = 0; i < ROWS * COLS; i++)
        w[i] = bf16_from_f32((float)rng_normal(&r));
    gemm_init(&g, pool, kernels_best(), false, COLS);
    if (!gemm_has_panels(kernels_best(), false)) {
        gemm_release(&g);
        pool_free(pool);
        skip();
        return;
    }
    gemm_weights(&g, &(struct product){out[0], &matrix}, 1, in, TOKENS);
    for (int at = 0; at < TOKENS; at += FEW)
        gemm_weights(&g, &(struct product){out[1] + at * ROWS, &matrix}, 1, in + at * COLS,
                     TOKENS - at < FEW ? TOKENS - at : FEW);
    gemm_release(&g);
    pool_free(pool);
    assert_memory_equal(out[0], out[1], sizeof out[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_level_agrees_with_plain),
        cmocka_unit_test(levels_give_the_same_bits),
        cmocka_unit_test(packing_turns_rows),
        cmocka_unit_test(gemm_does_not_depend_on_how_x_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
