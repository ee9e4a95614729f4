#include "harness/methods/kvo_windows.h"

#include <assert.h>
#include <string.h>

int kvo_boundary(int n, int window)
{
    return n >= 2 * window ? n / window * window - window : 0;
}

size_t kvo_received_floats(int n, int window)
{
    return (size_t)n + 2 * (size_t)window;
}

void kvo_received_init(struct kvo_received *r, int n, int window, float *memory)
{
    assert(n >= 0 && window >= 1);
    *r = (struct kvo_received){.n = n, .window = window, .score = memory, .open = memory + n};
    memset(memory, 0, kvo_received_floats(n, window) * sizeof *memory);
}

/* The window of queries that ends before r->next is complete. Its sums over its own keys start
 * their scores, those over the keys of the window before are the second and last part of theirs. */
static void close_window(struct kvo_received *r)
{
    int w = r->window, own = (r->next - 1) / w * w;
    for (int j = 0; j < w && own > 0; j++)
        r->score[own - w + j] += r->open[j];
    for (int j = 0; j < w && own + j < r->n; j++)
        r->score[own + j] = r->open[w + j];
    memset(r->open, 0, 2 * (size_t)w * sizeof *r->open);
}

void kvo_received_add(struct kvo_received *r, int first_query, int n_queries, const float *probs,
                      size_t ld)
{
    assert(first_query == r->next && first_query + n_queries <= r->n);
    int w = r->window;
    for (int i = 0; i < n_queries; i++) {
        const float *row = probs + (size_t)i * ld;
        int q = first_query + i, before = q / w * w - w; // key of open[0]
        for (int t = before > 0 ? before : 0; t <= q; t++)
            r->open[t - before] += row[t];
        r->next++;
        if (r->next % w == 0)
            close_window(r);
    }
}

/* One rule for both of the authors' cases (n on a window's border or not): rows at and after the
 * boundary are in the last two windows, so their score is all they received from queries there;
 * queries before them add exact zeros by causality. */
void kvo_received_finish(struct kvo_received *r, float *sums)
{
    assert(r->next == r->n);
    if (r->n % r->window)
        close_window(r);
    int from = kvo_boundary(r->n, r->window);
    for (int j = 0; j < 2 * r->window; j++)
        sums[j] = from + j < r->n ? r->score[from + j] : 0;
}

void kvo_order_chunks(int *order, const float *score, int from, int to, int chunk)
{
    assert((to - from) % chunk == 0);
    for (int start = from; start < to; start += chunk)
        for (int i = 0; i < chunk; i++) { // insertion keeps equal ones in place, a chunk is short
            int at = start + i;
            for (; at > start && score[order[at - 1]] < score[start + i]; at--)
                order[at] = order[at - 1];
            order[at] = start + i;
        }
}

void kvo_sums_add(float *sums, const float *probs, int n)
{
    for (int j = 0; j < n; j++)
        sums[j] += probs[j];
}

bool kvo_window_due(int n_cached, int ordered, int window)
{
    assert(n_cached - ordered <= 2 * window);
    return n_cached - ordered == 2 * window;
}

void kvo_sums_shift(float *sums, int window)
{
    memcpy(sums, sums + window, (size_t)window * sizeof *sums);
    memset(sums + window, 0, (size_t)window * sizeof *sums);
}
