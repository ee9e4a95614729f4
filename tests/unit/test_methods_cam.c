/*
 * Cache merging against its definition in double, on the values that a cache holds afterwards; its
 * draws are those of the seed, and come as often as their probability says.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/unit/kept_rows.h"
#include "tests/unit/naive_votes.h"

enum { N = 100, HEADS = 4, KV_HEADS = 2, D = 32, LAYERS = 2 };
static const struct kv_shape shape = {LAYERS, HEADS, KV_HEADS, D};
static struct kv_engine engine;
static struct sequence s;
static struct kept_rows kept;

static int open_all(void **state)
{
    (void)state;
    engine = engine_new(2);
    s = sequence_new(shape, N, 41);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    pool_free(engine.pool);
    sequence_release(&s);
    return 0;
}

struct variant {
    bool all;
    int window;
    double start;
    int seed;
    const char *scorer; // with its options
};

static void setting_of(const struct variant *v, char out[320])
{
    snprintf(out, 320,
             "[{\"cam\":{\"give\":\"%s\",\"window\":%d,\"start\":%.17g,\"seed\":%d}},%s,\"f32\"]",
             v->all ? "all" : "evicted", v->window, v->start, v->seed, v->scorer);
}

/* A cache after the prompt; `kept` has what it kept. */
static struct kv_cache *cache_of(const struct variant *v, struct kv_chain *c)
{
    char text[320];
    struct err e = {0};
    setting_of(v, text);
    kept_rows_of(&s, &engine, text, N, &kept);
    assert_int_equal(read_chain(c, text, &e), 0);
    return sequence_cache(&s, &engine, c, N, NULL);
}

/* The draws of a KV head, which `head` is the first query head of. */
static void naive_draws(int seed, int layer, int head, double *out)
{
    struct rng first = {(uint64_t)seed}, second, third;
    second.state = rng_next(&first) + (uint64_t)layer;
    third.state = rng_next(&second) + (uint64_t)head;
    for (int t = 0; t < N; t++)
        out[t] = rng_uniform(&third);
}

static void add_part(double (*v)[D], int to, const double *value, double parts)
{
    for (int c = 0; c < D; c++)
        v[to][c] += value[c] / parts;
}

static bool stays(const int *rows, int n, int t)
{
    for (int i = 0; i < n; i++)
        if (rows[i] == t)
            return true;
    return false;
}

static void naive_all(const struct variant *v, const double *a, const double *draw, double (*x)[D])
{
    for (int t = (int)ceil(v->start * N); t < N - v->window; t++) {
        double most = 0;
        for (int j = 0; j < N; j++)
            if (j < (int)ceil(v->start * N) || (j >= t && j < t + v->window))
                most = fmax(most, a[j]);
        for (int i = 1; i <= v->window && draw[t] < a[t] / most; i++)
            add_part(x, t + i, x[t], v->window);
    }
}

static void naive_evicted(const struct variant *v, const double *a, const double *draw,
                          const int *rows, int n, double (*x)[D])
{
    for (int t = 0; t < N; t++) {
        int into[N], parts = 0;
        double sum = 0;
        if (stays(rows, n, t))
            continue;
        for (int j = t + 1; j < N && parts < v->window; j++)
            if (stays(rows, n, j)) {
                into[parts++] = j;
                sum += a[j];
            }
        for (int i = 0; parts && i < parts && draw[t] < a[t] / (sum / parts); i++)
            add_part(x, into[i], x[t], parts);
    }
}

/* Values of all tokens of a KV head with query heads first..last. */
static void naive_merge(const struct variant *v, int layer, int first, int last, const int *rows,
                        int n, double (*x)[D])
{
    double a[N] = {0}, one[N], draw[N];
    for (int h = first; h <= last; h++) {
        naive_window(&s, h, N, v->window, one);
        for (int j = 0; j < N; j++)
            a[j] += one[j];
    }
    for (int t = 0; t < N; t++)
        for (int c = 0; c < D; c++)
            x[t][c] = s.v[(t * KV_HEADS + first / 2) * D + c];
    naive_draws(v->seed, layer, first, draw);
    if (v->all)
        naive_all(v, a, draw, x);
    else
        naive_evicted(v, a, draw, rows, n, x);
}

/* Values of one row. */
static bool differ(const float *a, const float *b)
{
    for (int c = 0; c < D; c++)
        if (a[c] != b[c])
            return true;
    return false;
}

/* Keys are as they were, values as they should be. Returns how many changed. */
static int compare_head(const struct variant *v, const struct kv_rows *rows, int at, int layer,
                        int first, int last, const int *tokens)
{
    double want[N][D];
    int changed = 0;
    naive_merge(v, layer, first, last, tokens, rows->n, want);
    for (int i = 0; i < rows->n; i++) {
        const float *key = s.k + (tokens[i] * KV_HEADS + first / 2) * D;
        const float *value = s.v + (tokens[i] * KV_HEADS + first / 2) * D;
        const float *got = kv_rows_v(rows, D, at, i);
        assert_memory_equal(kv_rows_k(rows, D, at, i), key, D * sizeof *key);
        changed += differ(got, value);
        for (int c = 0; c < D; c++)
            assert_true(fabs(got[c] - want[tokens[i]][c]) <= 1e-5 * (1 + fabs(want[tokens[i]][c])));
    }
    return changed;
}

/* All heads of all layers. */
static int compare(const struct variant *v)
{
    struct kv_chain chain;
    struct kv_cache *c = cache_of(v, &chain);
    int slots = kv_cache_n_slots(c), heads = HEADS / slots, changed = 0;
    for (int l = 0; l < LAYERS; l++)
        for (int i = 0; i < slots; i++) {
            struct kv_rows rows = rows_of_slot(c, &shape, l, i);
            const int *tokens = kept.rows[l][i * heads];
            int inside = slots == 1 ? KV_HEADS : 1, each = heads / inside;
            assert_int_equal(rows.n, kept.n[l][i * heads]);
            for (int h = 0; h < inside; h++) {
                int first = i * heads + h * each;
                changed += compare_head(v, &rows, h, l, first, first + each - 1, tokens);
            }
            kv_rows_release(&rows);
        }
    kv_cache_free(c);
    kv_chain_release(&chain);
    return changed;
}

static const char *const scorers[] = {
    "{\"recent\":{\"budget\":40}}", "{\"knorm\":{\"budget\":40}}",
    "{\"snapkv\":{\"heads\":\"query\",\"window\":8,\"budget\":40}}"};

static void values_are_merged_as_defined(void **state)
{
    (void)state;
    static const int windows[] = {1, 7, 32, N + 20};
    static const double starts[] = {0, 0.1, 0.501, 1};
    int changed = 0;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++)
            for (int k = 0; k < 4; k++)
                for (int all = 0; all < 2; all++)
                    changed += compare(
                        &(struct variant){all, windows[j], starts[k], 7 * i + j, scorers[i]});
    assert_true(changed > 1000);
}

/* All of a slot's values, for comparisons. */
static void values_of(const struct variant *v, int layer, int slot, float out[N * D])
{
    struct kv_chain chain;
    struct kv_cache *c = cache_of(v, &chain);
    struct kv_rows rows = rows_of_slot(c, &shape, layer, slot);
    memset(out, 0, N * D * sizeof *out);
    memcpy(out, rows.v, (size_t)rows.n * D * sizeof *out);
    kv_rows_release(&rows);
    kv_cache_free(c);
    kv_chain_release(&chain);
}

static void the_seed_decides(void **state)
{
    (void)state;
    static float first[N * D], again[N * D], other[N * D];
    for (int all = 0; all < 2; all++) {
        values_of(&(struct variant){all, 3, 0.1, 3, scorers[1]}, 1, 1, first);
        values_of(&(struct variant){all, 3, 0.1, 3, scorers[1]}, 1, 1, again);
        values_of(&(struct variant){all, 3, 0.1, 4, scorers[1]}, 1, 1, other);
        assert_memory_equal(first, again, sizeof first);
        assert_memory_not_equal(first, other, sizeof first);
        values_of(&(struct variant){all, 3, 0.1, 3, scorers[1]}, 0, 1, other); // layers differ
        assert_memory_not_equal(first, other, sizeof first);
    }
}

/* Token 98 alone may give, and to token 99 alone. */
static void draws_come_as_often_as_they_should(void **state)
{
    (void)state;
    enum { SEEDS = 400 };
    static float got[N * D];
    double a[N] = {0}, one[N], most = 0;
    int changed = 0;
    for (int h = 0; h < 2; h++) {
        naive_window(&s, h, N, 1, one);
        for (int j = 0; j < N; j++)
            a[j] += one[j];
    }
    for (int j = 0; j < N - 1; j++)
        most = fmax(most, a[j]);
    double p = a[98] / most;
    assert_true(p > 0.05 && p < 0.95);
    for (int seed = 0; seed < SEEDS; seed++) {
        values_of(&(struct variant){true, 1, 0.98, seed, "{\"recent\":{\"budget\":2}}"}, 0, 0, got);
        changed += differ(got + D, s.v + 99 * KV_HEADS * D);
    }
    assert_true(fabs((double)changed / SEEDS - p) < 5 * sqrt(p * (1 - p) / SEEDS));
}

static void what_stays_whole_is_not_touched(void **state)
{
    (void)state;
    static float got[N * D];
    for (int all = 0; all < 2; all++) {
        values_of(&(struct variant){all, 16, 0.1, 3, "{\"knorm\":{\"kept\":1}}"}, 1, 1, got);
        for (int t = 0; t < N; t++)
            assert_memory_equal(got + t * D, s.v + (t * KV_HEADS + 1) * D, D * sizeof *got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_merged_as_defined),
        cmocka_unit_test(the_seed_decides),
        cmocka_unit_test(draws_come_as_often_as_they_should),
        cmocka_unit_test(what_stays_whole_is_not_touched),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
