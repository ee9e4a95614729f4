/*
 * What the tests of methods that drop or hide tokens while decoding share: a sequence in which many
 * tokens are worth the same, attention in double, and a cache that is driven beside the papers'
 * rules, so that the same tokens are held after every step and queries get the same.
 */
#ifndef KVLAB_TEST_DECODING_H
#define KVLAB_TEST_DECODING_H

#include <math.h>
#include <stdio.h>

#include "tests/unit/kept_rows.h"

enum { N = 130, DIM = 32, HEADS = 4, KV_HEADS = 2, GROUP = HEADS / KV_HEADS, LAYERS = 2 };
static const struct kv_shape shape = {LAYERS, HEADS, KV_HEADS, DIM};
static struct kv_engine engine;
static struct sequence s;
static double full[HEADS][N][N]; // attention of each token to those before it and itself

/* One channel of every query is large and that of some keys so small that nothing is left of their
 * weight; it is one that positions hardly turn. */
static inline void plant(void)
{
    enum { SLOW = DIM / 2 - 1 };
    size_t row = row_width(&shape);
    for (size_t t = 0; t < N; t++) {
        for (size_t h = 0; h < HEADS; h++)
            s.q[t * out_width(&shape) + h * DIM + SLOW] = 8;
        if (t % 7 == 0 && t > 0)
            memcpy(s.k + t * row, s.k + (t - 3) * row, row * sizeof *s.k);
        for (size_t h = 0; h < KV_HEADS && t % 5 == 3; h++)
            s.k[t * row + h * DIM + SLOW] = -4000;
    }
}

/* ---- attention in double ---- */

/* Tokens that a slot holds, ascending, and what its method notes of each. */
struct held {
    int n, token[N];
    double sum[N];
};

static inline const float *query(int head, int t)
{
    return s.q + (size_t)t * out_width(&shape) + (size_t)(head * DIM);
}

static inline const float *key(int head, int t)
{
    return s.k + (size_t)t * row_width(&shape) + (size_t)(head / GROUP * DIM);
}

static inline const float *value(int head, int t)
{
    return s.v + (size_t)t * row_width(&shape) + (size_t)(head / GROUP * DIM);
}

/* x as it would be `by` positions on. */
static inline void turned(const float *x, int by, double *out)
{
    for (int i = 0; i < DIM; i++)
        out[i] = x[i];
    for (int i = 0; i < DIM / 2 && by != 0; i++) {
        double a = by * (double)engine.rope.frequency[i];
        out[i] = x[i] * cos(a) - x[i + DIM / 2] * sin(a);
        out[i + DIM / 2] = x[i + DIM / 2] * cos(a) + x[i] * sin(a);
    }
}

/* Query of token t moved by q_by, key of token j by k_by. */
static inline double product(int head, int t, int q_by, int j, int k_by)
{
    double q[DIM], k[DIM], sum = 0;
    turned(query(head, t), q_by, q);
    turned(key(head, j), k_by, k);
    for (int i = 0; i < DIM; i++)
        sum += q[i] * k[i];
    return sum / sqrt(DIM);
}

/* w[i]: weight of the i-th token held. in_cache: positions are places in h. */
static inline void weights_of(int head, int t, const struct held *h, bool in_cache, double *w)
{
    double most = -1e300, total = 0;
    for (int i = 0; i < h->n; i++) {
        w[i] = product(head, t, in_cache ? h->n - 1 - t : 0, h->token[i],
                       in_cache ? i - h->token[i] : 0);
        most = w[i] > most ? w[i] : most;
    }
    for (int i = 0; i < h->n; i++)
        total += w[i] = exp(w[i] - most);
    for (int i = 0; i < h->n; i++)
        w[i] /= total;
}

static inline void append(struct held *h, int t)
{
    h->sum[h->n] = 0;
    h->token[h->n++] = t;
}

static inline void fill_full(void)
{
    struct held h = {0};
    for (int t = 0; t < N; t++) {
        append(&h, t);
        for (int head = 0; head < HEADS; head++)
            weights_of(head, t, &h, false, full[head][t]);
    }
}

static inline int open_all(void **state)
{
    (void)state;
    engine = engine_new(2);
    s = sequence_new(shape, N, 91);
    plant();
    fill_full();
    return 0;
}

static inline int close_all(void **state)
{
    (void)state;
    pool_free(engine.pool);
    sequence_release(&s);
    return 0;
}

static inline void append_all(struct held *h, int n)
{
    h->n = 0;
    for (int t = 0; t < n; t++)
        append(h, t);
}

static inline void drop(struct held *h, int i)
{
    h->n--;
    memmove(h->token + i, h->token + i + 1, (size_t)(h->n - i) * sizeof *h->token);
    memmove(h->sum + i, h->sum + i + 1, (size_t)(h->n - i) * sizeof *h->sum);
}

/* ---- a cache beside the rules ---- */

struct rules {
    bool in_cache;
    /* The slot's tokens before the step of token t, and after it; w [heads][n] of all heads. */
    void (*before)(struct held *h, int t);
    void (*after)(struct held *h, int t, int first_head, int n_heads, double w[HEADS][N]);
};

static inline void same_tokens(const struct kv_cache *c, int slot, const struct held *h)
{
    struct kv_rows rows = rows_of_slot(c, &shape, 1, slot);
    int first = slot * HEADS / kv_cache_n_slots(c);
    assert_int_equal(rows.n, h->n);
    for (int i = 0; i < h->n; i++)
        assert_memory_equal(kv_rows_v(&rows, DIM, 0, i), value(first, h->token[i]),
                            DIM * sizeof(float));
    kv_rows_release(&rows);
}

static inline void same_output(int head, const struct held *h, const double *w, const float *got)
{
    for (int d = 0; d < DIM; d++) {
        double want = 0;
        for (int i = 0; i < h->n; i++)
            want += w[i] * value(head, h->token[i])[d];
        assert_true(fabs(got[head * DIM + d] - want) <= 2e-4); // false for NaN too
    }
}

static inline void step_of_slot(const struct rules *r, struct held *h, int t, int first,
                                int n_heads, const float *out)
{
    double w[HEADS][N];
    if (r->before)
        r->before(h, t);
    append(h, t);
    for (int i = first; i < first + n_heads; i++) {
        weights_of(i, t, h, r->in_cache, w[i]);
        same_output(i, h, w[i], out);
    }
    if (r->after)
        r->after(h, t, first, n_heads, w);
}

/* Decodes tokens prompt..N-1. held[slot]: after the prompt, as the rules have it. */
static inline void follows(const char *text, const struct rules *r, struct held *held, int prompt)
{
    struct kv_chain chain;
    struct err e = {0};
    const struct sequence *one = &s;
    static float out[LAYERS * HEADS * DIM];
    if (read_chain(&chain, text, &e) || kv_chain_check(&chain, &shape, true, "here", &e))
        fail_msg("%s", e.msg);
    struct kv_cache *c = sequence_cache(&s, &engine, &chain, prompt, NULL);
    int slots = kv_cache_n_slots(c), heads = HEADS / slots;
    for (int t = prompt; t < N; t++) {
        for (int i = 0; i < slots && t > 0; i++)
            same_tokens(c, i, &held[i]);
        sequence_steps(&one, &c, 1, &engine, 1, out);
        for (int i = 0; i < slots; i++)
            step_of_slot(r, &held[i], t, i * heads, heads, out + HEADS * DIM);
    }
    if (strstr(text, "first_layer"))
        assert_int_equal(kv_cache_layer(c, 0)->n, N);
    kv_cache_free(c);
    kv_chain_release(&chain);
}

#endif
