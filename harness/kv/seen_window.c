#include "harness/kv/seen_window.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"

struct window {
    int n_prompt, n, from; // queries seen, the first of them
    float *rows;           // [n_heads][n][n_prompt]
};

void kv_window_key(int window, struct buf *out)
{
    buf_printf(out, "attention of the last %d", window);
}

int kv_window_from(int window, int n_prompt)
{
    return n_prompt > window ? n_prompt - window : 0;
}

void *kv_window_new(const struct kv_shape *shape, int n_prompt, int window)
{
    struct window *w = xcalloc(1, sizeof *w);
    w->n_prompt = n_prompt;
    w->from = kv_window_from(window, n_prompt);
    w->n = n_prompt - w->from;
    w->rows =
        xcalloc(mem_size((size_t)shape->n_heads * (size_t)w->n, (size_t)n_prompt), sizeof *w->rows);
    return w;
}

void kv_window_free(void *seen)
{
    struct window *w = seen;
    free(w->rows);
    free(w);
}

static float *row_at(const struct window *w, int head, int i)
{
    return w->rows + ((size_t)head * (size_t)w->n + (size_t)i) * (size_t)w->n_prompt;
}

void kv_window_rows(void *seen, int head, int first_query, int n_queries, const float *probs,
                    int ld)
{
    const struct window *w = seen;
    for (int i = 0; i < n_queries; i++) {
        int query = first_query + i;
        if (query >= w->from)
            memcpy(row_at(w, head, query - w->from), probs + (size_t)i * (size_t)ld,
                   ((size_t)query + 1) * sizeof *probs);
    }
}

int kv_window_queries(const void *seen)
{
    return ((const struct window *)seen)->n;
}

const float *kv_window_row(const void *seen, int head, int i)
{
    return row_at(seen, head, i);
}

void kv_window_sum(const void *seen, int head, float *out)
{
    const struct window *w = seen;
    memset(out, 0, (size_t)w->n_prompt * sizeof *out);
    for (int i = 0; i < w->n; i++) {
        const float *row = row_at(w, head, i);
        for (int j = 0; j < w->n_prompt; j++)
            out[j] += row[j];
    }
}
