/*
 * ChunkKV beside methods that score, against loops written from its definition: chunks are taken
 * one after the other, the best first. Some chunks are worth the same.
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

enum { N = 127, HEADS = 4, KV_HEADS = 2, D = 32 };
static const struct kv_shape shape = {2, HEADS, KV_HEADS, D};
static struct kv_engine engine;
static struct sequence s;
static struct kept_rows kept;

/* Keys of tokens 60 to 79 are those of 20 to 39; 40 to 59 and the last seven are one and the same.
 */
static int open_all(void **state)
{
    (void)state;
    engine = engine_new(2);
    s = sequence_new(shape, N, 91);
    size_t row = row_width(&shape);
    memcpy(s.k + 60 * row, s.k + 20 * row, 20 * row * sizeof *s.k);
    for (size_t t = 41; t < N; t = t == 59 ? 120 : t + 1)
        memcpy(s.k + t * row, s.k + 40 * row, row * sizeof *s.k);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    pool_free(engine.pool);
    sequence_release(&s);
    return 0;
}

/* What knorm says: small keys are worth much. */
static void norms(int kv_head, double *out)
{
    for (int t = 0; t < N; t++) {
        double sum = 0;
        for (int c = 0; c < D; c++) {
            double x = (double)s.k[(t * KV_HEADS + kv_head) * D + c];
            sum += x * x;
        }
        out[t] = -sqrt(sum);
    }
}

static void sum_of_norms(double *out)
{
    double other[N];
    norms(0, out);
    norms(1, other);
    for (int t = 0; t < N; t++)
        out[t] += other[t];
}

static int end_of(int chunk, int length, int n)
{
    return (chunk + 1) * length < n ? (chunk + 1) * length : n;
}

/* The best chunk that is not taken, the first of equal ones. */
static int best_chunk(const double *score, int n, int length, const char *taken)
{
    int best = -1;
    double most = 0;
    for (int c = 0; c * length < n; c++) {
        double mean = 0;
        for (int t = c * length; t < end_of(c, length, n); t++)
            mean += score[t] / (end_of(c, length, n) - c * length);
        mean = (double)(float)mean; // equal chunks of other lengths
        if (!taken[c] && (best < 0 || mean > most)) {
            best = c;
            most = mean;
        }
    }
    return best;
}

/* `chunks` of them, or the first `rows` tokens in the order they are taken. Returns how many. */
static int take(const double *score, int n, int length, int chunks, int rows, int *out)
{
    char taken[N] = {0}, stays[N] = {0};
    int m = 0;
    for (int i = 0; i < chunks && m < rows; i++) {
        int c = best_chunk(score, n, length, taken);
        taken[c] = 1;
        for (int t = c * length; t < end_of(c, length, n) && m < rows; t++, m++)
            stays[t] = 1;
    }
    m = 0;
    for (int t = 0; t < n; t++)
        if (stays[t])
            out[m++] = t;
    return m;
}

static void all_heads_keep(const int *rows, int n)
{
    for (int layer = 0; layer < shape.n_layers; layer++)
        for (int h = 0; h < KV_HEADS; h++) {
            assert_int_equal(kept.n[layer][2 * h], n);
            assert_memory_equal(kept.rows[layer][2 * h], rows, (size_t)n * sizeof *rows);
        }
}

static void keep(int n, const char *scorer, const char *chunkkv)
{
    char text[200];
    snprintf(text, sizeof text, "[%s,{\"chunkkv\":{%s}}]", scorer, chunkkv);
    kept_rows_of(&s, &engine, text, n, &kept);
}

/* By kvpress' rule: of each number of tokens its share of the chunks. */
static void whole_chunks(int n, int length)
{
    double score[N];
    int rows[N], all = (n + length - 1) / length;
    sum_of_norms(score);
    for (int k = 1; k <= n; k++) {
        char scorer[80], options[80];
        int chunks = all * k / n > 1 ? all * k / n : 1;
        snprintf(scorer, sizeof scorer, "{\"knorm\":{\"budget\":%d}}", k);
        snprintf(options, sizeof options, "\"length\":%d", length);
        keep(n, scorer, options);
        all_heads_keep(rows, take(score, n, length, chunks, n, rows));
    }
}

static void whole_chunks_stay(void **state)
{
    (void)state;
    whole_chunks(120, 20);
    whole_chunks(127, 20); // seven remain
    whole_chunks(121, 20); // one remains
    whole_chunks(20, 20);
    whole_chunks(21, 20);
    whole_chunks(127, 1);
    whole_chunks(127, 7);
}

static void rows_may_fill_the_budget(void **state)
{
    (void)state;
    double score[N];
    int rows[N];
    sum_of_norms(score);
    for (int k = 0; k <= N; k++) {
        char scorer[80];
        snprintf(scorer, sizeof scorer, "{\"knorm\":{\"kept\":%.6f}}", k < N ? (k + 0.5) / N : 1.0);
        keep(N, scorer, "\"fill\":\"rows\"");
        all_heads_keep(rows, take(score, N, 20, N, k, rows));
    }
}

/* kept is the share of chunks and not of the tokens it has been rounded to: 3 of 6 here, where 50
 * of 101 tokens would be 2. */
static void the_share_is_not_rounded_first(void **state)
{
    (void)state;
    static const struct {
        int n, chunks;
        const char *scorer;
    } cases[] = {{101, 3, "{\"knorm\":{\"kept\":0.5}}"},
                 {110, 1, "{\"knorm\":{\"kept\":0.3}}"},
                 {82, 3, "{\"knorm\":{\"kept\":0.6}}"}, // 5 * (82 * 0.6) / 82 is below 3 in double
                 {100, 1, "{\"knorm\":{\"kept\":0}}"},
                 {127, 7, "{\"knorm\":{\"budget\":1000}}"}};
    double score[N];
    int rows[N];
    sum_of_norms(score);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        keep(cases[i].n, cases[i].scorer, "");
        all_heads_keep(rows, take(score, cases[i].n, 20, cases[i].chunks, N, rows));
    }
}

/* Shorter than a chunk: as the other method alone, each head its own. */
static void short_prompts_are_the_scorers(void **state)
{
    (void)state;
    double score[N];
    int rows[N];
    keep(19, "{\"knorm\":{\"budget\":8}}", "");
    for (int h = 0; h < KV_HEADS; h++) {
        norms(h, score);
        kept_naive(score, 19, 8, rows);
        assert_int_equal(kept.n[0][2 * h], 8);
        assert_memory_equal(kept.rows[0][2 * h], rows, 8 * sizeof *rows);
    }
}

/* Layers before first_layer keep all. */
static void some_layers_keep_all(void **state)
{
    (void)state;
    keep(N, "{\"knorm\":{\"first_layer\":1,\"budget\":40}}", "");
    assert_int_equal(kept.n[0][0], N);
    assert_int_equal(kept.n[1][0], 40);
}

/* A window of 30 begins in the chunk of 80: with four others it stays at any budget, the end
 * first. */
static void forced_tokens_bring_their_chunks(void **state)
{
    (void)state;
    keep(N, "{\"snapkv\":{\"window\":30,\"budget\":60}}", "");
    assert_int_equal(kept.n[0][0], 20 + 20 + 7);
    for (int i = 0; i < 47; i++)
        assert_int_equal(kept.rows[0][0][i], 80 + i);
    keep(N, "{\"snapkv\":{\"window\":30,\"budget\":20}}", "");
    assert_int_equal(kept.n[1][2], 7);
    assert_int_equal(kept.rows[1][2][0], 120);
}

/* Scores of four query heads, of methods with an object each, are summed. */
static void all_slots_are_summed(void **state)
{
    (void)state;
    static struct seen_scores of;
    double score[N] = {0};
    int rows[N];
    const char *scorer =
        "{\"dropkv\":{\"heads\":\"query\",\"window\":1,\"kernel\":1,\"budget\":64}}";
    seen_scores_of(&s, &engine, "[{\"dropkv\":{\"heads\":\"query\",\"window\":1,\"kernel\":1}}]", N,
                   &of);
    assert_int_equal(of.n_slots[0], HEADS);
    for (int h = 0; h < HEADS; h++)
        for (int t = 0; t < N; t++)
            score[t] += (double)of.worth[0][h][t];
    keep(N, scorer, "\"length\":16");
    int n = take(score, N, 16, 4, N, rows); // 8 * 64 / 127
    for (int h = 0; h < HEADS; h++) {
        assert_int_equal(kept.n[0][h], n);
        assert_memory_equal(kept.rows[0][h], rows, (size_t)n * sizeof *rows);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_chunks_stay),
        cmocka_unit_test(rows_may_fill_the_budget),
        cmocka_unit_test(the_share_is_not_rounded_first),
        cmocka_unit_test(short_prompts_are_the_scorers),
        cmocka_unit_test(some_layers_keep_all),
        cmocka_unit_test(forced_tokens_bring_their_chunks),
        cmocka_unit_test(all_slots_are_summed),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
