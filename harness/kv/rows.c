#include "harness/kv/rows.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"

void kv_rows_init(struct kv_rows *r, const struct kv_shape *shape, int cap)
{
    size_t row = (size_t)shape->n_kv_heads * (size_t)shape->head_dim * sizeof(float);
    r->n = 0;
    r->cap = cap;
    r->k = mem_aligned(mem_size(row, (size_t)cap));
    r->v = mem_aligned(mem_size(row, (size_t)cap));
}

void kv_rows_release(struct kv_rows *r)
{
    free(r->k);
    free(r->v);
    *r = (struct kv_rows){0};
}

void kv_rows_push(struct kv_rows *r, const struct kv_shape *shape, const float *k, const float *v)
{
    int d = shape->head_dim;
    size_t bytes = (size_t)d * sizeof(float);
    assert(r->n < r->cap);
    for (int h = 0; h < shape->n_kv_heads; h++) {
        memcpy(kv_rows_k(r, d, h, r->n), k + (size_t)h * (size_t)d, bytes);
        memcpy(kv_rows_v(r, d, h, r->n), v + (size_t)h * (size_t)d, bytes);
    }
    r->n++;
}

void kv_rows_copy(struct kv_rows *dst, const struct kv_rows *src, const struct kv_shape *shape)
{
    int d = shape->head_dim;
    size_t bytes = (size_t)src->n * (size_t)d * sizeof(float);
    assert(dst->n == 0 && dst->cap >= src->n);
    for (int h = 0; h < shape->n_kv_heads; h++) {
        memcpy(kv_rows_k(dst, d, h, 0), kv_rows_k(src, d, h, 0), bytes);
        memcpy(kv_rows_v(dst, d, h, 0), kv_rows_v(src, d, h, 0), bytes);
    }
    dst->n = src->n;
}
