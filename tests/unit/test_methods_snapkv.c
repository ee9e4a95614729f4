/*
 * SnapKV against its definition in double (naive_votes.h), on random rows among which some keys
 * are equal; and where a prompt, a window and a budget cross.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/unit/kept_rows.h"
#include "tests/unit/naive_votes.h"

enum { N = 100, WINDOW = 16 };
static const struct kv_shape shape = {2, 4, 2, 32};
static struct kv_engine engine;
static struct sequence s;
static struct kept_rows kept;

/* Keys of every seventh token are those of the token three before it. */
static int open_all(void **state)
{
    size_t row = row_width(&shape);
    (void)state;
    engine = engine_new(2);
    s = sequence_new(shape, N, 5);
    for (size_t t = 7; t < N; t += 7)
        memcpy(s.k + t * row, s.k + (t - 3) * row, row * sizeof *s.k);
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
    const char *heads, *group, *pooling;
    int kernel;
};

static void keep_of(const struct variant *v, int window, int budget, int n)
{
    char text[256];
    snprintf(text, sizeof text,
             "[{\"snapkv\":{\"heads\":\"%s\",\"group\":\"%s\",\"pooling\":\"%s\",\"kernel\":%d,"
             "\"window\":%d,\"budget\":%d}}]",
             v->heads, v->group, v->pooling, v->kernel, window, budget);
    kept_rows_of(&s, &engine, text, n, &kept);
}

/* Of equal worth at the border, one stays and the other goes. */
static bool tie_at_the_border(const double *score, const int *rows, int n, int k)
{
    char stays[N] = {0};
    double least = INFINITY, most = -INFINITY;
    for (int i = 0; i < k; i++) {
        stays[rows[i]] = 1;
        least = fmin(least, score[rows[i]]);
    }
    for (int j = 0; j < n; j++)
        most = stays[j] ? most : fmax(most, score[j]);
    return least == most;
}

/* The slot of heads first..last. Returns whether a tie had to be broken. */
static bool slot_keeps(const struct variant *v, int first, int last, int window, int budget, int n)
{
    double score[N];
    int want[N];
    naive_votes(&s, first, last, n, window, v->kernel, *v->pooling, *v->group == 'p', score);
    kept_naive(score, n, budget, want);
    assert_int_equal(kept.n[1][first], budget);
    assert_memory_equal(kept.rows[1][first], want, (size_t)budget * sizeof *want);
    return tie_at_the_border(score, want, n, budget);
}

/* Returns how many ties were broken. */
static int try_variant(const struct variant *v)
{
    int each = *v->heads == 'q' ? 1 : 2, ties = 0;
    for (int budget = WINDOW + 1; budget < N; budget += 7) {
        keep_of(v, WINDOW, budget, N);
        for (int h = 0; h < shape.n_heads; h += each)
            ties += slot_keeps(v, h, h + each - 1, WINDOW, budget, N);
    }
    return ties;
}

static void every_variant_keeps_what_its_definition_says(void **state)
{
    (void)state;
    static const char *const heads[] = {"kv", "query"}, *const groups[] = {"pooled", "votes"},
                             *const poolings[] = {"average", "max", "none"};
    int ties = 0;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            for (int k = 0; k < 3; k++)
                for (int kernel = 5; kernel <= 7; kernel += 2)
                    ties +=
                        try_variant(&(struct variant){heads[i], groups[j], poolings[k], kernel});
    assert_true(ties > 20);
}

/* Else the two would be one. */
static void groups_differ_under_the_maximum(void **state)
{
    (void)state;
    static struct kept_rows votes;
    keep_of(&(struct variant){"kv", "votes", "max", 7}, WINDOW, 40, N);
    votes = kept;
    keep_of(&(struct variant){"kv", "pooled", "max", 7}, WINDOW, 40, N);
    assert_memory_not_equal(&votes, &kept, sizeof kept);
}

static const struct variant usual = {"kv", "pooled", "average", 5};

static void keeps_all(int n)
{
    assert_int_equal(kept.n[1][0], n);
    for (int i = 0; i < n; i++)
        assert_int_equal(kept.rows[1][0][i], i);
}

static void a_prompt_within_the_budget_stays(void **state)
{
    (void)state;
    for (int n = 58; n <= 60; n++) {
        keep_of(&usual, WINDOW, 60, n);
        keeps_all(n);
    }
    keep_of(&usual, WINDOW, 60, 61);
    slot_keeps(&usual, 0, 1, WINDOW, 60, 61);
}

/* All tokens are the window's, or as good as all, or the budget is less than the window: the last
 * ones stay. */
static void a_window_comes_first(void **state)
{
    (void)state;
    static const int windows[] = {49, 50, 51, 1000};
    for (int i = 0; i < 4; i++)
        for (int budget = 1; budget < 50; budget += 8) {
            keep_of(&usual, windows[i], budget, 50);
            assert_int_equal(kept.n[1][2], budget);
            for (int j = 0; j < budget; j++)
                assert_int_equal(kept.rows[1][2][j], 50 - budget + j);
        }
}

/* The smallest window: one query, and its own token stays. */
static void one_query_votes_alone(void **state)
{
    (void)state;
    for (int budget = 2; budget < 60; budget += 9) {
        keep_of(&usual, 1, budget, 60);
        slot_keeps(&usual, 2, 3, 1, budget, 60);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_variant_keeps_what_its_definition_says),
        cmocka_unit_test(groups_differ_under_the_maximum),
        cmocka_unit_test(a_prompt_within_the_budget_stays),
        cmocka_unit_test(a_window_comes_first),
        cmocka_unit_test(one_query_votes_alone),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
