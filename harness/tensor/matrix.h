/* A weight matrix in its stored format or packed, row-major, not owned: y = W x. */
#ifndef KVLAB_MATRIX_H
#define KVLAB_MATRIX_H

#include <assert.h>

#include "harness/tensor/quant_rows.h"

struct matrix {
    const void *data; // [rows][cols] of dtype
    enum dtype dtype; // DT_F32, DT_F16 or DT_BF16
    int rows, cols;
    const struct quant_rows *packed; // or NULL; data is where they come from, and is not read
};

static inline const void *matrix_row(const struct matrix *m, int row)
{
    assert(!m->packed);
    return (const char *)m->data + (size_t)row * (size_t)m->cols * dtype_size(m->dtype);
}

/* Packed rows from this one on. */
static inline struct quant_rows matrix_packed(const struct matrix *m, int row)
{
    struct quant_rows r = *m->packed;
    r.data += (size_t)row * r.stride;
    return r;
}

/* What a product with it reads, and what holds it. */
static inline uint64_t matrix_bits(const struct matrix *m)
{
    size_t row = m->packed ? m->packed->stride : (size_t)m->cols * dtype_size(m->dtype);
    return (uint64_t)m->rows * row * 8;
}

#endif
