#include "harness/tensor/gemm.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <cblas.h>

#include "harness/base/mem.h"
#include "harness/tensor/gemm_bf16.h"
#include "harness/tensor/gemm_panel.h"

/* Weight rows of one block: small enough to share out a 256-row matrix, large enough for BLAS. */
enum { BLOCK_PREFILL = 128, BLOCK_DECODE = 64 };

void gemm_init(struct gemm *g, struct pool *pool, const struct kernels *kn, bool plain,
               int max_cols)
{
    *g = (struct gemm){.pool = pool, .kernels = kn, .plain = plain, .max_cols = max_cols};
    g->room_size =
        gemm_has_panels(kn, plain) ? gemm_panel_room(max_cols) : (size_t)max_cols * BLOCK_PREFILL;
    g->room =
        mem_aligned(mem_size(mem_size(g->room_size, sizeof *g->room), (size_t)pool_threads(pool)));
}

void gemm_release(struct gemm *g)
{
    gemm_bf16_free(g->bf16);
    free(g->room);
    *g = (struct gemm){0};
}

void gemm_use(struct gemm *g, enum compute compute, int max_rows)
{
    if ((compute == COMPUTE_BF16) == (g->bf16 != NULL))
        return;
    gemm_bf16_free(g->bf16);
    g->bf16 = compute == COMPUTE_BF16 ? gemm_bf16_new(g, max_rows) : NULL;
}

bool gemm_has_panels(const struct kernels *kn, bool plain)
{
    return !plain && kn != &kernels_plain;
}

struct job {
    struct gemm *g;
    const struct product *products;
    const float *x;
    int m, block;
};

/* Rows of one weight matrix, and where their results go. */
struct block {
    const struct matrix *w;
    float *out;
    int row, rows;
};

static int blocks_of(const struct matrix *w, int block)
{
    return (w->rows + block - 1) / block;
}

static struct block find_block(const struct job *j, int item)
{
    const struct product *p = j->products;
    for (; item >= blocks_of(p->w, j->block); p++)
        item -= blocks_of(p->w, j->block);
    int row = item * j->block, left = p->w->rows - row;
    return (struct block){p->w, p->out + row, row, left < j->block ? left : j->block};
}

static void run_blocks(struct job *j, int n, void (*run)(void *, int, int))
{
    int items = 0;
    for (int i = 0; i < n; i++)
        items += blocks_of(j->products[i].w, j->block);
    pool_run(j->g->pool, items, run, j);
}

static const float *widen_block(struct gemm *g, const struct block *b, int worker)
{
    float *wide = g->room + (size_t)worker * g->room_size;
    assert(b->w->cols <= g->max_cols);
    if (b->w->packed) {
        const struct quant_rows packed = matrix_packed(b->w, b->row);
        g->kernels->widen_quant(wide, &packed, b->rows);
        return wide;
    }
    const void *rows = matrix_row(b->w, b->row);
    if (b->w->dtype == DT_F32)
        return rows;
    long n = (long)b->rows * b->w->cols;
    if (b->w->dtype == DT_F16)
        g->kernels->widen_f16(wide, rows, n);
    else
        g->kernels->widen_bf16(wide, rows, n);
    return wide;
}

static void prefill_block(void *arg, int item, int worker)
{
    struct job *j = arg;
    struct block b = find_block(j, item);
    int k = b.w->cols;
    gemm_nt(j->g->plain, b.out, b.w->rows, j->x, k, widen_block(j->g, &b, worker), k, j->m, b.rows,
            k, 1.0f);
}

void gemm_weights(struct gemm *g, const struct product *p, int n, const float *x, int m)
{
    struct job j = {g, p, x, m, BLOCK_PREFILL};
    if (g->bf16)
        gemm_bf16_weights(g->bf16, p, n, x, m);
    else if (gemm_has_panels(g->kernels, g->plain))
        gemm_panels(g, p, n, x, m);
    else
        run_blocks(&j, n, prefill_block);
}

/* From here on decoding the weights once is quicker than once for every four rows of x. */
static bool widens_first(const struct matrix *w, int m)
{
    enum { TABLE_BITS = 4, ROWS_BY_TABLE = 32, ROWS = 8 };
    return w->packed && m >= (w->packed->bits > TABLE_BITS ? ROWS : ROWS_BY_TABLE);
}

/* A few rows of weights at a time, which stay near; the same bits as matmul_quant. */
static void decode_widened(const struct job *j, const struct block *b, int worker)
{
    enum { NEAR = 16 };
    int k = b->w->cols;
    for (int i = 0; i < b->rows; i += NEAR) {
        int n = b->rows - i < NEAR ? b->rows - i : NEAR;
        struct block some = {b->w, b->out + i, b->row + i, n};
        j->g->kernels->matmul_f32(some.out, b->w->rows, j->x, k, j->m,
                                  widen_block(j->g, &some, worker), n, k);
    }
}

static void decode_block(void *arg, int item, int worker)
{
    struct job *j = arg;
    struct block b = find_block(j, item);
    int k = b.w->cols;
    if (widens_first(b.w, j->m)) {
        decode_widened(j, &b, worker);
        return;
    }
    if (b.w->packed) {
        const struct quant_rows packed = matrix_packed(b.w, b.row);
        j->g->kernels->matmul_quant(b.out, b.w->rows, j->x, k, j->m, &packed, b.rows);
        return;
    }
    kernels_matmul(j->g->kernels, b.out, b.w->rows, j->x, k, j->m, matrix_row(b.w, b.row),
                   b.w->dtype, b.rows, k);
}

void gemm_decode(struct gemm *g, const struct product *p, int n, const float *x, int m)
{
    struct job j = {g, p, x, m, BLOCK_DECODE};
    for (int i = 0; i < n; i++)
        g->bits_read += matrix_bits(p[i].w);
    run_blocks(&j, n, decode_block);
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

void gemm_blas_threads(int n)
{
    blas_ready();
    openblas_set_num_threads(n);
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
