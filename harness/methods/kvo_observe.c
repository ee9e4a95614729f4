#include "harness/methods/kvo_observe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/methods/kvo_windows.h"

struct seen {
    struct kv_shape shape;
    int n, window;
    struct kvo_received *heads; // [n_heads]
    float *memory;
    float *sums; // [n_heads][2 * window]
};

void *kvo_seen_new(const struct kv_shape *shape, int n_prompt, int window)
{
    struct seen *s = xcalloc(1, sizeof *s);
    size_t heads = (size_t)shape->n_heads, each = kvo_received_floats(n_prompt, window);
    s->shape = *shape;
    s->n = n_prompt;
    s->window = window;
    s->heads = xcalloc(heads, sizeof *s->heads);
    s->memory = xcalloc(mem_size(heads, each), sizeof *s->memory);
    s->sums = xcalloc(heads * 2 * (size_t)window, sizeof *s->sums);
    for (size_t h = 0; h < heads; h++)
        kvo_received_init(&s->heads[h], n_prompt, window, s->memory + h * each);
    return s;
}

void kvo_seen_free(void *seen)
{
    struct seen *s = seen;
    free(s->heads);
    free(s->memory);
    free(s->sums);
    free(s);
}

void kvo_seen_rows(void *seen, int head, int first_query, int n_queries, const float *probs, int ld)
{
    struct seen *s = seen;
    kvo_received_add(&s->heads[head], first_query, n_queries, probs, (size_t)ld);
    if (first_query + n_queries == s->n)
        kvo_received_finish(&s->heads[head], s->sums + (size_t)head * 2 * (size_t)s->window);
}

void kvo_seen_group(const void *seen, int kv_head, float *score, float *sums)
{
    const struct seen *s = seen;
    int group = s->shape.n_heads / s->shape.n_kv_heads, first = kv_head * group;
    memset(score, 0, (size_t)s->n * sizeof *score);
    memset(sums, 0, 2 * (size_t)s->window * sizeof *sums);
    for (int h = first; h < first + group; h++) {
        const float *head_sums = s->sums + (size_t)h * 2 * (size_t)s->window;
        assert(s->heads[h].next == s->n);
        for (int t = 0; t < s->n; t++)
            score[t] += s->heads[h].score[t];
        for (int j = 0; j < 2 * s->window; j++)
            sums[j] += head_sums[j];
    }
}
