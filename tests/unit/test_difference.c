/* The smallest difference that items can show, against closed forms. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>

#include "reports/difference.h"

static const double tiny = 1e-12;

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%.17g, not %.17g", got, want);
}

/* n differences, half of them low and half high. */
static struct moments halves(int n, double low, double high)
{
    struct moments m = {0};
    for (int i = 0; i < n; i++)
        moments_add(&m, i % 2 ? high : low);
    return m;
}

/* A task whose differences have that deviation, from very many items. */
static struct difference_task task_of(int64_t items, double sd)
{
    return (struct difference_task){items, {1000, 999, 999 * sd * sd}};
}

static void moments_are_those_of_the_numbers(void **state)
{
    (void)state;
    struct moments m = {0};
    for (int i = 1; i <= 10; i++)
        moments_add(&m, 1e6 + i);
    assert_int_equal(m.n, 10);
    assert_near(m.mean, 1e6 + 5.5, 1e-9);
    assert_near(m.squares, 82.5, 1e-6); // (n^3 - n) / 12
}

static void pooling_leaves_each_pairs_mean_out(void **state)
{
    (void)state;
    struct pooled p = {0};
    struct moments a = halves(8, 0, 10), b = halves(12, 70, 80);
    pooled_add(&p, &a);
    pooled_add(&p, &b);
    assert_int_equal(p.pairs, 20);
    assert_near(pooled_sd(&p), sqrt(20 * 25.0 / (7 + 11)), tiny);
}

static void few_items_and_equal_ones_say_nothing(void **state)
{
    (void)state;
    struct pooled p = {0};
    struct moments few = halves(DIFFERENCE_PAIRS_MIN - 1, 0, 10), equal = halves(50, 3, 3);
    assert_true(isnan(pooled_sd(&p)));
    pooled_add(&p, &few);
    assert_int_equal(p.pairs, 0);
    pooled_add(&p, &equal);
    assert_int_equal(p.pairs, 50);
    assert_true(isnan(pooled_sd(&p)));
}

static void one_task_is_the_textbook_formula(void **state)
{
    (void)state;
    struct difference d;
    struct difference_task t = task_of(100, 14.2);
    difference_find(&t, 1, &d);
    assert_near(d.points, 2.8 * 14.2 / 10, tiny);
    assert_near(d.sd, 14.2, tiny);
    assert_int_equal(d.pairs, 1000);
    assert_int_equal(d.assumed, 0);
}

static void tasks_count_alike_whatever_their_items(void **state)
{
    (void)state;
    struct difference d;
    struct difference_task t[3] = {task_of(10, 30), {0}, task_of(40, 10)};
    difference_find(t, 3, &d);
    assert_near(d.points, 2.8 * sqrt(900 / 10.0 + 100 / 40.0) / 2, tiny);
    assert_near(d.sd, sqrt((900 + 100) / 2.0), tiny);
    assert_int_equal(d.tasks, 2);
    assert_int_equal(d.items, 50);
}

static void without_pairs_a_deviation_is_assumed(void **state)
{
    (void)state;
    struct difference d;
    struct difference_task t[6] = {{0}};
    for (int i = 0; i < 6; i++)
        t[i].items = 8;
    difference_find(t, 6, &d);
    assert_near(d.points, 2.8 * 25 / sqrt(48), tiny);
    assert_int_equal(d.assumed, 6);
    assert_int_equal(d.pairs, 0);
    t[0] = task_of(8, 5);
    difference_find(t, 6, &d);
    assert_near(d.points, 2.8 * sqrt((25 + 5 * 625) / 8.0) / 6, tiny);
    assert_int_equal(d.assumed, 5);
}

static void no_items_show_nothing(void **state)
{
    (void)state;
    struct difference d;
    struct difference_task t = {0};
    difference_find(&t, 1, &d);
    assert_true(isnan(d.points));
    assert_int_equal(d.tasks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_those_of_the_numbers),
        cmocka_unit_test(pooling_leaves_each_pairs_mean_out),
        cmocka_unit_test(few_items_and_equal_ones_say_nothing),
        cmocka_unit_test(one_task_is_the_textbook_formula),
        cmocka_unit_test(tasks_count_alike_whatever_their_items),
        cmocka_unit_test(without_pairs_a_deviation_is_assumed),
        cmocka_unit_test(no_items_show_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
