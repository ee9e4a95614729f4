/*
 * Rows of codes for kernels.h where a level has nothing better: one by one, and products by way of
 * decoded rows.
 */
#include <assert.h>

#include "harness/tensor/kernels.h"

enum { ROWS_ROOM = 4096 }; // floats on the stack

typedef size_t unpack_fn(float *, const struct code_row *, const struct code_pairs *, const float *,
                         int);
typedef size_t unpack_rows_fn(float *, const struct code_rows *, const struct code_pairs *,
                              const float *, int);
typedef void scores_fn(float *, const float *, const float *, int, int, float);
typedef void mix_fn(float *, const float *, const float *, int, int);

static inline size_t unpack_each(unpack_fn *unpack, float *out, const struct code_rows *rows,
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

/* Some rows of those that are left, decoded into room for ROWS_ROOM floats; returns how many. */
static inline int take_rows(unpack_rows_fn *unpack_rows, float *room, struct code_rows *left,
                            struct code_pairs *pairs, const float *base, int n)
{
    struct code_rows some = *left;
    assert(n <= ROWS_ROOM);
    some.n = left->n < ROWS_ROOM / n ? left->n : ROWS_ROOM / n;
    left->first.bit += unpack_rows(room, &some, pairs, base, n);
    left->n -= some.n;
    if (left->first.mask)
        left->first.mask += (size_t)some.n * left->mask_stride;
    pairs->scale += some.n * left->scales_per_row, pairs->zero += some.n * left->scales_per_row;
    return some.n;
}

static inline size_t scores_each(unpack_rows_fn *unpack_rows, scores_fn *scorer, float *out,
                                 const float *q, const struct code_rows *rows,
                                 const struct code_pairs *pairs, const float *base, int n,
                                 float divisor)
{
    float room[ROWS_ROOM];
    struct code_rows left = *rows;
    struct code_pairs own = *pairs;
    scorer(out++, q, base, 1, n, divisor);
    for (int m; left.n > 0; out += m) {
        m = take_rows(unpack_rows, room, &left, &own, base, n);
        scorer(out, q, room, m, n, divisor);
    }
    return left.first.bit - rows->first.bit;
}

static inline size_t mix_each(unpack_rows_fn *unpack_rows, mix_fn *mixer, float *out,
                              const float *w, const struct code_rows *rows,
                              const struct code_pairs *pairs, int n)
{
    float room[ROWS_ROOM];
    struct code_rows left = *rows;
    struct code_pairs own = *pairs;
    for (int m; left.n > 0; w += m) {
        m = take_rows(unpack_rows, room, &left, &own, NULL, n);
        mixer(out, w, room, m, n);
    }
    return left.first.bit - rows->first.bit;
}
