/*
 * Methods that score tokens by their place or their keys, against a second implementation in
 * double, on random rows among which some are equal.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "tests/unit/kept_rows.h"

enum { N = 100 };
static const struct kv_shape shape = {3, 4, 2, 32};
static struct kv_engine engine;
static struct sequence s;
static struct kept_rows kept;

/* Keys of every seventh token are those of the token three before it. */
static int open_all(void **state)
{
    (void)state;
    engine = engine_new(2);
    s = sequence_new(shape, N, 77);
    for (size_t t = 7; t < N; t += 7)
        memcpy(s.k + t * row_width(&shape), s.k + (t - 3) * row_width(&shape),
               row_width(&shape) * sizeof *s.k);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    pool_free(engine.pool);
    sequence_release(&s);
    return 0;
}

static const float *key(int kv_head, int t)
{
    return s.k + (size_t)t * row_width(&shape) + (size_t)(kv_head * shape.head_dim);
}

/* One slot kept just these. */
static void keeps(int layer, int head, const double *score, int n, int k)
{
    int want[N];
    kept_naive(score, n, k, want);
    assert_int_equal(kept.n[layer][head], k);
    assert_memory_equal(kept.rows[layer][head], want, (size_t)k * sizeof *want);
}

static void recent_keeps_the_last(void **state)
{
    (void)state;
    kept_rows_of(&s, &engine, "[{\"recent\":{\"kept\":0.3,\"first_layer\":1}}]", N, &kept);
    assert_int_equal(kept.n[0][0], N);
    assert_int_equal(kept.n[1][0], 30);
    assert_int_equal(kept.n[1][1], -1); // all heads together
    for (int i = 0; i < 30; i++)
        assert_int_equal(kept.rows[2][0][i], N - 30 + i);
}

static void naive_norms(int kv_head, double *out)
{
    for (int t = 0; t < N; t++) {
        double sum = 0;
        for (int i = 0; i < shape.head_dim; i++)
            sum += (double)key(kv_head, t)[i] * key(kv_head, t)[i];
        out[t] = -sqrt(sum);
    }
}

/* Budgets at which one of two equal keys stays are among these. */
static void knorm_keeps_the_smallest(void **state)
{
    (void)state;
    double score[N];
    for (int k = 0; k <= N; k += 1 + k / 40) {
        char text[80];
        snprintf(text, sizeof text, "[{\"knorm\":{\"kept\":%.4f}}]", (k + 0.5) / N);
        kept_rows_of(&s, &engine, k < N ? text : "[{\"knorm\":{\"kept\":1}}]", N, &kept);
        for (int h = 0; h < shape.n_kv_heads; h++) {
            naive_norms(h, score);
            keeps(1, 2 * h, score, N, k);
        }
    }
}

static void l2norm_is_a_number_from_layer_2_on(void **state)
{
    (void)state;
    double score[N];
    kept_rows_of(&s, &engine, "[{\"knorm\":{\"budget\":40,\"first_layer\":2}}]", N, &kept);
    naive_norms(1, score);
    assert_int_equal(kept.n[1][2], N);
    keeps(2, 2, score, N, 40);
}

static bool same(int layer_a, int head_a, int layer_b, int head_b, int n)
{
    return !memcmp(kept.rows[layer_a][head_a], kept.rows[layer_b][head_b], (size_t)n * sizeof(int));
}

/* Other seeds, layers and heads draw others; the same ones the same. Each token has its chance. */
static void random_is_seeded(void **state)
{
    (void)state;
    static struct kept_rows first;
    int times[N] = {0};
    kept_rows_of(&s, &engine, "[{\"random\":{\"budget\":50}}]", N, &first);
    kept_rows_of(&s, &engine, "[{\"random\":{\"budget\":50}}]", N, &kept);
    assert_memory_equal(&first, &kept, sizeof kept);
    assert_false(same(0, 0, 1, 0, 50));
    assert_false(same(0, 0, 0, 2, 50));
    for (int seed = 1; seed <= 100; seed++) {
        char text[80];
        snprintf(text, sizeof text, "[{\"random\":{\"budget\":50,\"seed\":%d}}]", seed);
        kept_rows_of(&s, &engine, text, N, &kept);
        for (int i = 0; i < 50; i++)
            times[kept.rows[0][0][i]]++;
    }
    for (int t = 0; t < N; t++)
        assert_in_range(times[t], 25, 75); // 50 on average, 5 deviations
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recent_keeps_the_last),
        cmocka_unit_test(knorm_keeps_the_smallest),
        cmocka_unit_test(l2norm_is_a_number_from_layer_2_on),
        cmocka_unit_test(random_is_seeded),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
