/*
 * gemm_weights in bf16 by oneDNN, where it was found when the program was built and the processor
 * has AVX512-BF16 or AMX: x and weights of other formats are rounded to bf16 (to the nearest, ties
 * to even), products are added up in f32. oneDNN is called from the threads of our pool, each with
 * one thread of its own, on blocks of fixed size: results depend neither on the number of threads
 * nor on how many rows x has. They do depend on oneDNN's version and on the processor.
 */
#ifndef KVLAB_GEMM_BF16_H
#define KVLAB_GEMM_BF16_H

#include "harness/base/err.h"
#include "harness/tensor/gemm.h"

struct gemm_bf16;

/* Can it be had here? ERR_USER: what is missing. */
int gemm_bf16_check(struct err *e);

/* Only where it can be had. g is borrowed; max_rows: of any x. */
struct gemm_bf16 *gemm_bf16_new(const struct gemm *g, int max_rows);
void gemm_bf16_free(struct gemm_bf16 *b);

void gemm_bf16_weights(struct gemm_bf16 *b, const struct product *p, int n, const float *x, int m);

#endif
