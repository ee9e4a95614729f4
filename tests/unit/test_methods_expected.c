/*
 * Expected attention against loops in double from its definition: every position to come is a
 * matrix, every covariance a sum over queries. Some tokens are worth the same.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "tests/unit/kept_rows.h"
#include "tests/unit/seen_scores.h"

enum { N = 90, HEADS = 4, KV_HEADS = 2, D = 32 };
static const struct kv_shape shape = {2, HEADS, KV_HEADS, D};
static struct kv_engine engine;
static struct sequence s;
static struct kept_rows kept;
static struct seen_scores scores;

/* Queries have a mean; every seventh token is the one three before it, as key and as value. */
static int open_all(void **state)
{
    (void)state;
    engine = engine_new(2);
    s = sequence_new(shape, N, 23);
    size_t row = row_width(&shape);
    for (int i = 0; i < N * HEADS * D; i++)
        s.q[i] += (float)(i % 5) / 4;
    for (size_t t = 7; t < N; t += 7) {
        memcpy(s.k + t * row, s.k + (t - 3) * row, row * sizeof *s.k);
        memcpy(s.v + t * row, s.v + (t - 3) * row, row * sizeof *s.v);
    }
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    pool_free(engine.pool);
    sequence_release(&s);
    return 0;
}

struct rule {
    int sinks, future;
    bool covariance, value_norm;
    double epsilon;
};
static const struct rule usual = {4, 512, true, true, 0};

typedef double square[D][D];

/* The rotation by a position, added up. */
static void add_rotation(square r, int position, double share)
{
    for (int i = 0; i < D / 2; i++) {
        double angle = position * (double)engine.rope.frequency[i];
        r[i][i] += share * cos(angle);
        r[i + D / 2][i + D / 2] += share * cos(angle);
        r[i + D / 2][i] += share * sin(angle);
        r[i][i + D / 2] -= share * sin(angle);
    }
}

static void times_vector(square m, const double *x, double *out)
{
    for (int i = 0; i < D; i++) {
        out[i] = 0;
        for (int j = 0; j < D; j++)
            out[i] += m[i][j] * x[j];
    }
}

/* out = r m r^T */
static void turned(square r, square m, square out)
{
    static square half;
    for (int i = 0; i < D; i++)
        for (int j = 0; j < D; j++) {
            half[i][j] = 0;
            for (int l = 0; l < D; l++)
                half[i][j] += r[i][l] * m[l][j];
        }
    for (int i = 0; i < D; i++)
        for (int j = 0; j < D; j++) {
            out[i][j] = 0;
            for (int l = 0; l < D; l++)
                out[i][j] += half[i][l] * r[j][l];
        }
}

/* A query as it was before its position was turned in. */
static void plain_query(int head, int t, double *out)
{
    static square back;
    double q[D];
    memset(back, 0, sizeof back);
    add_rotation(back, -t, 1);
    for (int c = 0; c < D; c++)
        q[c] = (double)s.q[(t * HEADS + head) * D + c];
    times_vector(back, q, out);
}

static void queries_to_come(int head, int n, const struct rule *rule, double *mean, square spread)
{
    static square covariance, r;
    double x[D], before[D] = {0};
    memset(covariance, 0, sizeof covariance);
    memset(r, 0, sizeof r);
    for (int t = rule->sinks; t < n; t++) {
        plain_query(head, t, x);
        for (int c = 0; c < D; c++)
            before[c] += x[c] / (n - rule->sinks);
    }
    for (int t = rule->sinks; t < n; t++) {
        plain_query(head, t, x);
        for (int i = 0; i < D; i++)
            for (int j = 0; j < D; j++)
                covariance[i][j] += (x[i] - before[i]) * (x[j] - before[j]) / (n - rule->sinks);
    }
    for (int i = 0; i < rule->future; i++)
        add_rotation(r, n + i, 1.0 / rule->future);
    times_vector(r, before, mean);
    turned(r, covariance, spread);
}

/* What the queries to come of one head pay to the tokens behind the sinks. */
static void expected_attention(int head, int n, const struct rule *rule, double *out)
{
    static square spread;
    double mean[D], total = 0;
    queries_to_come(head, n, rule, mean, spread);
    for (int t = rule->sinks; t < n; t++) {
        double z = 0, key[D], wide[D];
        for (int c = 0; c < D; c++)
            key[c] = (double)s.k[(t * KV_HEADS + head / 2) * D + c];
        times_vector(spread, key, wide);
        for (int c = 0; c < D; c++)
            z += mean[c] * key[c] / sqrt(D) + (rule->covariance ? key[c] * wide[c] / (2 * D) : 0);
        out[t] = exp(z);
        total += out[t];
    }
    for (int t = rule->sinks; t < n; t++)
        out[t] /= total;
}

static double value_norm(int kv_head, int t)
{
    double sum = 0;
    for (int c = 0; c < D; c++) {
        double x = (double)s.v[(t * KV_HEADS + kv_head) * D + c];
        sum += x * x;
    }
    return sqrt(sum);
}

static void naive_scores(int kv_head, int n, const struct rule *rule, double *out)
{
    double one[N], other[N];
    if (n > rule->sinks) {
        expected_attention(2 * kv_head, n, rule, one);
        expected_attention(2 * kv_head + 1, n, rule, other);
    }
    for (int t = 0; t < n; t++)
        out[t] = t < rule->sinks ? 1e30 : (one[t] + other[t]) / 2;
    for (int t = rule->sinks; t < n && rule->value_norm; t++)
        out[t] = (out[t] + rule->epsilon) * value_norm(kv_head, t);
}

static void put_options(char *text, size_t size, const char *budget, const struct rule *rule)
{
    snprintf(text, size,
             "[{\"expected\":{%s\"sinks\":%d,\"future\":%d,\"covariance\":%s,\"value_norm\":%s,"
             "\"epsilon\":%g}}]",
             budget, rule->sinks, rule->future, rule->covariance ? "true" : "false",
             rule->value_norm ? "true" : "false", rule->epsilon);
}

static void worth_is(const char *text, int n, const struct rule *rule)
{
    double want[N];
    seen_scores_of(&s, &engine, text, n, &scores);
    assert_int_equal(scores.n_slots[1], KV_HEADS);
    for (int h = 0; h < KV_HEADS; h++) {
        naive_scores(h, n, rule, want);
        for (int t = 0; t < n; t++)
            assert_true(fabs(scores.worth[1][h][t] - want[t]) <= 1e-4 * want[t]);
    }
}

static void tokens_are_worth_the_attention_to_come(void **state)
{
    (void)state;
    static const struct rule rules[] = {
        {4, 512, true, true, 0},  {4, 512, false, true, 0},  {4, 512, true, false, 0.5},
        {0, 1, true, true, 0.01}, {10, 33, false, false, 0}, {88, 2, true, true, 1},
    };
    char text[256];
    worth_is("[\"expected\"]", N, &usual);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        put_options(text, sizeof text, "", &rules[i]);
        worth_is(text, N, &rules[i]);
    }
}

/* From one token behind the sinks on, whose one query has no spread. */
static void prompts_may_be_short(void **state)
{
    (void)state;
    static const int lengths[] = {5, 6, 9, 60};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        worth_is("[\"expected\"]", lengths[i], &usual);
}

/* At each budget; of equal tokens the first. */
static void keeps_like(const struct rule *rule, int n)
{
    double want[KV_HEADS][N];
    int rows[N];
    for (int h = 0; h < KV_HEADS; h++)
        naive_scores(h, n, rule, want[h]);
    for (int k = 1; k <= n + 1; k++) {
        char text[256], budget[40];
        int stay = k < n ? k : n;
        snprintf(budget, sizeof budget, "\"budget\":%d,", k);
        put_options(text, sizeof text, budget, rule);
        kept_rows_of(&s, &engine, text, n, &kept);
        for (int h = 0; h < KV_HEADS; h++) {
            kept_naive(want[h], n, stay, rows);
            assert_int_equal(kept.n[1][2 * h], stay);
            assert_memory_equal(kept.rows[1][2 * h], rows, (size_t)stay * sizeof *rows);
        }
    }
}

static void the_same_tokens_stay(void **state)
{
    (void)state;
    keeps_like(&usual, N);
    keeps_like(&(struct rule){6, 20, false, true, 0.1}, N);
    keeps_like(&usual, 5);
}

/* One token, all of them sinks. */
static void prompts_of_sinks_keep_the_first(void **state)
{
    (void)state;
    keeps_like(&usual, 1);
    keeps_like(&usual, 4);
    keeps_like(&(struct rule){1000, 512, true, true, 0}, 30);
}

/* A layer that keeps all observes nothing; in others a second method looks at queries, too. */
static void others_may_observe(void **state)
{
    (void)state;
    double want[N];
    int rows[N];
    kept_rows_of(&s, &engine,
                 "[{\"expected\":{\"first_layer\":1,\"budget\":30}},{\"think\":{\"ratio\":0.5}}]",
                 N, &kept);
    assert_int_equal(kept.n[0][0], N);
    naive_scores(1, N, &usual, want);
    kept_naive(want, N, 30, rows);
    assert_memory_equal(kept.rows[1][2], rows, 30 * sizeof *rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_worth_the_attention_to_come),
        cmocka_unit_test(prompts_may_be_short),
        cmocka_unit_test(the_same_tokens_stay),
        cmocka_unit_test(prompts_of_sinks_keep_the_first),
        cmocka_unit_test(others_may_observe),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
