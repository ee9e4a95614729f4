/* A weight matrix in its stored format, row-major, not owned: y = W x. */
#ifndef KVLAB_MATRIX_H
#define KVLAB_MATRIX_H

#include "harness/tensor/dtype.h"

struct matrix {
    const void *data; // [rows][cols] of dtype
    enum dtype dtype; // DT_F32, DT_F16 or DT_BF16
    int rows, cols;
};

static inline const void *matrix_row(const struct matrix *m, int row)
{
    return (const char *)m->data + (size_t)row * (size_t)m->cols * dtype_size(m->dtype);
}

#endif
