#include "harness/tensor/gemm_bf16.h"

#include <assert.h>

#ifdef HAVE_DNNL
#include <stdlib.h>
#include <string.h>

#include <dnnl.h>

#include "harness/base/mem.h"

/* oneDNN shares work out by OpenMP, whose header not every compiler brings. Holds for the calling
 * thread alone. */
extern void omp_set_num_threads(int n);

/* Rows of x of one call, the last ones filled up; of weights at most. */
enum { X_ROWS = 128, ITEM_ROWS = 256, ITEM_ROWS_LEAST = 64, ITEMS_PER_THREAD = 3 };

/* out [X_ROWS][ld] from n rows of weights of k columns. */
struct plan {
    int n, k, ld;
    dnnl_primitive_t primitive;
    dnnl_memory_desc_t x, w, out, scratch;
    struct plan *next;
};

struct worker {
    dnnl_stream_t stream;
    uint16_t *weights; // [ITEM_ROWS][max_cols], where they are not bf16 already
    float *wide;       // [ITEM_ROWS][max_cols]
    float *last;       // [X_ROWS][ITEM_ROWS]: results of rows that are filled up
    void *scratch;
    size_t scratch_size;
};

struct gemm_bf16 {
    struct pool *pool;
    const struct kernels *kernels;
    int max_cols, max_rows;
    dnnl_engine_t engine;
    struct worker *workers;
    struct plan *plans;
    uint16_t *x; // [max_rows, filled up][max_cols]
};

struct job {
    struct gemm_bf16 *b;
    const struct product *products;
    const float *x;
    int m, rows; // of an item
};

/* It has no way on: sizes are right, so memory is out or the library broken. */
static void must(dnnl_status_t status)
{
    if (status != dnnl_success)
        die("oneDNN: error %d in a product of bf16", (int)status);
}

int gemm_bf16_check(struct err *e)
{
    if (__builtin_cpu_supports("avx512bf16"))
        return 0;
    return err_user(e, "compute 'bf16': this processor has neither AVX512-BF16 nor AMX; use 'f32'");
}

static int padded(int m)
{
    return (m + X_ROWS - 1) / X_ROWS * X_ROWS;
}

struct gemm_bf16 *gemm_bf16_new(const struct gemm *g, int max_rows)
{
    struct gemm_bf16 *b = xcalloc(1, sizeof *b);
    size_t cols = (size_t)g->max_cols, threads = (size_t)pool_threads(g->pool);
    *b = (struct gemm_bf16){g->pool, g->kernels, g->max_cols, max_rows, NULL, NULL, NULL, NULL};
    must(dnnl_engine_create(&b->engine, dnnl_cpu, 0));
    b->x = mem_aligned(mem_size(cols, (size_t)padded(max_rows) * sizeof *b->x));
    b->workers = xcalloc(threads, sizeof *b->workers);
    for (size_t i = 0; i < threads; i++) { // untouched memory costs nothing
        struct worker *w = &b->workers[i];
        must(dnnl_stream_create(&w->stream, b->engine, dnnl_stream_default_flags));
        w->weights = mem_aligned(mem_size(cols, ITEM_ROWS * sizeof *w->weights));
        w->wide = mem_aligned(mem_size(cols, ITEM_ROWS * sizeof *w->wide));
        w->last = mem_aligned((size_t)X_ROWS * ITEM_ROWS * sizeof *w->last);
    }
    return b;
}

void gemm_bf16_free(struct gemm_bf16 *b)
{
    if (!b)
        return;
    for (int i = 0; i < pool_threads(b->pool); i++) {
        struct worker *w = &b->workers[i];
        dnnl_stream_destroy(w->stream);
        free(w->weights);
        free(w->wide);
        free(w->last);
        free(w->scratch);
    }
    while (b->plans) {
        struct plan *p = b->plans;
        b->plans = p->next;
        dnnl_primitive_destroy(p->primitive);
        free(p);
    }
    dnnl_engine_destroy(b->engine);
    free(b->workers);
    free(b->x);
    free(b);
}

/* Scratch memory is the caller's: then threads may share a primitive. */
static void make_primitive(struct gemm_bf16 *b, struct plan *p)
{
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t desc;
    dnnl_matmul_desc_t op;
    const dnnl_dims_t x = {X_ROWS, p->k}, w = {p->k, p->n}, out = {X_ROWS, p->n};
    const dnnl_dims_t x_ld = {p->k, 1}, w_ld = {1, p->k}, out_ld = {p->ld, 1};
    must(dnnl_memory_desc_init_by_strides(&p->x, 2, x, dnnl_bf16, x_ld));
    must(dnnl_memory_desc_init_by_strides(&p->w, 2, w, dnnl_bf16, w_ld));
    must(dnnl_memory_desc_init_by_strides(&p->out, 2, out, dnnl_f32, out_ld));
    must(dnnl_matmul_desc_init(&op, &p->x, &p->w, NULL, &p->out));
    must(dnnl_primitive_attr_create(&attr));
    must(dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
    must(dnnl_primitive_desc_create(&desc, &op, attr, b->engine, NULL));
    p->scratch = *dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
    must(dnnl_primitive_create(&p->primitive, desc));
    dnnl_primitive_desc_destroy(desc);
    dnnl_primitive_attr_destroy(attr);
}

static const struct plan *find_plan(const struct gemm_bf16 *b, int n, int k, int ld)
{
    const struct plan *p = b->plans;
    while (p && (p->n != n || p->k != k || p->ld != ld))
        p = p->next;
    return p;
}

static void need_plan(struct gemm_bf16 *b, int n, int k, int ld)
{
    if (n == 0 || find_plan(b, n, k, ld))
        return;
    struct plan *p = xcalloc(1, sizeof *p);
    *p = (struct plan){.n = n, .k = k, .ld = ld, .next = b->plans};
    make_primitive(b, p);
    b->plans = p;
}

/* Before the pool runs: of whole items and of a matrix's last one. */
static void need_plans(struct job *j, int n)
{
    omp_set_num_threads(1);
    for (int i = 0; i < n; i++) {
        const struct matrix *w = j->products[i].w;
        const int rows[] = {w->rows < j->rows ? 0 : j->rows, w->rows % j->rows};
        for (int r = 0; r < 2; r++) {
            need_plan(j->b, rows[r], w->cols, w->rows);
            need_plan(j->b, rows[r], w->cols, ITEM_ROWS);
        }
    }
}

static void run_plan(struct gemm_bf16 *b, struct worker *w, const struct plan *p, void *out,
                     void *x, void *weights)
{
    size_t size = dnnl_memory_desc_get_size(&p->scratch);
    if (size > w->scratch_size) {
        free(w->scratch);
        w->scratch = mem_aligned(w->scratch_size = size);
    }
    dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, NULL},
                              {DNNL_ARG_WEIGHTS, NULL},
                              {DNNL_ARG_DST, NULL},
                              {DNNL_ARG_SCRATCHPAD, NULL}};
    must(dnnl_memory_create(&args[0].memory, &p->x, b->engine, x));
    must(dnnl_memory_create(&args[1].memory, &p->w, b->engine, weights));
    must(dnnl_memory_create(&args[2].memory, &p->out, b->engine, out));
    must(dnnl_memory_create(&args[3].memory, &p->scratch, b->engine, w->scratch));
    must(dnnl_primitive_execute(p->primitive, w->stream, 4, args));
    must(dnnl_stream_wait(w->stream));
    for (int i = 0; i < 4; i++)
        dnnl_memory_destroy(args[i].memory);
}

/* To the nearest, ties to even, as bf16_from_f32 does for numbers. */
static void narrow(uint16_t *out, const float *in, long n)
{
    for (long i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, in + i, sizeof bits);
        out[i] = (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
    }
}

static void narrow_row(void *arg, int i, int worker)
{
    struct job *j = arg;
    long k = j->products[0].w->cols;
    (void)worker;
    if (i < j->m)
        narrow(j->b->x + i * k, j->x + i * k, k);
    else
        memset(j->b->x + i * k, 0, (size_t)k * sizeof *j->b->x);
}

/* Rows of w as bf16; bf16 weights where they are. */
static void *narrow_weights(const struct gemm_bf16 *b, struct worker *t, const struct matrix *w,
                            int row, int rows)
{
    long n = (long)rows * w->cols;
    const float *wide = t->wide;
    if (w->packed) {
        const struct quant_rows packed = matrix_packed(w, row);
        b->kernels->widen_quant(t->wide, &packed, rows);
    } else if (w->dtype == DT_BF16) {
        return (void *)matrix_row(w, row);
    } else if (w->dtype == DT_F16) {
        b->kernels->widen_f16(t->wide, matrix_row(w, row), n);
    } else {
        wide = matrix_row(w, row);
    }
    narrow(t->weights, wide, n);
    return t->weights;
}

static int items_of(const struct matrix *w, int rows)
{
    return (w->rows + rows - 1) / rows;
}

static void run_item(void *arg, int i, int worker)
{
    struct job *j = arg;
    struct worker *t = &j->b->workers[worker];
    const struct product *p = j->products;
    for (; i >= items_of(p->w, j->rows); p++)
        i -= items_of(p->w, j->rows);
    int row = i * j->rows, left = p->w->rows - row, rows = left < j->rows ? left : j->rows;
    int k = p->w->cols, ld = p->w->rows, at = 0;
    void *weights = narrow_weights(j->b, t, p->w, row, rows);
    omp_set_num_threads(1);
    for (; at + X_ROWS <= j->m; at += X_ROWS)
        run_plan(j->b, t, find_plan(j->b, rows, k, ld), p->out + (long)at * ld + row,
                 j->b->x + (long)at * k, weights);
    if (at == j->m)
        return;
    run_plan(j->b, t, find_plan(j->b, rows, k, ITEM_ROWS), t->last, j->b->x + (long)at * k,
             weights);
    for (; at < j->m; at++)
        memcpy(p->out + (long)at * ld + row, t->last + (long)(at % X_ROWS) * ITEM_ROWS,
               (size_t)rows * sizeof *t->last);
}

static int count_items(const struct job *j, int n)
{
    int items = 0;
    for (int i = 0; i < n; i++)
        items += items_of(j->products[i].w, j->rows);
    return items;
}

void gemm_bf16_weights(struct gemm_bf16 *b, const struct product *p, int n, const float *x, int m)
{
    struct job j = {b, p, x, m, ITEM_ROWS};
    assert(m <= b->max_rows && p[0].w->cols <= b->max_cols);
    while (j.rows > ITEM_ROWS_LEAST &&
           count_items(&j, n) < ITEMS_PER_THREAD * pool_threads(b->pool))
        j.rows /= 2;
    need_plans(&j, n);
    pool_run(b->pool, padded(m), narrow_row, &j);
    pool_run(b->pool, count_items(&j, n), run_item, &j);
}

#else

int gemm_bf16_check(struct err *e)
{
    return err_user(e, "compute 'bf16': this program was built without oneDNN; install Debian's "
                       "libdnnl-dev and build again, or use 'f32'");
}

struct gemm_bf16 *gemm_bf16_new(const struct gemm *g, int max_rows)
{
    (void)g, (void)max_rows;
    return NULL;
}

void gemm_bf16_free(struct gemm_bf16 *b)
{
    (void)b;
}

void gemm_bf16_weights(struct gemm_bf16 *b, const struct product *p, int n, const float *x, int m)
{
    (void)b, (void)p, (void)n, (void)x, (void)m;
    assert(!"bf16 products without oneDNN");
}
#endif
