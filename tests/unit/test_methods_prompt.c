/*
 * Methods that keep tokens once after the prompt, by keys, values or all of its attention: against
 * a second implementation in double, written as their definitions, on random rows among which some
 * are equal.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "tests/unit/kept_rows.h"
#include "tests/unit/naive_votes.h"

enum { N = 100, D = 32, CONSTANT = 5 };
static const struct kv_shape shape = {3, 4, 2, D};
static struct kv_engine engine;
static struct sequence s;
static struct kept_rows kept;

static float *row(float *x, int kv_head, int t)
{
    return x + (size_t)t * row_width(&shape) + (size_t)(kv_head * D);
}

/* Keys and values of every seventh token are those of the token three before it; one channel is the
 * same in tokens 20 to 40; one key has no length. */
static int open_all(void **state)
{
    (void)state;
    engine = engine_new(2);
    s = sequence_new(shape, N, 78);
    for (int t = 7; t < N; t += 7) {
        memcpy(row(s.k, 0, t), row(s.k, 0, t - 3), row_width(&shape) * sizeof *s.k);
        memcpy(row(s.v, 0, t), row(s.v, 0, t - 3), row_width(&shape) * sizeof *s.v);
    }
    for (int t = 20; t < 40; t++)
        row(s.k, 1, t)[CONSTANT] = 0.25f;
    memset(row(s.k, 0, 50), 0, D * sizeof *s.k);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    pool_free(engine.pool);
    sequence_release(&s);
    return 0;
}

/* With budget k the slot that begins with a query head keeps the k best of the first n tokens. */
static void keeps(const char *method, const char *options, int head, const double *score, int n,
                  int k)
{
    char text[160];
    int want[N] = {0};
    snprintf(text, sizeof text, "[{\"%s\":{\"budget\":%d%s,\"first_layer\":1}}]", method, k,
             options);
    kept_rows_of(&s, &engine, text, n, &kept);
    kept_naive(score, n, k < n ? k : n, want);
    assert_int_equal(kept.n[0][0], n); // before first_layer
    assert_int_equal(kept.n[2][head], k < n ? k : n);
    assert_memory_equal(kept.rows[2][head], want, (size_t)kept.n[2][head] * sizeof *want);
}

static void keeps_at_all_budgets(const char *method, const char *options, int head,
                                 const double *score, int n)
{
    for (int k = 1; k <= n + 3; k += 1 + k / 20)
        keeps(method, options, head, score, n, k);
}

/* ---- KeyDiff ---- */

static double cosine(const double *a, const double *b)
{
    double ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < D; i++) {
        ab += a[i] * b[i];
        aa += a[i] * a[i];
        bb += b[i] * b[i];
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa) / sqrt(bb) : 0;
}

static void naive_keydiff(int kv_head, int n, double *out)
{
    double keys[N][D] = {0}, anchor[D] = {0};
    for (int t = 0; t < n; t++) {
        double size = 0;
        for (int i = 0; i < D; i++)
            size += pow(keys[t][i] = (double)row(s.k, kv_head, t)[i], 2);
        for (int i = 0; i < D && size > 0; i++)
            anchor[i] += keys[t][i] / sqrt(size) / n;
    }
    for (int t = 0; t < n; t++)
        out[t] = -cosine(keys[t], anchor);
}

static void keydiff_keeps_what_differs(void **state)
{
    (void)state;
    double score[N];
    for (int h = 0; h < 2; h++) {
        naive_keydiff(h, N, score);
        keeps_at_all_budgets("keydiff", "", 2 * h, score, N);
    }
}

/* ---- LagKV ---- */

/* softmax over the partition of the standard deviations of a partition's scaled rows. */
static void naive_states(float *x, int kv_head, int first, int lag, double *out)
{
    double total = 0;
    for (int t = 0; t < lag; t++) {
        double scaled[D], mean = 0, squares = 0;
        int m = 0;
        for (int c = 0; c < D; c++) {
            double low = INFINITY, high = -INFINITY;
            for (int u = first + lag; u < first + 2 * lag; u++) {
                low = fmin(low, row(x, kv_head, u)[c]);
                high = fmax(high, row(x, kv_head, u)[c]);
            }
            if (low < high)
                scaled[m++] = (row(x, kv_head, first + t)[c] - low) / (high - low);
        }
        for (int i = 0; i < m; i++)
            mean += scaled[i] / m;
        for (int i = 0; i < m; i++)
            squares += pow(scaled[i] - mean, 2);
        total += out[t] = exp(sqrt(squares / (m - 1)));
    }
    for (int t = 0; t < lag; t++)
        out[t] /= total;
}

/* In place of scores how many of the partition are behind, later ones of equal score too. */
static void naive_ranks(double *score, int lag)
{
    double in[N];
    memcpy(in, score, (size_t)lag * sizeof *in);
    for (int t = 0; t < lag; t++) {
        score[t] = 0;
        for (int u = 0; u < lag; u++)
            score[t] += in[u] < in[t] || (in[u] == in[t] && u > t);
    }
}

static void naive_lagkv(int kv_head, int n, int sinks, int lag, bool cross, double *out)
{
    for (int t = 0; t < n; t++)
        out[t] = t < sinks ? 1e6 : 1000 + t;
    int parts = n > sinks ? (n - sinks) / lag : 0;
    for (int p = 0; p < parts - 1; p++) {
        double k[N], v[N], *at = out + sinks + p * lag;
        naive_states(s.k, kv_head, sinks + p * lag, lag, k);
        naive_states(s.v, kv_head, sinks + p * lag, lag, v);
        for (int t = 0; t < lag; t++)
            at[t] = (k[t] + v[t]) / 2;
        if (!cross)
            naive_ranks(at, lag);
    }
}

static void lagkv_keeps_what_varies(void **state)
{
    (void)state;
    double score[N];
    for (int h = 0; h < 2; h++) {
        naive_lagkv(h, N, 4, 16, false, score);
        keeps_at_all_budgets("lagkv", ",\"lag\":16", 2 * h, score, N);
        naive_lagkv(h, N, 3, 20, true, score);
        keeps_at_all_budgets("lagkv", ",\"lag\":20,\"sinks\":3,\"cross_scoring\":true", 2 * h,
                             score, N);
    }
}

static void lagkv_of_a_short_prompt_keeps_its_ends(void **state)
{
    (void)state;
    double score[N];
    for (int n = 1; n <= 36; n += 7) {
        naive_lagkv(1, n, 4, 16, false, score);
        keeps_at_all_budgets("lagkv", ",\"lag\":16", 2, score, n);
    }
}

/* ---- sums of attention ---- */

/* What all queries of n give each token. */
static void naive_sums(int head, int n, double *out)
{
    naive_window(&s, head, n, n, out);
}

static void observed_keeps_what_is_seen_on_average(void **state)
{
    (void)state;
    double score[N], one[N];
    for (int kv_head = 0; kv_head < 2; kv_head++) {
        memset(score, 0, sizeof score);
        for (int h = 2 * kv_head; h < 2 * kv_head + 2; h++) {
            naive_sums(h, N, one);
            for (int t = 0; t < N; t++)
                score[t] += one[t] / (N - t) / 2;
        }
        keeps_at_all_budgets("observed", "", 2 * kv_head, score, N);
    }
}

/* Heads first..last together; the window comes before all. */
static void naive_h2o(int first, int last, int n, int window, bool largest, double *out)
{
    double one[N];
    for (int t = 0; t < n; t++)
        out[t] = t < n - window ? 0 : 1000 + t;
    for (int h = first; h <= last; h++) {
        naive_sums(h, n, one);
        for (int t = 0; t < n - window; t++)
            out[t] = largest ? fmax(out[t], one[t]) : out[t] + one[t];
    }
}

static void h2o_keeps_what_got_most(void **state)
{
    (void)state;
    double score[N];
    for (int h = 0; h < 4; h++) {
        naive_h2o(h, h, N, 8, false, score);
        keeps_at_all_budgets("h2o", ",\"heads\":\"query\"", h, score, N);
    }
    naive_h2o(2, 3, N, 8, false, score);
    keeps_at_all_budgets("h2o", "", 2, score, N);
    keeps_at_all_budgets("h2o", ",\"group\":\"sum\"", 2, score, N);
    naive_h2o(2, 3, N, 5, true, score);
    keeps_at_all_budgets("h2o", ",\"window\":5,\"group\":\"max\"", 2, score, N);
    naive_h2o(0, 1, N, 0, false, score);
    keeps_at_all_budgets("h2o", ",\"window\":0", 0, score, N);
}

/* The last ones, whatever the budget. */
static void h2o_of_a_prompt_within_its_window(void **state)
{
    (void)state;
    double score[N];
    naive_h2o(0, 1, 20, 30, false, score);
    keeps_at_all_budgets("h2o", ",\"window\":30", 0, score, 20);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(keydiff_keeps_what_differs),
        cmocka_unit_test(lagkv_keeps_what_varies),
        cmocka_unit_test(lagkv_of_a_short_prompt_keeps_its_ends),
        cmocka_unit_test(observed_keeps_what_is_seen_on_average),
        cmocka_unit_test(h2o_keeps_what_got_most),
        cmocka_unit_test(h2o_of_a_prompt_within_its_window)};
    return cmocka_run_group_tests(tests, open_all, close_all);
}
