#include "harness/kv/seen_moments.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/kv/rope.h"

/* Sums in double: of many squares that lie far from 0, the covariance is what remains. */
struct moments {
    const struct kv_rope *rope;
    int skip, n, head_dim; // n: queries that count
    float *turned;         // [n_heads][head_dim]: a query without its position
    double *sum;           // [n_heads][head_dim]
    double *products;      // [n_heads][head_dim][head_dim], those j <= i; or NULL
};

void kv_moments_key(int skip, bool covariance, struct buf *out)
{
    buf_printf(out, "mean%s of queries from %d on without positions",
               covariance ? " and covariance" : "", skip);
}

void *kv_moments_new(const struct kv_shape *shape, int n_prompt, int skip, bool covariance)
{
    struct moments *m = xcalloc(1, sizeof *m);
    size_t channels = (size_t)shape->n_heads * (size_t)shape->head_dim;
    m->skip = skip;
    m->n = n_prompt - skip;
    m->head_dim = shape->head_dim;
    m->turned = xcalloc(channels, sizeof *m->turned);
    m->sum = xcalloc(channels, sizeof *m->sum);
    if (covariance)
        m->products = xcalloc(mem_size(channels, (size_t)shape->head_dim), sizeof *m->products);
    return m;
}

void kv_moments_rope(void *seen, const struct kv_rope *rope)
{
    ((struct moments *)seen)->rope = rope;
}

void kv_moments_free(void *seen)
{
    struct moments *m = seen;
    free(m->turned);
    free(m->sum);
    free(m->products);
    free(m);
}

static void add_products(double *products, const float *x, int d)
{
    for (int i = 0; i < d; i++, products += d)
        for (int j = 0; j <= i; j++)
            products[j] += (double)x[i] * (double)x[j];
}

void kv_moments_queries(void *seen, int head, int first_query, int n_queries, const float *q,
                        int ld)
{
    const struct moments *m = seen;
    size_t d = (size_t)m->head_dim, at = (size_t)head * d;
    float *x = m->turned + at;
    int i = first_query < m->skip ? m->skip - first_query : 0;
    for (; i < n_queries; i++) {
        memcpy(x, q + (size_t)i * (size_t)ld, d * sizeof *x);
        kv_rope_turn(m->rope, x, m->head_dim, -(first_query + i));
        for (size_t c = 0; c < d; c++)
            m->sum[at + c] += (double)x[c];
        if (m->products)
            add_products(m->products + at * d, x, m->head_dim);
    }
}

void kv_moments_of(const void *seen, int head, double *mean, double *covariance)
{
    const struct moments *m = seen;
    size_t d = (size_t)m->head_dim, at = (size_t)head * d;
    assert(m->n > 0);
    for (size_t c = 0; c < d; c++)
        mean[c] = m->sum[at + c] / m->n;
    for (size_t i = 0; i < d && covariance; i++)
        for (size_t j = 0; j <= i; j++)
            covariance[i * d + j] = covariance[j * d + i] =
                m->products[(at + i) * d + j] / m->n - mean[i] * mean[j];
}
