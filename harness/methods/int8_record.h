/*
 * INT8 rows of one head as records (struct int8_rows of packed.h): codes of the head's channels,
 * then a pair of scale and offset for each group of them, in f16 or f32.
 */
#ifndef KVLAB_INT8_RECORD_H
#define KVLAB_INT8_RECORD_H

#include "harness/methods/kvo_quant.h"
#include "harness/tensor/packed.h"

/* Bytes of a record. group divides d. */
size_t int8_record_size(int d, const struct kvo_quant *q);
/* How the kernels read n records that lie `stride` bytes apart. */
struct int8_rows int8_record_rows(const uint8_t *first, size_t stride, int d,
                                  const struct kvo_quant *q);
/* x[d] becomes what the record decodes to. */
void int8_record_put(const struct kernels *kn, uint8_t *record, float *x, int d,
                     const struct kvo_quant *q);

/* n pairs as stored: all scales, then all offsets. */
size_t kvo_pairs_size(int n, const struct kvo_quant *q);
uint8_t *kvo_pairs_put(uint8_t *to, const struct kvo_pair *pairs, int n, const struct kvo_quant *q);

#endif
