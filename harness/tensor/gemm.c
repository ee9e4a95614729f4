#include "harness/tensor/gemm.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <cblas.h>

#include "harness/base/mem.h"

/* Weight rows of one block: small enough to share out a 256-row matrix, large enough for BLAS. */
enum { BLOCK_PREFILL = 128, BLOCK_DECODE = 64 };

void gemm_init(struct gemm *g, struct pool *pool, const struct kernels *kn, bool plain,
               int max_cols)
{
    size_t block = mem_size((size_t)max_cols * BLOCK_PREFILL, sizeof(float));
    *g = (struct gemm){pool, kn, plain, NULL, max_cols};
    g->widened = mem_aligned(mem_size(block, (size_t)pool_threads(pool)));
}

void gemm_release(struct gemm *g)
{
    free(g->widened);
    *g = (struct gemm){0};
}

struct job {
    struct gemm *g;
    float *out;
    const float *x;
    int m;
    const struct matrix *w;
};

static const float *widen_block(struct job *j, int row, int rows, int worker)
{
    const struct matrix *w = j->w;
    if (w->dtype == DT_F32)
        return matrix_row(w, row);
    float *block = j->g->widened + (size_t)worker * (size_t)j->g->max_cols * BLOCK_PREFILL;
    long n = (long)rows * w->cols;
    if (w->dtype == DT_F16)
        j->g->kernels->widen_f16(block, matrix_row(w, row), n);
    else
        j->g->kernels->widen_bf16(block, matrix_row(w, row), n);
    return block;
}

static void prefill_block(void *arg, int item, int worker)
{
    struct job *j = arg;
    int row = item * BLOCK_PREFILL, left = j->w->rows - row;
    int rows = left < BLOCK_PREFILL ? left : BLOCK_PREFILL, k = j->w->cols;
    gemm_nt(j->g->plain, j->out + row, j->w->rows, j->x, k, widen_block(j, row, rows, worker), k,
            j->m, rows, k, 1.0f);
}

void gemm_weights(struct gemm *g, float *out, const float *x, int m, const struct matrix *w)
{
    struct job j = {g, out, x, m, w};
    assert(w->cols <= g->max_cols);
    pool_run(g->pool, (w->rows + BLOCK_PREFILL - 1) / BLOCK_PREFILL, prefill_block, &j);
}

static void decode_block(void *arg, int item, int worker)
{
    struct job *j = arg;
    int row = item * BLOCK_DECODE, left = j->w->rows - row;
    int rows = left < BLOCK_DECODE ? left : BLOCK_DECODE, k = j->w->cols;
    (void)worker;
    kernels_matmul(j->g->kernels, j->out + row, j->w->rows, j->x, k, j->m, matrix_row(j->w, row),
                   j->w->dtype, rows, k);
}

void gemm_decode(struct gemm *g, float *out, const float *x, int m, const struct matrix *w)
{
    struct job j = {g, out, x, m, w};
    pool_run(g->pool, (w->rows + BLOCK_DECODE - 1) / BLOCK_DECODE, decode_block, &j);
}

static void plain_nt(float *out, int ld_out, const float *a, int ld_a, const float *b, int ld_b,
                     int m, int n, int k, float scale)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float sum = 0;
            for (int l = 0; l < k; l++)
                sum += a[(long)i * ld_a + l] * b[(long)j * ld_b + l];
            out[(long)i * ld_out + j] = sum * scale;
        }
}

static void one_blas_thread(void)
{
    openblas_set_num_threads(1);
}

/* Whoever comes first: the pool is the only one that shares out work. */
static void blas_ready(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, one_blas_thread);
}

void gemm_nt(bool plain, float *out, int ld_out, const float *a, int ld_a, const float *b, int ld_b,
             int m, int n, int k, float scale)
{
    if (plain) {
        plain_nt(out, ld_out, a, ld_a, b, ld_b, m, n, k, scale);
        return;
    }
    blas_ready();
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, scale, a, ld_a, b, ld_b, 0, out,
                ld_out);
}

static void plain_nn(float *out, int ld_out, const float *a, int ld_a, const float *b, int ld_b,
                     int m, int n, int k)
{
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++)
            out[(long)i * ld_out + j] = 0;
        for (int l = 0; l < k; l++)
            for (int j = 0; j < n; j++)
                out[(long)i * ld_out + j] += a[(long)i * ld_a + l] * b[(long)l * ld_b + j];
    }
}

void gemm_nn(bool plain, float *out, int ld_out, const float *a, int ld_a, const float *b, int ld_b,
             int m, int n, int k)
{
    if (plain) {
        plain_nn(out, ld_out, a, ld_a, b, ld_b, m, n, k);
        return;
    }
    blas_ready();
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1.0f, a, ld_a, b, ld_b, 0, out,
                ld_out);
}

const char *gemm_blas_name(void)
{
    static char name[128];
    snprintf(name, sizeof name, "%.80s, %.30s", openblas_get_config(), openblas_get_corename());
    return name;
}
