/*
 * H2O as its authors drop tokens and as they simulate it, against a second implementation in double
 * that is written from their rules.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/decoding.h"

static int hh_size, recent_size;

/* ---- real drop ---- */

/* keep_topk of the sums before the recent ones, and these. */
static void heavy_and_recent(struct held *h)
{
    int stay[N], before = h->n - recent_size;
    if (h->n <= hh_size + recent_size)
        return;
    kept_naive(h->sum, before, hh_size, stay);
    for (int i = before - 1, k = hh_size - 1; i >= 0; i--)
        if (k >= 0 && stay[k] == i)
            k--;
        else
            drop(h, i);
}

static void add_up(struct held *h, int first_head, int n_heads, double w[HEADS][N])
{
    for (int i = 0; i < h->n; i++)
        for (int head = first_head; head < first_head + n_heads; head++)
            h->sum[i] += w[head][i];
}

static void sums_decide(struct held *h, int t, int first_head, int n_heads, double w[HEADS][N])
{
    (void)t;
    add_up(h, first_head, n_heads, w);
    heavy_and_recent(h);
}

/* What tokens of a prompt get of all its queries. */
static void sums_of_prompt(struct held *h, int prompt, int first_head, int n_heads)
{
    append_all(h, prompt);
    for (int j = 0; j < prompt; j++)
        for (int head = first_head; head < first_head + n_heads; head++)
            for (int i = j; i < prompt; i++)
                h->sum[j] += full[head][i][j];
}

static void h2o_drop(const char *heads, int n_slots, int heavy, int recent, int prompt)
{
    char text[160];
    struct held held[HEADS];
    snprintf(text, sizeof text,
             "[{\"h2o-drop\":{\"budget\":%d,\"recent\":%.4f,\"heads\":\"%s\"}},\"f32\"]",
             heavy + recent, (recent + 0.5) / (heavy + recent + 0.5), heads);
    hh_size = heavy;
    recent_size = recent;
    for (int i = 0; i < n_slots; i++) {
        sums_of_prompt(&held[i], prompt, i * HEADS / n_slots, HEADS / n_slots);
        heavy_and_recent(&held[i]);
    }
    follows(text, &(struct rules){.after = sums_decide}, held, prompt);
}

/* Prompts: none, shorter than the budget by one, as long, longer; no recent ones, nothing but
 * these, and so many heavy ones that tokens without attention are among them. */
static void h2o_drops_for_good(void **state)
{
    (void)state;
    static const int prompts[] = {0, 1, 39, 40, 41, 90};
    for (size_t i = 0; i < sizeof prompts / sizeof *prompts; i++) {
        h2o_drop("kv", KV_HEADS, 20, 20, prompts[i]);
        h2o_drop("query", HEADS, 20, 20, prompts[i]);
        h2o_drop("kv", KV_HEADS, 40, 0, prompts[i]);
        h2o_drop("kv", KV_HEADS, 1, 39, prompts[i]);
    }
    for (int heavy = 60; heavy < 80; heavy++)
        h2o_drop("query", HEADS, heavy, 3, 90);
}

/* ---- H2O's simulation: one head, by columns, as the authors have it ---- */

struct simulation {
    bool longctx;
    double heavy_ratio, recent_ratio;
    int heavy, recent; // -1: not known
    double previous[N + 1];
    char mask_next[N + 1];
};

/* cur[n] are a forward's attention sums and what was before. */
static void mask_next(struct simulation *m, const double *cur, int n)
{
    int top[N] = {0};
    char mask[N + 1];
    if (m->heavy < 0) {
        m->heavy = (int)(m->heavy_ratio * n);
        m->recent = (int)(m->recent_ratio * n);
    }
    memset(mask, 1, sizeof mask);
    if (n > m->heavy + m->recent) {
        int recent_from = m->recent ? n + 1 - m->recent : m->longctx ? 0 : n + 1;
        for (int j = 0; j <= n; j++)
            mask[j] = j >= recent_from;
        kept_naive(cur, n - m->recent, m->heavy, top);
        for (int i = 0; i < m->heavy; i++)
            mask[top[i]] = 1;
    }
    memcpy(m->mask_next, mask, sizeof mask);
    for (int j = m->recent ? n - m->recent : 0; j < n; j++)
        mask[j] = 1;
    for (int j = 0; j < n; j++)
        m->previous[j] = cur[j] * mask[j];
    if (m->longctx) // their masks are one array
        memcpy(m->mask_next, mask, sizeof mask);
}

static void simulate_prompt(struct simulation *m, int head, int prompt)
{
    struct held h;
    memset(m->previous, 0, sizeof m->previous);
    memset(m->mask_next, 1, sizeof m->mask_next);
    m->heavy = -1;
    if (m->longctx || prompt == 0)
        return;
    sums_of_prompt(&h, prompt, head, 1);
    mask_next(m, h.sum, prompt);
}

static void saw(const struct kv_cache *c, int head, const struct held *h)
{
    const struct kv_range *r;
    int n = kv_cache_ranges(c, head, &r), at = 0;
    for (int i = 0; i < n; i++)
        for (int t = r[i].start; t < r[i].start + r[i].n; t++)
            assert_true(at < h->n && h->token[at++] == t);
    assert_int_equal(at, h->n);
}

static void simulate_step(struct simulation *m, const struct kv_cache *c, int head, int t,
                          const float *out)
{
    struct held h = {0};
    double w[N], cur[N] = {0};
    for (int j = 0; j <= t; j++)
        if (m->mask_next[j])
            append(&h, j);
    weights_of(head, t, &h, false, w);
    saw(c, head, &h);
    same_output(head, &h, w, out);
    for (int j = 0; j <= t; j++)
        cur[j] = j < t ? m->previous[j] : 0;
    for (int i = 0; i < h.n; i++)
        cur[h.token[i]] += w[i];
    mask_next(m, cur, t + 1);
}

static void nothing_is_dropped(const struct kv_cache *c, int n)
{
    struct kv_ledger ledger;
    kv_cache_ledger(c, &ledger);
    assert_int_equal(kv_cache_layer(c, 1)->n, n);
    assert_int_equal(ledger.held[KV_ROWS],
                     (uint64_t)n * row_width(&shape) * 2 * 32 * (uint64_t)LAYERS);
    assert_int_equal(ledger.held[KV_SUMS], (uint64_t)n * HEADS * 32 * LAYERS);
}

static void h2o_sim(bool longctx, double heavy, double recent, int prompt)
{
    char text[160];
    struct kv_chain chain;
    struct err e = {0};
    struct simulation m[HEADS];
    const struct sequence *one = &s;
    static float out[LAYERS * HEADS * DIM];
    snprintf(text, sizeof text,
             "[{\"h2o-sim\":{\"heavy\":%g,\"recent\":%g,\"variant\":\"%s\"}},\"f32\"]", heavy,
             recent, longctx ? "longctx" : "authors");
    assert_int_equal(read_chain(&chain, text, &e), 0);
    struct kv_cache *c = sequence_cache(&s, &engine, &chain, prompt, NULL);
    for (int h = 0; h < HEADS; h++) {
        m[h] = (struct simulation){longctx, heavy, recent, -1, -1, {0}, {0}};
        simulate_prompt(&m[h], h, prompt);
    }
    for (int t = prompt; t < N; t++) {
        sequence_steps(&one, &c, 1, &engine, 1, out);
        for (int h = 0; h < HEADS; h++)
            simulate_step(&m[h], c, h, t, out + HEADS * DIM);
        nothing_is_dropped(c, t + 1);
    }
    kv_cache_free(c);
    kv_chain_release(&chain);
}

static void h2o_hides(void **state)
{
    (void)state;
    h2o_sim(false, 0.1, 0.1, 90);
    h2o_sim(false, 0.5, 0.5, 90); // nothing is hidden from the first query
    h2o_sim(false, 0.6, 0.6, 90); // the prompt is shorter than the budget
    h2o_sim(false, 0.05, 0.9, 90);
    h2o_sim(false, 0.8, 0.1, 90); // tokens without attention are among the heavy ones
    h2o_sim(false, 0.1, 0.1, 10); // one of each: a blind spot, and the query itself
    h2o_sim(false, 0, 0.2, 50);
}

static void h2o_without_recent_tokens(void **state)
{
    (void)state;
    h2o_sim(false, 0.2, 0, 90);
    h2o_sim(false, 0.9, 0, 90);
    h2o_sim(true, 0.2, 0, 90);
}

static void h2o_of_longctx_bench(void **state)
{
    (void)state;
    static const double ratios[] = {0.05, 0.125, 0.25, 0.5};
    for (size_t i = 0; i < sizeof ratios / sizeof *ratios; i++)
        h2o_sim(true, ratios[i], ratios[i], 89); // of 90 with the first token
    h2o_sim(true, 0.8, 0.1, 89);
}

/* What the authors' rule is about, by hand: with one recent and one heavy token of ten, the query
 * after the prompt sees itself and a token that is not the prompt's last. */
static void h2o_has_a_blind_spot(void **state)
{
    (void)state;
    struct kv_chain chain;
    struct err e = {0};
    const struct kv_range *r;
    const struct sequence *one = &s;
    static float out[LAYERS * HEADS * DIM];
    assert_int_equal(read_chain(&chain, "[\"h2o-sim\"]", &e), 0);
    struct kv_cache *c = sequence_cache(&s, &engine, &chain, 10, NULL);
    sequence_steps(&one, &c, 1, &engine, 1, out);
    for (int h = 0; h < HEADS; h++) {
        assert_int_equal(kv_cache_ranges(c, h, &r), 2);
        assert_true(r[0].n == 1 && r[0].start < 9);
        assert_true(r[1].n == 1 && r[1].start == 10);
    }
    kv_cache_free(c);
    kv_chain_release(&chain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h2o_drops_for_good),        cmocka_unit_test(h2o_hides),
        cmocka_unit_test(h2o_without_recent_tokens), cmocka_unit_test(h2o_of_longctx_bench),
        cmocka_unit_test(h2o_has_a_blind_spot),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
