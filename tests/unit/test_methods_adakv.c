/*
 * AdaKV over SnapKV's votes against its definition in double: the heads' tokens in one list, of
 * which the best are looked for one after the other. Some keys are equal, and in one sequence all
 * heads are.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/unit/kept_rows.h"
#include "tests/unit/naive_votes.h"

enum { N = 100, WINDOW = 16, KERNEL = 7, HEADS = 4 };
static const struct kv_shape shape = {2, HEADS, 2, 32};
static struct kv_engine engine;
static struct sequence plain, twins; // all heads of twins are equal
static struct kept_rows kept;

static void repeat_head(float *x, size_t rows, size_t heads, size_t d)
{
    for (size_t t = 0; t < rows; t++)
        for (size_t h = 1; h < heads; h++)
            memcpy(x + (t * heads + h) * d, x + t * heads * d, d * sizeof *x);
}

static int open_all(void **state)
{
    size_t row = row_width(&shape);
    (void)state;
    engine = engine_new(2);
    plain = sequence_new(shape, N, 21);
    twins = sequence_new(shape, N, 22);
    for (size_t t = 7; t < N; t += 7)
        memcpy(plain.k + t * row, plain.k + (t - 3) * row, row * sizeof *plain.k);
    repeat_head(twins.q, N, (size_t)shape.n_heads, (size_t)shape.head_dim);
    repeat_head(twins.k, N, (size_t)shape.n_kv_heads, (size_t)shape.head_dim);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    pool_free(engine.pool);
    sequence_release(&plain);
    sequence_release(&twins);
    return 0;
}

struct variant {
    const char *heads, *pooling, *rule;
    double floor;
    bool normalize;
    int budget;
};

static int slots_of(const struct variant *v)
{
    return *v->heads == 'q' ? 4 : 2;
}

static void keep_of(const struct sequence *s, const struct variant *v)
{
    char text[320];
    snprintf(text, sizeof text,
             "[{\"adakv\":{\"rule\":\"%s\",\"floor\":%.17g,\"normalize\":%s}},{\"snapkv\":{"
             "\"heads\":\"%s\",\"pooling\":\"%s\",\"window\":%d,\"kernel\":%d,\"budget\":%d}}]",
             v->rule, v->floor, v->normalize ? "true" : "false", v->heads, v->pooling, WINDOW,
             KERNEL, v->budget);
    kept_rows_of(s, &engine, text, N, &kept);
}

/* Without the window. */
enum { FREE = N - WINDOW };

static double sum_of_best(const double *x, int k)
{
    int best[N];
    double sum = 0;
    kept_naive(x, FREE, k, best);
    for (int i = 0; i < k; i++)
        sum += x[best[i]];
    return sum;
}

static void naive_normalize(double *x, int base)
{
    double share = sum_of_best(x, base) / sum_of_best(x, FREE);
    for (int j = 0; j < FREE; j++)
        x[j] *= share;
}

static void naive_protect(double *x, int safe)
{
    int best[N];
    kept_naive(x, FREE, safe, best);
    for (int i = 0; i < safe; i++)
        x[best[i]] = 1e9;
}

/* scores [slots][N] -> how many tokens each slot keeps. */
static void naive_allot(double (*scores)[N], int slots, const struct variant *v, int *keep)
{
    double all[HEADS * FREE] = {0};
    int best[HEADS * FREE] = {0}, base = v->budget - WINDOW, won[HEADS] = {0};
    int safe = (int)(v->budget * v->floor) - WINDOW;
    for (int i = 0; i < slots; i++) {
        if (v->normalize)
            naive_normalize(scores[i], base);
        if (*v->rule == 's' && safe > 0)
            naive_protect(scores[i], safe);
        memcpy(all + i * FREE, scores[i], FREE * sizeof *all);
    }
    kept_naive(all, slots * FREE, slots * base, best);
    for (int i = 0; i < slots * base; i++)
        won[best[i] / FREE]++;
    for (int i = 0; i < slots; i++)
        keep[i] = WINDOW + (*v->rule == 's'
                                ? won[i]
                                : (int)nearbyint(won[i] * (1 - v->floor) + (int)(base * v->floor)));
}

/* Returns the tokens of all slots. */
static int keeps(const struct sequence *s, const struct variant *v)
{
    double scores[HEADS][N], first[HEADS][N];
    int slots = slots_of(v), each = HEADS / slots, keep[HEADS], want[N], sum = 0;
    keep_of(s, v);
    for (int i = 0; i < slots; i++)
        naive_votes(s, i * each, (i + 1) * each - 1, N, WINDOW, KERNEL, *v->pooling, true,
                    scores[i]);
    memcpy(first, scores, sizeof first);
    naive_allot(scores, slots, v, keep);
    for (int i = 0; i < slots; i++) {
        kept_naive(first[i], N, keep[i], want);
        assert_int_equal(kept.n[1][i * each], keep[i]);
        assert_memory_equal(kept.rows[1][i * each], want, (size_t)keep[i] * sizeof *want);
        sum += keep[i];
    }
    return sum;
}

static const double floors[] = {0, 0.2, 0.5, 0.9, 1};

/* The authors' rounding may move one token a head, and none where there is no floor. */
static void heads_share_as_the_authors_have_it(void **state)
{
    (void)state;
    int uneven = 0;
    for (int i = 0; i < 5; i++)
        for (int budget = WINDOW + 1; budget < N; budget += 9)
            for (int k = 0; k < 8; k++) {
                const struct variant v = {k & 1 ? "kv" : "query",
                                          k & 2 ? "max" : "average",
                                          "floor",
                                          floors[i],
                                          k & 4,
                                          budget};
                int sum = keeps(&plain, &v), even = slots_of(&v) * budget;
                uneven += kept.n[1][0] != kept.n[1][2];
                assert_true(abs(sum - even) <= (floors[i] == 0 ? 0 : slots_of(&v)));
            }
    assert_true(uneven > 200);
}

static void a_safeguard_keeps_the_sum(void **state)
{
    (void)state;
    int uneven = 0;
    for (int i = 0; i < 5; i++)
        for (int budget = WINDOW + 1; budget < N; budget += 9)
            for (int k = 0; k < 8; k++) {
                const struct variant v = {k & 1 ? "kv" : "query",
                                          k & 2 ? "max" : "average",
                                          "safeguard",
                                          floors[i],
                                          k & 4,
                                          budget};
                assert_int_equal(keeps(&plain, &v), slots_of(&v) * budget);
                uneven += kept.n[1][0] != kept.n[1][2];
            }
    assert_true(uneven > 100);
}

/* Equal heads share evenly but for what is worth the same at the border: the first head's stays. */
static void of_equal_heads_the_first_goes_first(void **state)
{
    (void)state;
    int more = 0;
    for (int budget = WINDOW + 1; budget < N; budget++) {
        const struct variant v = {"query", "max", "floor", 0, false, budget};
        assert_int_equal(keeps(&twins, &v), HEADS * budget);
        for (int h = 1; h < HEADS; h++)
            assert_true(kept.n[1][h] <= kept.n[1][h - 1]);
        more += kept.n[1][0] > kept.n[1][HEADS - 1];
    }
    assert_true(more > 10);
}

static void a_window_that_fills_the_budget_leaves_nothing_to_share(void **state)
{
    (void)state;
    for (int budget = WINDOW - 3; budget <= WINDOW; budget++) {
        keep_of(&plain, &(struct variant){"query", "max", "floor", 0.2, true, budget});
        for (int h = 0; h < HEADS; h++) {
            assert_int_equal(kept.n[1][h], budget);
            assert_int_equal(kept.rows[1][h][0], N - budget);
        }
    }
}

/* Scores that do not add up to more than 0 are not normalized; a head without a window. */
static void negative_scores_compete_as_they_are(void **state)
{
    (void)state;
    static struct kept_rows raw;
    kept_rows_of(&plain, &engine, "[{\"adakv\":{\"normalize\":false}},{\"knorm\":{\"budget\":30}}]",
                 N, &raw);
    kept_rows_of(&plain, &engine, "[\"adakv\",{\"knorm\":{\"budget\":30}}]", N, &kept);
    assert_memory_equal(&raw, &kept, sizeof kept);
    assert_true(kept.n[0][0] != 30);
    assert_in_range(kept.n[0][0] + kept.n[0][2], 58, 62);
}

/* Bits held are those of the tokens that each head has. */
static void bytes_are_of_the_rows_that_stay(void **state)
{
    (void)state;
    struct kv_chain c;
    struct kv_ledger ledger;
    struct err e = {0};
    const char *text = "[\"adakv\",{\"snapkv\":{\"window\":16,\"budget\":40}},\"f16\"]";
    uint64_t rows = 0;
    kept_rows_of(&plain, &engine, text, N, &kept);
    for (int l = 0; l < shape.n_layers; l++)
        rows += (uint64_t)(kept.n[l][0] + kept.n[l][2]);
    assert_true(kept.n[0][0] != kept.n[0][2]);
    assert_int_equal(read_chain(&c, text, &e), 0);
    struct kv_cache *cache = sequence_cache(&plain, &engine, &c, N, NULL);
    kv_cache_ledger(cache, &ledger);
    assert_int_equal(kv_ledger_sum(ledger.held), rows * (uint64_t)shape.head_dim * 2 * 16);
    kv_cache_free(cache);
    kv_chain_release(&c);
}

static void alone_it_is_refused(void **state)
{
    (void)state;
    struct kv_chain c;
    struct err e = {0};
    assert_int_not_equal(read_chain(&c, "[\"adakv\"]", &e), 0);
    assert_non_null(strstr(e.msg, "'adakv' needs a method beside it that scores tokens"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_share_as_the_authors_have_it),
        cmocka_unit_test(a_safeguard_keeps_the_sum),
        cmocka_unit_test(of_equal_heads_the_first_goes_first),
        cmocka_unit_test(a_window_that_fills_the_budget_leaves_nothing_to_share),
        cmocka_unit_test(negative_scores_compete_as_they_are),
        cmocka_unit_test(bytes_are_of_the_rows_that_stay),
        cmocka_unit_test(alone_it_is_refused),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
