#include "harness/kv/prefix.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/kv/rows.h"

struct kv_prefix {
    struct kv_shape shape;
    bool queries;
    size_t record_size;
    struct kv_prefix_layer *layers;
};

static size_t query_width(const struct kv_shape *s)
{
    return (size_t)s->n_heads * (size_t)s->head_dim;
}

struct kv_prefix *kv_prefix_new(const struct kv_shape *shape, bool queries)
{
    struct kv_prefix *x = xcalloc(1, sizeof *x);
    x->shape = *shape;
    x->queries = queries;
    x->layers = xcalloc((size_t)shape->n_layers, sizeof *x->layers);
    return x;
}

static void free_layer(struct kv_prefix_layer *l)
{
    kv_rows_release(&l->rows);
    free(l->records);
    free(l->q);
}

void kv_prefix_free(struct kv_prefix *x)
{
    if (!x)
        return;
    for (int i = 0; i < x->shape.n_layers; i++)
        free_layer(&x->layers[i]);
    free(x->layers);
    free(x);
}

size_t kv_prefix_bytes(const struct kv_shape *shape, bool queries, int n)
{
    size_t row = 2 * (size_t)shape->n_kv_heads * (size_t)shape->head_dim;
    row += queries ? query_width(shape) : 0;
    return mem_size(row * sizeof(float), (size_t)n * (size_t)shape->n_layers);
}

int kv_prefix_tokens(const struct kv_prefix *x)
{
    return x->layers[x->shape.n_layers - 1].rows.n;
}

void kv_prefix_cut(struct kv_prefix *x, int n)
{
    assert(n <= kv_prefix_tokens(x));
    for (int i = 0; i < x->shape.n_layers; i++)
        x->layers[i].rows.n = n;
}

static void push(struct kv_prefix_layer *l, const struct kv_prefix *x, const struct kv_rows *rows,
                 int from, int n, const void *records, const float *q)
{
    size_t at = (size_t)l->rows.n, count = (size_t)n, width = query_width(&x->shape);
    if (n == 0)
        return;
    if (x->record_size)
        memcpy(l->records + at * x->record_size, records, count * x->record_size);
    if (l->q)
        memcpy(l->q + at * width, q, count * width * sizeof *q);
    kv_rows_push(&l->rows, &x->shape, rows, from, n);
}

void kv_prefix_reserve(struct kv_prefix *x, int n, size_t record_size)
{
    assert(x->record_size == record_size || kv_prefix_tokens(x) == 0);
    x->record_size = record_size;
    for (int i = 0; i < x->shape.n_layers; i++) {
        struct kv_prefix_layer *l = &x->layers[i], wide = {.rows.n = 0};
        if (n <= l->rows.cap)
            continue;
        kv_rows_init(&wide.rows, &x->shape, n);
        wide.records = xmalloc(mem_size(record_size, (size_t)n));
        if (x->queries)
            wide.q = mem_aligned(mem_size(query_width(&x->shape) * sizeof(float), (size_t)n));
        push(&wide, x, &l->rows, 0, l->rows.n, l->records, l->q);
        free_layer(l);
        *l = wide;
    }
}

void kv_prefix_push(struct kv_prefix *x, int layer, const struct kv_rows *rows, int from, int n,
                    const void *records, const float *q)
{
    push(&x->layers[layer], x, rows, from, n, records, q);
}

const struct kv_prefix_layer *kv_prefix_layer(const struct kv_prefix *x, int layer)
{
    return &x->layers[layer];
}
