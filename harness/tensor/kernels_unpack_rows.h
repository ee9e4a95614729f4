/* Rows of codes one by one: kernels.h's unpack_rows where no level has better. */
#include "harness/tensor/kernels.h"

static inline size_t unpack_each(size_t (*unpack)(float *, const struct code_row *,
                                                  const struct code_pairs *, const float *, int),
                                 float *out, const struct code_rows *rows,
                                 const struct code_pairs *pairs, const float *base, int n)
{
    struct code_row row = rows->first;
    struct code_pairs own = *pairs;
    for (int i = 0; i < rows->n; i++, out += n) {
        row.bit += unpack(out, &row, &own, base, n);
        row.mask = row.mask ? row.mask + rows->mask_stride : NULL;
        own.scale += rows->scales_per_row, own.zero += rows->scales_per_row;
    }
    return row.bit - rows->first.bit;
}
