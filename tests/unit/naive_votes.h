/*
 * What the last queries of a prompt attend to, in double and written as its definition, for tests
 * of the methods that go by it; and votes over it as SnapKV's definition has them.
 */
#ifndef KVLAB_TEST_NAIVE_VOTES_H
#define KVLAB_TEST_NAIVE_VOTES_H

#include <math.h>

#include "tests/unit/sequence.h"

enum { NAIVE_ROWS = 256 };

/* Attention of one head's query t: out[j], j <= t. */
static inline void naive_attention_row(const struct sequence *s, int head, int t, double *out)
{
    int d = s->shape.head_dim, kv_head = head / (s->shape.n_heads / s->shape.n_kv_heads);
    const float *q = s->q + (size_t)t * out_width(&s->shape) + (size_t)(head * d);
    double total = 0;
    for (int j = 0; j <= t; j++) {
        const float *k = s->k + (size_t)j * row_width(&s->shape) + (size_t)(kv_head * d);
        double dot = 0;
        for (int i = 0; i < d; i++)
            dot += (double)q[i] * k[i];
        out[j] = exp(dot / sqrt(d));
        total += out[j];
    }
    for (int j = 0; j <= t; j++)
        out[j] /= total;
}

/* What the last `window` queries of n give each token, summed. */
static inline void naive_window(const struct sequence *s, int head, int n, int window, double *out)
{
    double row[NAIVE_ROWS];
    assert(n <= NAIVE_ROWS);
    for (int j = 0; j < n; j++)
        out[j] = 0;
    for (int t = n > window ? n - window : 0; t < n; t++) {
        naive_attention_row(s, head, t, row);
        for (int j = 0; j <= t; j++)
            out[j] += row[j];
    }
}

/* kind: 'a'verage with zeros around, 'm'aximum, or 'n'one. */
static inline void naive_pool(double *x, int n, int kernel, char kind)
{
    double in[NAIVE_ROWS];
    memcpy(in, x, (size_t)n * sizeof *x);
    for (int j = 0; j < n && kind != 'n'; j++) {
        x[j] = kind == 'a' ? 0 : -1;
        for (int i = j - kernel / 2; i <= j + kernel / 2; i++)
            if (i >= 0 && i < n)
                x[j] = kind == 'a' ? x[j] + in[i] : fmax(x[j], in[i]);
        if (kind == 'a')
            x[j] /= kernel;
    }
}

/* Votes of heads first..last together; those of the window come before all, the last one first.
 * pooled: each head's votes are pooled before their mean, else their mean is. */
static inline void naive_votes(const struct sequence *s, int first, int last, int n, int window,
                               int kernel, char kind, bool pooled, double *out)
{
    double one[NAIVE_ROWS];
    int before = n > window ? n - window : 0;
    for (int j = 0; j < n; j++)
        out[j] = j < before ? 0 : 10000 + j;
    for (int h = first; h <= last; h++) {
        naive_window(s, h, n, window, one);
        if (pooled)
            naive_pool(one, before, kernel, kind);
        for (int j = 0; j < before; j++)
            out[j] += one[j] / (last - first + 1);
    }
    if (!pooled)
        naive_pool(out, before, kernel, kind);
}

#endif
