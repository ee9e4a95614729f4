/*
 * The hot loops: one table of functions a processor level, chosen at run time.
 *
 * kernels_plain.c is the twin that says what each one computes; kernels_avx2.c and
 * kernels_avx512.c are compiled from one body (kernels_simd.h) over 16 lanes, and give the same
 * bits as each other. Every sum runs in an order fixed by its length alone: a row's result
 * depends neither on how many rows are computed beside it nor on the thread that does it.
 * No allocation, no state; pointers need no alignment.
 */
#ifndef KVLAB_KERNELS_H
#define KVLAB_KERNELS_H

#include <stdbool.h>

#include "harness/tensor/dtype.h"
#include "harness/tensor/group_quant.h"
#include "harness/tensor/packed.h"
#include "harness/tensor/quant_rows.h"

/* A panel holds this many rows of weights (or keys) turned: [k][PANEL_WIDTH]. Sums of longer rows
 * than PANEL_DEPTH are taken of so many at a time, and these added in order. */
enum { PANEL_WIDTH = 64, PANEL_DEPTH = 256 };

struct kernels {
    const char *name; // "plain", "avx2", "avx512": stored with every run

    /* out[i][j] = x[i] . w[j] for i < m, j < n: weights in their stored format */
    void (*matmul_f32)(float *out, int ld_out, const float *x, int ld_x, int m, const void *w,
                       int n, int k); // w [n][k]
    void (*matmul_f16)(float *out, int ld_out, const float *x, int ld_x, int m, const void *w,
                       int n, int k);
    void (*matmul_bf16)(float *out, int ld_out, const float *x, int ld_x, int m, const void *w,
                        int n, int k);

    /* out[i] = (q . rows[i]) / divisor */
    void (*scores)(float *out, const float *q, const float *rows, int n, int d, float divisor);
    /* out[d] += sum over i of w[i] * rows[i], in order of i */
    void (*mix)(float *out, const float *w, const float *rows, int n, int d);
    /* x = exp(x - max) / sum, over n > 0 numbers */
    void (*softmax)(float *x, int n);
    /* out = x / sqrt(mean(x^2) + eps) * weight */
    void (*rmsnorm)(float *out, const float *x, const float *weight, int n, float eps);
    /* gate = gate / (1 + exp(-gate)) * up */
    void (*silu_mul)(float *gate, const float *up, int n);
    /* pairs (x[i], x[i + half]) turned by the angle of (cos[i], sin[i]): Hugging Face's rotate_half
     */
    void (*rope)(float *x, const float *cos, const float *sin, int half);
    /* x += y */
    void (*add)(float *x, const float *y, int n);
    /* out[i] = x[i] * by / over, at least `least`; NaN stays */
    void (*rescale)(float *out, const float *x, int n, float by, float over, float least);
    /* How many of x[i] are at least `least`. */
    int (*count_from)(const float *x, int n, float least);
    /* out[i] = the f32 value of in[i] */
    void (*widen_f16)(float *out, const uint16_t *in, long n);
    void (*widen_bf16)(float *out, const uint16_t *in, long n);
    /* out[i] = in[i] as f16, to the nearest, ties to even; beyond its range infinity */
    void (*narrow_f16)(uint16_t *out, const float *in, long n);

    /* Rows of a cache in other forms: bit for bit what scores and mix of the same level make of
     * the rows as f32. Rows of f16: */
    void (*scores_f16)(float *out, const float *q, const uint16_t *rows, int n, int d,
                       float divisor);
    void (*mix_f16)(float *out, const float *w, const uint16_t *rows, int n, int d);
    /* INT8 rows (packed.h). out[i * ld + j] = (q[i] . row j) / divisor; q [n_q][rows->d] */
    void (*scores_int8)(float *out, int ld, const float *q, int n_q, const struct int8_rows *rows,
                        int n, float divisor);
    void (*mix_int8)(float *out, const float *w, const struct int8_rows *rows, int n);
    /* The rows as f32 [n][rows->d]. */
    void (*widen_int8)(float *out, const struct int8_rows *rows, int n);
    /* out[i * ld + j] = unit * sum over groups of (scale * (codes . w) + (zero + lowest * scale) *
     * (sum of w)), of query i and row j: codes . w exactly, the other operations rounded each, left
     * to right. max[i * (ld / 16) + t]: the largest of tile t. */
    void (*scan_tiles)(float *out, int ld, float *max, const struct int8_query *q, int n_q,
                       const struct int8_tiles *tiles, int n_tiles);
    /* Row i of the first tile as f32 [tiles->d]: bit for bit what widen_int8 makes of it. */
    void (*widen_tile)(float *out, const struct int8_tiles *tiles, int i);
    /* out[i] = kept ? (code + lowest) * scale + zero : 0, and that added to base[i] if there is a
     * base, i < n; returns how many bits of codes it passed. */
    size_t (*unpack)(float *out, const struct code_row *row, const struct code_pairs *pairs,
                     const float *base, int n);
    /* out [rows->n][n]: what unpack makes of each, in order; `pairs` are the first row's. */
    size_t (*unpack_rows)(float *out, const struct code_rows *rows, const struct code_pairs *pairs,
                          const float *base, int n);
    /* Bit for bit what scores and mix make of the rows of unpack_rows, n <= 4096: of `base` and
     * then of these, out [1 + rows->n]; and of rows without a base. Both return what unpack_rows
     * does. */
    size_t (*scores_codes)(float *out, const float *q, const struct code_rows *rows,
                           const struct code_pairs *pairs, const float *base, int n, float divisor);
    size_t (*mix_codes)(float *out, const float *w, const struct code_rows *rows,
                        const struct code_pairs *pairs, int n);
    /* The group quantizer of n > 0 numbers: codes of at most 8 bits, and the pair. */
    struct group_pair (*encode_group)(uint8_t *codes, const float *x, int n,
                                      const struct group_form *form);
    /* The way back: codes of 1 to 8 bits, one a byte, of the channels in `mask` (NULL: all), from
     * bit `bit` of `to` on, where zeros are; no byte beyond the last code is touched. Returns how
     * many bits it wrote. */
    size_t (*pack)(uint8_t *to, size_t bit, const uint8_t *codes, const uint8_t *mask, int bits,
                   int n);

    /* Over n packed rows: as matmul_f32 over the decoded ones, bit for bit, and their decoding */
    void (*matmul_quant)(float *out, int ld_out, const float *x, int ld_x, int m,
                         const struct quant_rows *w, int n);
    void (*widen_quant)(float *out, const struct quant_rows *w, int n); // out [n][w->cols]

    /* Products of many rows. out[i][j] = (add ? out[i][j] : 0) + scale * sum over l < k of x[i][l]
     * * panel[l][j], i < m, j < n: (i, j) is the same whatever stands beside it. */
    void (*panel_mul)(float *out, int ld_out, const float *x, int ld_x, int m, const float *panel,
                      int ld_panel, int n, int k, float scale, bool add);
    /* panel[l][j] = rows[j][l], l < k, j < n <= PANEL_WIDTH; 0 in the columns beyond */
    void (*panel_pack)(float *panel, const float *rows, int ld, int n, int k);
};

extern const struct kernels kernels_plain;
#ifdef __x86_64__
extern const struct kernels kernels_avx2, kernels_avx512, kernels_avx512vbmi;
#endif

/* The best that this processor runs. */
const struct kernels *kernels_best(void);
/* By name; NULL when there is none or this processor lacks it. */
const struct kernels *kernels_named(const char *name);

/* matmul of the weights' format (F32, F16 or BF16). */
void kernels_matmul(const struct kernels *kn, float *out, int ld_out, const float *x, int ld_x,
                    int m, const void *w, enum dtype format, int n, int k);

#endif
