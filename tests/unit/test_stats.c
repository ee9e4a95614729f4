/*
 * Statistics against closed forms. With an argument it prints problems and our answers as JSON
 * lines and does nothing else: tests/cli/stats.sh has SciPy answer them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/base/rng.h"
#include "reports/stats.h"
#include "reports/stats_boot.h"
#include "reports/stats_p.h"

static const double tiny = 1e-12;

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%.17g, not %.17g", got, want);
}

/* ---- means ---- */

static void means_leave_out_what_is_missing(void **state)
{
    (void)state;
    double x[] = {NAN, 2, 4, NAN, 9}, equal[] = {0.1, 0.1, 0.1};
    struct stats_mean m = stats_mean(x, 5);
    assert_int_equal(m.n, 3);
    assert_near(m.mean, 5, tiny);
    assert_near(m.sd, sqrt((9 + 1 + 16) / 2.0), tiny);
    assert_near(m.stderr_, sqrt((9 + 1 + 16) / 2.0 / 3), tiny);
    m = stats_mean(equal, 3);
    assert_near(m.stderr_, 0, 1e-15);
}

static void few_numbers_have_no_error(void **state)
{
    (void)state;
    double x[] = {NAN, 7};
    struct stats_mean m = stats_mean(x, 1);
    assert_int_equal(m.n, 0);
    assert_true(isnan(m.mean) && isnan(m.sd) && isnan(m.stderr_));
    m = stats_mean(x, 2);
    assert_int_equal(m.n, 1);
    assert_true(m.mean == 7 && isnan(m.sd) && isnan(m.stderr_));
}

/* ---- intervals ---- */

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double sorted_quantile(const double *x, int n, double q)
{
    double at = (n - 1) * q, share = at - floor(at);
    int k = (int)at, next = k + 1 < n ? k + 1 : k;
    return x[k] + (x[next] - x[k]) * share;
}

static void quantiles_are_those_of_the_sorted_numbers(void **state)
{
    (void)state;
    struct rng r = {1};
    double x[300], s[300];
    for (int round = 0; round < 600; round++) {
        int n = 1 + rng_below(&r, 300), values = 1 + rng_below(&r, 400); // with many ties
        double level = rng_uniform(&r);
        for (int i = 0; i < n; i++)
            x[i] = s[i] = rng_below(&r, values) / 3.0;
        qsort(s, (size_t)n, sizeof *s, by_value);
        struct stats_interval i = stats_interval(x, n, level);
        assert_near(i.lo, sorted_quantile(s, n, (1 - level) / 2), tiny);
        assert_near(i.hi, sorted_quantile(s, n, 1 - (1 - level) / 2), tiny);
    }
}

static void an_interval_needs_numbers(void **state)
{
    (void)state;
    double x[101], gap[] = {1, NAN, 3};
    for (int i = 0; i < 101; i++)
        x[i] = 7 * i % 101;
    struct stats_interval i = stats_interval(x, 101, 0.95);
    assert_near(i.lo, 2.5, tiny);
    assert_near(i.hi, 97.5, tiny);
    i = stats_interval(gap, 3, 0.95);
    assert_true(isnan(i.lo) && isnan(i.hi));
    i = stats_interval(gap, 0, 0.95);
    assert_true(isnan(i.lo) && isnan(i.hi));
}

static void rounding_is_not_a_difference(void **state)
{
    (void)state;
    assert_true(stats_interval_excludes_0((struct stats_interval){0.01, 2}));
    assert_true(stats_interval_excludes_0((struct stats_interval){-2, -0.01}));
    assert_false(stats_interval_excludes_0((struct stats_interval){-1, 1}));
    assert_false(stats_interval_excludes_0((struct stats_interval){0, 1}));
    assert_false(stats_interval_excludes_0((struct stats_interval){1e-14, 1}));
    assert_false(stats_interval_excludes_0((struct stats_interval){NAN, NAN}));
}

/* ---- probabilities ---- */

static void the_sign_test_counts_tails(void **state)
{
    (void)state;
    assert_near(stats_sign_p(10, 0), 2.0 / 1024, tiny);
    assert_near(stats_sign_p(2, 8), 2.0 * (1 + 10 + 45) / 1024, tiny);
    assert_near(stats_sign_p(8, 2), stats_sign_p(2, 8), 0);
    assert_true(stats_sign_p(5, 5) == 1 && stats_sign_p(5, 6) == 1 && stats_sign_p(0, 0) == 1);
    assert_true(stats_sign_p(1, 0) == 1);
    assert_near(stats_sign_p(2, 0), 0.5, tiny);
    assert_true(stats_sign_p(100000, 0) == 0);
}

static void t_with_one_and_two_degrees(void **state)
{
    (void)state;
    for (double t = -30; t <= 30; t += 0.37) {
        assert_near(stats_t_p(t, 1), 1 - 2 / acos(-1) * atan(fabs(t)), tiny);
        assert_near(stats_t_p(t, 2), 1 - fabs(t) / sqrt(2 + t * t), tiny);
        assert_near(stats_t_p(t, 1e5), erfc(fabs(t) / sqrt(2)), 1e-5);
    }
    assert_near(stats_t_p(0, 5), 1, tiny);
    assert_true(stats_t_p(INFINITY, 5) == 0);
    assert_true(isnan(stats_t_p(NAN, 5)) && isnan(stats_t_p(1, NAN)));
}

static void beta_in_closed_forms(void **state)
{
    (void)state;
    for (double x = 0; x <= 1; x += 1.0 / 64) {
        assert_near(stats_beta(1, 7.5, x, 1 - x), 1 - pow(1 - x, 7.5), tiny);
        assert_near(stats_beta(0.3, 1, x, 1 - x), pow(x, 0.3), tiny);
        assert_near(stats_beta(40, 3, x, 1 - x), 1 - stats_beta(3, 40, 1 - x, x), tiny);
        assert_near(stats_beta(2, 3, x, 1 - x), x * x * (6 - 8 * x + 3 * x * x), tiny);
    }
}

static void adjusting_keeps_the_order(void **state)
{
    (void)state;
    double p[] = {0.04, NAN, 0.01, 0.03, 0.5};
    stats_adjust(p, 5, p);
    assert_near(p[0], 0.04 * 4 / 3, tiny);
    assert_true(isnan(p[1]));
    assert_near(p[2], 0.04, tiny);
    assert_near(p[3], 0.04 * 4 / 3, tiny); // 0.06 of its own rank; a larger one's is less
    assert_near(p[4], 0.5, tiny);
    stats_adjust(p, 0, p);
}

/* ---- pairs ---- */

static void pairs_of_right_and_wrong(void **state)
{
    (void)state;
    double a[] = {100, 0, 100, 100, NAN, 0, 100}, b[] = {0, 0, 100, 0, 100, NAN, 0};
    struct stats_paired p = stats_paired(a, b, 7);
    assert_int_equal(p.pairs, 5);
    assert_int_equal(p.won, 3);
    assert_int_equal(p.lost, 0);
    assert_int_equal(p.tied, 2);
    assert_near(p.difference, 60, tiny);
    assert_near(p.stderr_, sqrt(3000.0 / 5), tiny); // variance 100^2 * .3
    assert_int_equal(p.test, STATS_SIGN);
    assert_near(p.p, 0.25, tiny);
}

static void pairs_of_other_scores(void **state)
{
    (void)state;
    double a[] = {10, 20, 33}, b[] = {9, 18, 30}, same[] = {9.1, 18.1, 30.1};
    struct stats_paired p = stats_paired(a, b, 3); // 1, 2, 3: t = 2 sqrt(3)
    assert_int_equal(p.test, STATS_PAIRED_T);
    assert_near(p.p, 1 - 2 * sqrt(3) / sqrt(2 + 12), tiny);
    p = stats_paired(same, b, 3);
    assert_int_equal(p.test, STATS_SIGN); // all gain 0.1: t would divide by 0
    assert_near(p.p, 0.25, tiny);
    p = stats_paired(b, b, 3);
    assert_true(p.difference == 0 && p.stderr_ == 0 && p.p == 1);
    p = stats_paired(a, b, 1);
    assert_int_equal(p.test, STATS_NO_TEST);
    assert_true(p.difference == 1 && isnan(p.stderr_) && isnan(p.p));
    p = stats_paired(a, b, 0);
    assert_true(p.pairs == 0 && isnan(p.difference));
}

static void errors_of_tasks_add_up(void **state)
{
    (void)state;
    struct stats_part part[] = {{0.5, 11, 10, 3}, {0.5, 11, 20, 4}};
    struct stats_over o = stats_over(part, 2);
    assert_near(o.mean, 15, tiny);
    assert_near(o.stderr_, 2.5, tiny);
    assert_near(o.degrees, 625.0 / ((81 + 256) / 10.0), tiny);
    part[1].stderr_ = NAN;
    o = stats_over(part, 2);
    assert_true(isnan(o.stderr_) && isnan(o.degrees) && o.mean == 15);
}

/* ---- resamples ---- */

enum { RESAMPLES = 64 };

static void every_resample_draws_n_items(void **state)
{
    (void)state;
    int32_t counts[RESAMPLES * 30], other[RESAMPLES * 30];
    int differing = 0, never = 0;
    stats_boot_counts(1, 2, 30, RESAMPLES, counts);
    for (int b = 0; b < RESAMPLES; b++) {
        int sum = 0;
        for (int i = 0; i < 30; i++) {
            sum += counts[b * 30 + i];
            never += !counts[b * 30 + i];
        }
        assert_int_equal(sum, 30);
    }
    assert_in_range(never, 0.32 * RESAMPLES * 30, 0.40 * RESAMPLES * 30); // (29/30)^30 = 0.362
    stats_boot_counts(1, 2, 30, RESAMPLES, other);
    assert_memory_equal(counts, other, sizeof counts);
    for (int way = 0; way < 2; way++) {
        stats_boot_counts(1 + (uint64_t)way, 3 - way, 30, RESAMPLES, other);
        differing += memcmp(counts, other, sizeof counts) != 0;
    }
    assert_int_equal(differing, 2);
}

/* As anyone would write it. */
static void plain_means(uint64_t seed, int place, const struct stats_boot_column *c, double *out)
{
    int32_t *counts = xcalloc((size_t)RESAMPLES * (size_t)c->n + 1, sizeof *counts);
    stats_boot_counts(seed, place, c->n, RESAMPLES, counts);
    for (int b = 0; b < RESAMPLES; b++) {
        double sum = 0;
        for (int i = 0; i < c->n; i++)
            sum += counts[b * c->n + i] * c->x[i];
        out[b] = c->n ? sum / c->n : NAN;
    }
    free(counts);
}

enum { COLUMNS = 71, LONGEST = 203 };

static struct stats_boot_column *columns_new(double *x, double *resample)
{
    static const int sizes[] = {200, 1, 0, 2, 203, 199, 5};
    struct stats_boot_column *c = xcalloc(COLUMNS, sizeof *c);
    struct rng r = {5};
    for (int k = 0; k < COLUMNS; k++) {
        c[k] = (struct stats_boot_column){x + k * LONGEST, sizes[k % 3 ? k % 7 : 0],
                                          resample + k * RESAMPLES};
        for (int i = 0; i < LONGEST; i++)
            x[k * LONGEST + i] = 100 * rng_uniform(&r);
    }
    return c;
}

static void blocks_give_the_bits_of_plain_sums(void **state)
{
    (void)state;
    static double x[COLUMNS * LONGEST], resample[COLUMNS * RESAMPLES], plain[RESAMPLES];
    struct stats_boot_column *c = columns_new(x, resample);
    stats_boot_means(7, 3, RESAMPLES, c, COLUMNS);
    for (int k = 0; k < COLUMNS; k++) {
        plain_means(7, 3, &c[k], plain);
        if (c[k].n)
            assert_memory_equal(plain, c[k].resample, sizeof plain);
        else
            assert_true(isnan(c[k].resample[0]) && isnan(c[k].resample[RESAMPLES - 1]));
    }
    free(c);
}

/* Whatever compiler and processor. */
static void resamples_are_the_same_everywhere(void **state)
{
    (void)state;
    double x[37], resample[RESAMPLES];
    uint64_t bits, all = 0;
    for (int i = 0; i < 37; i++)
        x[i] = 100.0 / (i + 1);
    struct stats_boot_column c = {x, 37, resample};
    stats_boot_means(1, 0, RESAMPLES, &c, 1);
    for (int b = 0; b < RESAMPLES; b++) {
        memcpy(&bits, &resample[b], sizeof bits);
        all = all * 0x9E3779B97F4A7C15u + bits;
    }
    assert_true(all == 0x956c63b24fde311du);
}

#include "tests/unit/stats_problems.h"

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return print_problems();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_leave_out_what_is_missing),
        cmocka_unit_test(few_numbers_have_no_error),
        cmocka_unit_test(quantiles_are_those_of_the_sorted_numbers),
        cmocka_unit_test(an_interval_needs_numbers),
        cmocka_unit_test(rounding_is_not_a_difference),
        cmocka_unit_test(the_sign_test_counts_tails),
        cmocka_unit_test(t_with_one_and_two_degrees),
        cmocka_unit_test(beta_in_closed_forms),
        cmocka_unit_test(adjusting_keeps_the_order),
        cmocka_unit_test(pairs_of_right_and_wrong),
        cmocka_unit_test(pairs_of_other_scores),
        cmocka_unit_test(errors_of_tasks_add_up),
        cmocka_unit_test(every_resample_draws_n_items),
        cmocka_unit_test(blocks_give_the_bits_of_plain_sums),
        cmocka_unit_test(resamples_are_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
