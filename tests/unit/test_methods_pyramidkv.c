/*
 * PyramidKV's budgets of layers against its two definitions, in numbers worked out by hand and over
 * a range of prompts and budgets; over SnapKV's votes it keeps the best of them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/unit/kept_rows.h"
#include "tests/unit/naive_votes.h"

enum { N = 200, WINDOW = 16, LAYERS = 4 };
static const struct kv_shape shape = {LAYERS, 2, 1, 32};
static struct kv_engine engine;
static struct sequence s;
static struct kept_rows kept;

static int open_all(void **state)
{
    (void)state;
    engine = engine_new(2);
    s = sequence_new(shape, N, 31);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    pool_free(engine.pool);
    sequence_release(&s);
    return 0;
}

/* scorer: with its options. */
static void keep_of(const char *variant, int beta, const char *scorer, int n)
{
    char text[256];
    snprintf(text, sizeof text, "[{\"pyramidkv\":{\"variant\":\"%s\",\"beta\":%d}},%s]", variant,
             beta, scorer);
    kept_rows_of(&s, &engine, text, n, &kept);
}

static void counts(int first, int second, int third, int last)
{
    const int want[] = {first, second, third, last};
    for (int l = 0; l < LAYERS; l++)
        assert_int_equal(kept.n[l][0], want[l]);
}

/* A = 40: from 2 * 40 - 2 to 2 by 76 / 3 = 25, and the window. */
static void the_authors_line(void **state)
{
    (void)state;
    keep_of("kvcache-factory", 20, "{\"snapkv\":{\"window\":16,\"budget\":56}}", 100);
    counts(94, 69, 44, 19);
    /* 79 others than the window are fewer than 2A: an even budget. */
    keep_of("kvcache-factory", 20, "{\"snapkv\":{\"window\":16,\"budget\":56}}", 79);
    counts(56, 56, 56, 56);
    /* 90 tokens are 74 others, fewer than 78: from 74 to 6 by 22. */
    keep_of("kvcache-factory", 20, "{\"snapkv\":{\"window\":16,\"budget\":56}}", 90);
    counts(90, 68, 46, 24);
    /* Three layers: 78 to 2 by 38. */
    keep_of("kvcache-factory", 20, "{\"snapkv\":{\"window\":16,\"budget\":56,\"first_layer\":1}}",
            100);
    counts(100, 94, 56, 18);
}

/* A = 0.335 * 200 = 67: from 134 - 3.35 to 3.35 fails at min < window: an even budget, to even.
 * beta 4: from 117.25 to 16.75 by 33.5. */
static void kvpress_line(void **state)
{
    (void)state;
    keep_of("kvpress", 20, "{\"snapkv\":{\"window\":16,\"kept\":0.335}}", 200);
    counts(67, 67, 67, 67);
    keep_of("kvpress", 4, "{\"snapkv\":{\"window\":16,\"kept\":0.335}}", 200);
    counts(117, 84, 50, 17);
    keep_of("kvpress", 20, "{\"knorm\":{\"kept\":0.3325}}", 200); // 66.5, no window
    counts(130, 88, 45, 3);
    keep_of("kvpress", 1, "{\"knorm\":{\"kept\":0.3325}}", 200);
    counts(66, 66, 66, 66);
}

static int naive_factory(int layer, int layers, int t, int c, int beta)
{
    double a = c - WINDOW, min = floor(a / beta), max = a * 2 - min;
    if (t <= c)
        return t;
    if (c <= WINDOW || t < 2 * a)
        return c;
    if (max >= t - WINDOW) {
        max = t - WINDOW;
        min = a * 2 - max;
    }
    return WINDOW + (int)(max - layer * floor((max - min) / (layers - 1)));
}

/* All layers but the first `first`, whatever the prompt; the sum is what the formula says: half a
 * token a layer for each that the step leaves. */
static void whole_numbers_are_the_authors(void **state)
{
    (void)state;
    static const int betas[] = {1, 3, 20, 1000};
    for (int c = 10; c <= N; c += 13)
        for (int n = 30; n <= N; n += 17)
            for (int i = 0; i < 4; i++) {
                char scorer[128];
                int first = i % 2, layers = LAYERS - first, sum = 0;
                snprintf(scorer, sizeof scorer,
                         "{\"snapkv\":{\"window\":%d,\"budget\":%d,\"first_layer\":%d}}", WINDOW, c,
                         first);
                keep_of("kvcache-factory", betas[i], scorer, n);
                for (int l = first; l < LAYERS; l++) {
                    assert_int_equal(kept.n[l][0],
                                     naive_factory(l - first, layers, n, c, betas[i]));
                    sum += kept.n[l][0];
                }
                int even = layers * (c < n ? c : n);
                assert_true(sum >= even && sum - even <= layers * (layers - 2) / 2);
                assert_int_equal((sum - even) * 2 % layers, 0);
            }
}

static void layers_keep_the_best(void **state)
{
    (void)state;
    double score[N];
    int want[N];
    keep_of("kvcache-factory", 20, "{\"snapkv\":{\"window\":16,\"budget\":70}}", N);
    naive_votes(&s, 0, 1, N, WINDOW, 5, 'a', true, score);
    for (int l = 0; l < LAYERS; l++) {
        kept_naive(score, N, kept.n[l][0], want);
        assert_memory_equal(kept.rows[l][0], want, (size_t)kept.n[l][0] * sizeof *want);
    }
    assert_true(kept.n[0][0] > 100 && kept.n[3][0] < 30);
}

/* No line goes through one point. */
static void one_layer_has_the_budget(void **state)
{
    (void)state;
    static const char *const variants[] = {"kvcache-factory", "kvpress"};
    for (int i = 0; i < 2; i++) {
        keep_of(variants[i], 20, "{\"snapkv\":{\"budget\":50,\"first_layer\":3}}", N);
        counts(N, N, N, 50);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_authors_line),         cmocka_unit_test(kvpress_line),
        cmocka_unit_test(layers_keep_the_best),     cmocka_unit_test(whole_numbers_are_the_authors),
        cmocka_unit_test(one_layer_has_the_budget),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
