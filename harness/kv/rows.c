#include "harness/kv/rows.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/tensor/topk.h"

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

void kv_rows_push(struct kv_rows *r, const struct kv_shape *shape, const struct kv_rows *src,
                  int from, int n)
{
    int d = shape->head_dim;
    size_t bytes = (size_t)n * (size_t)d * sizeof(float);
    assert(r->n + n <= r->cap && from + n <= src->n);
    for (int h = 0; h < shape->n_kv_heads; h++) {
        memcpy(kv_rows_k(r, d, h, r->n), kv_rows_k(src, d, h, from), bytes);
        memcpy(kv_rows_v(r, d, h, r->n), kv_rows_v(src, d, h, from), bytes);
    }
    r->n += n;
}

struct kv_rows kv_rows_one(float *k, float *v)
{
    return (struct kv_rows){1, 1, k, v};
}

/* The lowest row of a cycle moves it. */
static bool leads(int j, const int *order)
{
    for (int i = order[j]; i != j; i = order[i])
        if (i < j)
            return false;
    return true;
}

void kv_rows_permute(void *rows, size_t row_bytes, int n, const int *order)
{
    char first[KV_ROW_BYTES_MAX], *r = rows;
    assert(row_bytes <= sizeof first);
    for (int j = 0; j < n; j++) {
        if (order[j] == j || !leads(j, order))
            continue;
        int i = j;
        memcpy(first, r + (size_t)j * row_bytes, row_bytes);
        for (; order[i] != j; i = order[i])
            memcpy(r + (size_t)i * row_bytes, r + (size_t)order[i] * row_bytes, row_bytes);
        memcpy(r + (size_t)i * row_bytes, first, row_bytes);
    }
}

void kv_rows_permuted(const struct kv_part *part, int kv_head, int from, int n, const int *order)
{
    if (part->at)
        kv_rows_permute(part->at + (size_t)kv_head * (size_t)part->cap + (size_t)from,
                        sizeof *part->at, n, order);
}

void kv_rows_halve(const struct kernels *kn, float *x, size_t n)
{
    uint16_t half[256];
    const size_t most = sizeof half / sizeof *half;
    for (size_t some; n; x += some, n -= some) {
        some = n < most ? n : most;
        kn->narrow_f16(half, x, (long)some);
        kn->widen_f16(x, half, (long)some);
    }
}

void kv_rows_top(int *out, int ld, const float *scores, int n_q, int n, int k)
{
    for (int i = 0; i < n_q; i++)
        topk_indices(out + (size_t)i * (size_t)ld, scores + (size_t)i * (size_t)n, n, k);
}
