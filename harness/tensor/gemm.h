/*
 * Products of many rows: prefill. Where the processor has SIMD kernels these are ours, by panels
 * (gemm_panel.h); else BLAS, whose only user is here, always with one BLAS thread: work is cut into
 * blocks of fixed size that the pool shares out. Results do not depend on the number of threads.
 * `plain` (--reference) runs loops of ours instead.
 */
#ifndef KVLAB_GEMM_H
#define KVLAB_GEMM_H

#include "harness/base/pool.h"
#include "harness/tensor/kernels.h"
#include "harness/tensor/matrix.h"

/* What gemm_weights computes in. */
enum compute { COMPUTE_F32, COMPUTE_BF16 };

struct gemm_bf16;

struct gemm {
    struct pool *pool;
    const struct kernels *kernels;
    bool plain;
    float *room; // for each worker, room_size floats: a block of weights as f32, or panels
    size_t room_size;
    int max_cols;
    struct gemm_bf16 *bf16; // gemm_weights in bf16; or NULL
    uint64_t bits_read;     // of matrices, by gemm_decode: counted where they are read
};

/* max_cols: of any matrix that will be given. */
void gemm_init(struct gemm *g, struct pool *pool, const struct kernels *kn, bool plain,
               int max_cols);
void gemm_release(struct gemm *g);
/* From now on gemm_weights, of at most max_rows rows of x, computes so; for bf16 gemm_bf16_check
 * was asked. */
void gemm_use(struct gemm *g, enum compute compute, int max_rows);

/* out[m][w->rows] = x[m][w->cols] * w^T */
struct product {
    float *out;
    const struct matrix *w;
};

/* Are products and attention computed by panels? */
bool gemm_has_panels(const struct kernels *kn, bool plain);

/* Products of the same x, all in one loop of the pool. */
void gemm_weights(struct gemm *g, const struct product *p, int n, const float *x, int m);
/* The same by the decode kernels: a row's result does not depend on m. */
void gemm_decode(struct gemm *g, const struct product *p, int n, const float *x, int m);

/* On the calling thread: out[m][n] = a[m][k] * b[n][k]^T  and  out[m][n] = a[m][k] * b[k][n] */
void gemm_nt(bool plain, float *out, int ld_out, const float *a, int ld_a, const float *b, int ld_b,
             int m, int n, int k, float scale);
void gemm_nn(bool plain, float *out, int ld_out, const float *a, int ld_a, const float *b, int ld_b,
             int m, int n, int k);

/* How many threads BLAS has for gemm_nt and gemm_nn; 1 unless it is to be measured by itself. */
void gemm_blas_threads(int n);

/* "OpenBLAS 0.3.21, SkylakeX": stored with every run. */
const char *gemm_blas_name(void);

#endif
