/*
 * Products with weights over all threads against the bound that BLAS sets: sgemm on f32 weights on
 * one thread, times the threads (its own threading is never used by this program). More than 1 is
 * possible where few rows meet many weights: there sgemm is no bound.
 */
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"
#include "harness/base/pool.h"
#include "harness/base/rng.h"
#include "harness/tensor/gemm.h"
#include "runner/bench.h"

enum { ROWS_MAX = 512, SIDE_MAX = 2048 };

struct work {
    struct gemm gemm;
    struct matrix bf16;
    float *f32, *x, *out;
    void (*ours)(struct gemm *g, const struct product *p, int n, const float *x, int m);
    int m;
};

static double time_ours(void *arg, long n)
{
    struct work *w = arg;
    const struct product p = {w->out, &w->bf16};
    double start = clock_seconds();
    for (long i = 0; i < n; i++)
        w->ours(&w->gemm, &p, 1, w->x, w->m);
    return clock_seconds() - start;
}

static double time_sgemm(void *arg, long n)
{
    struct work *w = arg;
    int rows = w->bf16.rows, cols = w->bf16.cols;
    double start = clock_seconds();
    for (long i = 0; i < n; i++)
        gemm_nt(false, w->out, rows, w->x, cols, w->f32, cols, w->m, rows, cols, 1.0f);
    return clock_seconds() - start;
}

static const struct {
    bool prefill;
    int m, rows, cols;
} cases[] = {
    {true, 512, 256, 256},  {true, 512, 768, 256},   {true, 512, 256, 768}, {true, 512, 2048, 2048},
    {false, 1, 768, 256},   {false, 4, 768, 256},    {false, 16, 768, 256}, {false, 1, 2048, 2048},
    {false, 4, 2048, 2048}, {false, 16, 2048, 2048},
};

static void compare(struct bench *b, struct work *w, size_t i)
{
    char name[64];
    double work = 2e-9 * cases[i].m * cases[i].rows * cases[i].cols;
    w->m = cases[i].m;
    w->bf16.rows = cases[i].rows;
    w->bf16.cols = cases[i].cols;
    w->ours = cases[i].prefill ? gemm_weights : gemm_decode;
    snprintf(name, sizeof name, "%s %d x %dx%d", cases[i].prefill ? "prefill" : "decode",
             cases[i].m, cases[i].rows, cases[i].cols);
    struct bench_pair p = {.name = name,
                           .unit = "GFLOP/s",
                           .against = "sgemm, one thread, times threads",
                           .work_a = work,
                           .work_b = work * b->threads,
                           .a = time_ours,
                           .b = time_sgemm,
                           .arg_a = w,
                           .arg_b = w};
    bench_compare(b, &p);
}

static int run(struct bench *b, struct err *e)
{
    (void)e;
    struct rng r = {2};
    struct pool *pool = pool_new(b->threads);
    size_t side = SIDE_MAX, n = side * side;
    uint16_t *half = mem_aligned(n * sizeof *half);
    struct work w = {.f32 = mem_aligned(n * sizeof(float)),
                     .x = mem_aligned(ROWS_MAX * side * sizeof(float)),
                     .out = mem_aligned(ROWS_MAX * side * sizeof(float)),
                     .bf16 = {half, DT_BF16, SIDE_MAX, SIDE_MAX, NULL}};
    for (size_t i = 0; i < n; i++) {
        half[i] = bf16_from_f32((float)rng_normal(&r));
        w.f32[i] = bf16_to_f32(half[i]);
    }
    for (size_t i = 0; i < ROWS_MAX * side; i++)
        w.x[i] = (float)rng_normal(&r);
    gemm_init(&w.gemm, pool, kernels_best(), false, SIDE_MAX);
    bench_title(b, "bf16 weights, all threads");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        compare(b, &w, i);
    gemm_release(&w.gemm);
    pool_free(pool);
    free(half);
    free(w.f32);
    free(w.x);
    free(w.out);
    return 0;
}

const struct bench_kind bench_gemm = {
    .name = "gemm", .summary = "products with weights against BLAS", .run = run};
