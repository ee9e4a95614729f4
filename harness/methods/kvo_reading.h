/*
 * The part of KVO that chooses what a step reads: of the rows before the last one to two windows
 * the chunks whose first row, the salient token where windows are ordered, each query likes best;
 * and all rows after them. Over any codec.
 */
#ifndef KVLAB_KVO_READING_H
#define KVLAB_KVO_READING_H

#include "harness/kv/method.h"

struct kvo_reading {
    int token_budget, window, chunk, first_layer;
};

size_t kvo_reading_scratch_size(const struct kvo_reading *r, const struct kv_shape *shape, int cap);
/* The hook select. */
void kvo_reading_select(const struct kvo_reading *r, const struct kv_part *p,
                        const struct kv_layer *layer, int kv_head, const float *q,
                        struct kv_range *out, int *n_out, int ld);

#endif
