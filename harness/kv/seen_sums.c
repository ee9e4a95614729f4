#include "harness/kv/seen_sums.h"

#include <stdlib.h>

#include "harness/base/mem.h"

struct sums {
    int n_prompt;
    float *of; // [n_heads][n_prompt]
};

void kv_sums_key(struct buf *out)
{
    buf_str(out, "sums of attention");
}

void *kv_sums_new(const struct kv_shape *shape, int n_prompt)
{
    struct sums *s = xcalloc(1, sizeof *s);
    s->n_prompt = n_prompt;
    s->of = xcalloc(mem_size((size_t)shape->n_heads, (size_t)n_prompt), sizeof *s->of);
    return s;
}

void kv_sums_rows(void *seen, int head, int first_query, int n_queries, const float *probs, int ld)
{
    const struct sums *s = seen;
    float *sum = s->of + (size_t)head * (size_t)s->n_prompt;
    for (int i = 0; i < n_queries; i++, probs += ld)
        for (int j = 0; j <= first_query + i; j++)
            sum[j] += probs[j];
}

void kv_sums_free(void *seen)
{
    struct sums *s = seen;
    free(s->of);
    free(s);
}

const float *kv_sums_of(const void *seen, int head)
{
    const struct sums *s = seen;
    return s->of + (size_t)head * (size_t)s->n_prompt;
}
