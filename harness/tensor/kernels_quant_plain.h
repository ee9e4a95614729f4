/* Part of kernels_plain.c: products with packed weights, one weight at a time. */
#include "harness/tensor/quant_rows.h"

static void matmul_quant(float *out, int ld_out, const float *x, int ld_x, int m,
                         const struct quant_rows *w, int n)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float sum = 0;
            for (int l = 0; l < w->cols; l++)
                sum += x[(long)i * ld_x + l] * quant_weight(w, quant_row(w, j), l);
            out[(long)i * ld_out + j] = sum;
        }
}

static void widen_quant(float *out, const struct quant_rows *w, int n)
{
    for (int j = 0; j < n; j++)
        for (int l = 0; l < w->cols; l++)
            out[(long)j * w->cols + l] = quant_weight(w, quant_row(w, j), l);
}
