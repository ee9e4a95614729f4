#include "harness/kv/seen_squares.h"

#include <stdlib.h>

#include "harness/base/mem.h"

struct squares {
    int from, n, head_dim; // the first query that counts, how many do
    float *mean;           // [n_heads][head_dim]
};

void kv_squares_key(int window, struct buf *out)
{
    buf_printf(out, "squares of the last %d queries", window);
}

void *kv_squares_new(const struct kv_shape *shape, int n_prompt, int window)
{
    struct squares *s = xcalloc(1, sizeof *s);
    s->from = n_prompt > window ? n_prompt - window : 0;
    s->n = n_prompt - s->from;
    s->head_dim = shape->head_dim;
    s->mean = xcalloc(mem_size((size_t)shape->n_heads, (size_t)shape->head_dim), sizeof *s->mean);
    return s;
}

void kv_squares_queries(void *seen, int head, int first_query, int n_queries, const float *q,
                        int ld)
{
    const struct squares *s = seen;
    float *mean = s->mean + (size_t)head * (size_t)s->head_dim;
    for (int i = 0; i < n_queries; i++, q += ld)
        for (int c = 0; first_query + i >= s->from && c < s->head_dim; c++)
            mean[c] += q[c] * q[c] / (float)s->n;
}

void kv_squares_free(void *seen)
{
    struct squares *s = seen;
    free(s->mean);
    free(s);
}

const float *kv_squares_mean(const void *seen, int head)
{
    const struct squares *s = seen;
    return s->mean + (size_t)head * (size_t)s->head_dim;
}
