/*
 * DropKV against its definition: each token is taken out and the attention of the last queries
 * computed again, in double. Some tokens are worth the same.
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

enum { N = 90, WINDOW = 32, KERNEL = 7, HEADS = 4, KV_HEADS = 2, D = 32 };
static const struct kv_shape shape = {2, HEADS, KV_HEADS, D};
static struct kv_engine engine;
static struct sequence s;
static struct kept_rows kept;
static struct seen_scores scores;

/* Every seventh token is the one three before it, as key and as value. */
static int open_all(void **state)
{
    (void)state;
    engine = engine_new(2);
    s = sequence_new(shape, N, 51);
    size_t row = row_width(&shape);
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

/* What query t of a head gets from the tokens up to its own, without one of them (-1: with all).
 * Returns the share of token `of` in it. */
static double attention(int head, int t, int of, int without, double *out)
{
    const float *q = s.q + (t * HEADS + head) * D;
    double total = 0, share = 0;
    memset(out, 0, D * sizeof *out);
    for (int j = 0; j <= t; j++) {
        const float *k = s.k + (j * KV_HEADS + head / 2) * D,
                    *v = s.v + (j * KV_HEADS + head / 2) * D;
        double dot = 0;
        for (int c = 0; c < D; c++)
            dot += (double)q[c] * k[c];
        double weight = j == without ? 0 : exp(dot / sqrt(D));
        total += weight;
        share = j == of ? weight : share;
        for (int c = 0; c < D; c++)
            out[c] += weight * v[c];
    }
    for (int c = 0; c < D && total > 0; c++)
        out[c] /= total;
    return share / total;
}

/* By how much the last queries of n change when token j goes. */
static double change(int head, int n, int window, int j)
{
    double with[D], without[D], sum = 0;
    for (int t = n > window ? n - window : 0; t < n; t++) {
        if (j > t)
            continue;
        attention(head, t, j, -1, with);
        attention(head, t, j, j, without);
        for (int c = 0; c < D && t > 0; c++) // query 0 has token 0 alone
            sum += (without[c] - with[c]) * (without[c] - with[c]);
    }
    return sum;
}

/* The same by the formula, where equal tokens are worth the same to the last bit. */
static double change_by_formula(int head, int n, int window, int j)
{
    double with[D], sum = 0;
    for (int t = n > window ? n - window : 0; t < n; t++) {
        const float *v = s.v + (j * KV_HEADS + head / 2) * D;
        double p = j <= t ? attention(head, t, j, -1, with) : 0, distance = 0;
        for (int c = 0; c < D && j <= t; c++)
            distance += (v[c] - with[c]) * (v[c] - with[c]);
        sum += p / (1 - p + 1e-6) * (p / (1 - p + 1e-6)) * distance;
    }
    return sum;
}

/* Of tokens that are worth so much each: the mean over neighbours; the window before all others. */
static void pool_naively(const double *plain, int n, int window, int kernel, double *out)
{
    for (int j = 0; j < n; j++) {
        out[j] = 0;
        for (int i = j - kernel / 2; i <= j + kernel / 2; i++)
            out[j] += i >= 0 && i < n ? plain[i] / kernel : 0;
        if (j >= n - window)
            out[j] = 1e30 + j * 1e24;
    }
}

typedef double change_fn(int head, int n, int window, int j);

/* The mean over heads first..last. */
static void naive_scores(change_fn *of, int first, int last, int n, int window, int kernel,
                         double *out)
{
    double plain[N] = {0};
    for (int j = 0; j < n; j++)
        for (int h = first; h <= last; h++)
            plain[j] += of(h, n, window, j) / (last - first + 1);
    pool_naively(plain, n, window, kernel, out);
}

static void worth_is(int slot, const double *want, int n)
{
    for (int j = 0; j < n; j++)
        assert_true(fabs(scores.worth[1][slot][j] - want[j]) <= 1e-4 * want[j] + 1e-12);
}

static void a_token_is_worth_what_changes_without_it(void **state)
{
    (void)state;
    double want[N];
    seen_scores_of(&s, &engine, "[\"dropkv\"]", N, &scores);
    assert_int_equal(scores.n_slots[1], KV_HEADS);
    for (int h = 0; h < KV_HEADS; h++) {
        naive_scores(change, 2 * h, 2 * h + 1, N, WINDOW, KERNEL, want);
        worth_is(h, want, N);
    }
}

static void each_query_head_may_have_its_own(void **state)
{
    (void)state;
    double want[N];
    seen_scores_of(&s, &engine, "[{\"dropkv\":{\"heads\":\"query\",\"window\":9,\"kernel\":1}}]", N,
                   &scores);
    assert_int_equal(scores.n_slots[1], HEADS);
    for (int h = 0; h < HEADS; h++) {
        naive_scores(change, h, h, N, 9, 1, want);
        worth_is(h, want, N);
    }
}

/* At each budget. */
static void keeps_like(const char *more, int n, int window, int kernel)
{
    double want[KV_HEADS][N];
    int rows[N];
    for (int h = 0; h < KV_HEADS; h++)
        naive_scores(change_by_formula, 2 * h, 2 * h + 1, n, window, kernel, want[h]);
    for (int k = 1; k <= n + 1; k++) {
        char text[128];
        int stay = k < n ? k : n;
        snprintf(text, sizeof text, "[{\"dropkv\":{\"budget\":%d%s}}]", k, more);
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
    keeps_like("", N, WINDOW, KERNEL);
    keeps_like(",\"window\":12,\"kernel\":5", N, 12, 5);
}

static void of_equal_tokens_the_first_stay(void **state)
{
    (void)state;
    keeps_like(",\"window\":5,\"kernel\":1", N, 5, 1);
}

/* One token, no more than the window, one more. */
static void short_prompts_are_the_window(void **state)
{
    (void)state;
    keeps_like("", 1, WINDOW, KERNEL);
    keeps_like("", WINDOW, WINDOW, KERNEL);
    keeps_like("", WINDOW + 1, WINDOW, KERNEL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_worth_what_changes_without_it),
        cmocka_unit_test(each_query_head_may_have_its_own),
        cmocka_unit_test(the_same_tokens_stay),
        cmocka_unit_test(of_equal_tokens_the_first_stay),
        cmocka_unit_test(short_prompts_are_the_window),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
