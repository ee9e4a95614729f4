#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>

#include "harness/base/rng.h"
#include "harness/tensor/topk.h"

enum { N_MAX = 1500 };

/* By counting who is ahead of each entry. */
static int naive(int *out, const float *score, int n, int k)
{
    int found = 0;
    for (int i = 0; i < n; i++) {
        int ahead = 0;
        for (int j = 0; j < n; j++) {
            int same = score[j] == score[i] || (isnan(score[j]) && isnan(score[i]));
            if (same ? j < i : score[j] > score[i] || isnan(score[i]))
                ahead++;
        }
        if (ahead < k)
            out[found++] = i;
    }
    return found;
}

static void ties_go_to_the_lowest_index(void **state)
{
    (void)state;
    const float score[] = {1, 3, 2, 3, -0.0f, 3, 0.0f, NAN, -INFINITY};
    int out[9];
    topk_indices(out, score, 9, 2);
    assert_int_equal(out[0], 1);
    assert_int_equal(out[1], 3);
    topk_indices(out, score, 9, 6);
    assert_int_equal(out[4], 4); // -0.0 before 0.0: they are equal
    assert_int_equal(out[5], 5);
    topk_indices(out, score, 9, 8);
    assert_int_equal(out[7], 8); // NaN is the last of all
}

static void agrees_with_counting(void **state)
{
    (void)state;
    struct rng r = {7};
    float score[N_MAX];
    int got[N_MAX], want[N_MAX];
    for (int round = 0; round < 100; round++) {
        int n = 1 + rng_below(&r, round % 2 ? 300 : N_MAX - 1), k = rng_below(&r, n + 1);
        int levels = 1 + rng_below(&r, 2 * n); // few levels: many ties
        for (int i = 0; i < n; i++)
            score[i] = rng_below(&r, 40) ? (float)rng_below(&r, levels) : NAN;
        topk_indices(got, score, n, k);
        assert_int_equal(naive(want, score, n, k), k);
        assert_memory_equal(got, want, (size_t)k * sizeof *got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ties_go_to_the_lowest_index),
        cmocka_unit_test(agrees_with_counting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
