/* What is said of a table of scores, against the same from its parts. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "harness/base/rng.h"
#include "reports/loaded.h"
#include "reports/stats_boot.h"
#include "reports/stats_p.h"
#include "tests/unit/made_scores.h"

static const double tiny = 1e-9;

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%.17g, not %.17g", got, want);
}

enum { ROWS = 4, ITEMS = 23 };

/* Three tasks, all answered; settings differ from row 0 on a third of the items. */
static struct scores_table full_table(void)
{
    struct scores_table t = made_table("aab", ROWS, ITEMS);
    struct rng r = {3};
    for (int k = 0; k < 3; k++)
        for (int at = 0; at < ITEMS; at++)
            for (int i = 0; i < ROWS; i++) {
                double same = t.row[0].cell[k].item[at].score;
                made_put(&t, i, k, at, i && rng_below(&r, 3) ? same : 100 * rng_uniform(&r));
            }
    return t;
}

static void scores_of(const struct scores_table *t, int row, int task, double *x)
{
    for (int at = 0; at < ITEMS; at++)
        x[at] = t->row[row].cell[task].item[at].score;
}

/* ---- a cell ---- */

static struct stats_interval plain_interval(const double *x, int n, int task)
{
    double resample[1000];
    struct stats_boot_column c = {x, n, resample};
    stats_boot_means(1, task, 1000, &c, 1);
    return stats_interval(resample, 1000, 0.95);
}

static void a_cell_is_its_task_alone(void **state)
{
    (void)state;
    double a[ITEMS], b[ITEMS], d[ITEMS];
    struct scores_table t = full_table();
    struct comparison c;
    comparison_init(&c, &t, NULL);
    const struct comparison_cell *cell = &c.row[2].cell[1];
    scores_of(&t, 2, 1, a);
    scores_of(&t, 0, 1, b);
    for (int at = 0; at < ITEMS; at++)
        d[at] = a[at] - b[at];
    struct stats_mean m = stats_mean(a, ITEMS);
    struct stats_paired p = stats_paired(a, b, ITEMS);
    struct stats_interval own = plain_interval(a, ITEMS, 1), paired = plain_interval(d, ITEMS, 1);
    assert_true(cell->score.n == ITEMS && !cell->score.missing && !cell->difference.missing);
    assert_near(cell->score.mean, m.mean, 0);
    assert_near(cell->score.stderr_, m.stderr_, 0);
    assert_near(cell->score.interval.lo, own.lo, 0);
    assert_near(cell->score.interval.hi, own.hi, 0);
    assert_near(cell->difference.paired.difference, p.difference, 0);
    assert_near(cell->difference.paired.p, p.p, 0);
    assert_near(cell->difference.interval.lo, paired.lo, tiny);
    assert_near(cell->difference.interval.hi, paired.hi, tiny);
    comparison_release(&c);
    made_release(&t);
}

/* Row 1 lacks item 4, the baseline item 7; row 2 was never asked for item 9, nor the baseline. */
static void what_is_missing_is_left_out_and_counted(void **state)
{
    (void)state;
    double d[ITEMS];
    int n = 0;
    struct scores_table t = full_table();
    struct comparison c;
    t.row[1].cell[0].item[4] = (struct scores_item){.score = NAN, .state = SCORES_FAILED};
    t.row[0].cell[0].item[7] = (struct scores_item){.score = NAN, .state = SCORES_LEFT};
    for (int i = 0; i < 3; i += 2)
        t.row[i].cell[0].item[9] = (struct scores_item){.score = NAN, .state = SCORES_ABSENT};
    comparison_init(&c, &t, NULL);
    assert_int_equal(c.row[1].cell[0].score.n, ITEMS - 1);
    assert_int_equal(c.row[1].cell[0].score.missing, 1);
    assert_int_equal(c.row[1].cell[0].difference.paired.pairs, ITEMS - 3);
    assert_int_equal(c.row[1].cell[0].difference.missing, 3);
    assert_int_equal(c.row[2].cell[0].difference.missing, 1); // nobody asked for the pair of 9
    assert_int_equal(c.row[1].average[COMPARISON_TASKS].score.missing, 1);
    assert_int_equal(c.row[1].average[COMPARISON_TASKS].difference.missing, 3);
    for (int at = 0; at < ITEMS; at++)
        if (at != 4 && at != 7 && at != 9)
            d[n++] = t.row[1].cell[0].item[at].score - t.row[0].cell[0].item[at].score;
    struct stats_interval paired = plain_interval(d, n, 0);
    assert_near(c.row[1].cell[0].difference.interval.lo, paired.lo, tiny);
    assert_near(c.row[1].cell[0].difference.interval.hi, paired.hi, tiny);
    comparison_release(&c);
    made_release(&t);
}

/* ---- averages ---- */

static void averages_weigh_tasks_or_categories(void **state)
{
    (void)state;
    static const double weight[COMPARISON_AVERAGES][3] = {{1 / 3.0, 1 / 3.0, 1 / 3.0},
                                                          {0.25, 0.25, 0.5}};
    struct scores_table t = full_table();
    struct comparison c;
    comparison_init(&c, &t, NULL);
    assert_int_equal(c.n_categories, 2);
    for (int a = 0; a < COMPARISON_AVERAGES; a++) {
        double mean = 0, difference = 0, variance = 0;
        const struct comparison_cell *got = &c.row[3].average[a];
        for (int k = 0; k < 3; k++) {
            const struct comparison_cell *from = &c.row[3].cell[k];
            mean += weight[a][k] * from->score.mean;
            difference += weight[a][k] * from->difference.paired.difference;
            variance += pow(weight[a][k] * from->difference.paired.stderr_, 2);
        }
        assert_near(got->score.mean, mean, tiny);
        assert_near(got->difference.paired.difference, difference, tiny);
        assert_near(got->difference.paired.stderr_, sqrt(variance), tiny);
        assert_int_equal(got->difference.paired.pairs, 3 * ITEMS);
    }
    comparison_release(&c);
    made_release(&t);
}

/* Resample by resample: tasks are resampled apart from one another, and stay as they are. */
static void averages_are_resampled_by_task(void **state)
{
    (void)state;
    double sum[1000] = {0}, resample[1000], x[ITEMS];
    struct scores_table t = full_table();
    struct comparison c;
    comparison_init(&c, &t, NULL);
    for (int k = 0; k < 3; k++) {
        scores_of(&t, 1, k, x);
        struct stats_boot_column column = {x, ITEMS, resample};
        stats_boot_means(1, k, 1000, &column, 1);
        for (int b = 0; b < 1000; b++)
            sum[b] += resample[b] / 3;
    }
    struct stats_interval want = stats_interval(sum, 1000, 0.95);
    assert_near(c.row[1].average[COMPARISON_TASKS].score.interval.lo, want.lo, tiny);
    assert_near(c.row[1].average[COMPARISON_TASKS].score.interval.hi, want.hi, tiny);
    comparison_release(&c);
    made_release(&t);
}

static void an_average_needs_every_task(void **state)
{
    (void)state;
    struct scores_table t = full_table();
    struct comparison c;
    for (int at = 0; at < ITEMS; at++)
        t.row[1].cell[2].item[at].score = NAN;
    comparison_init(&c, &t, NULL);
    const struct comparison_cell *a = &c.row[1].average[COMPARISON_TASKS];
    assert_true(isnan(a->score.mean) && isnan(a->score.interval.lo) &&
                isnan(a->difference.paired.p));
    assert_int_equal(a->score.n, 2 * ITEMS);
    assert_int_equal(a->score.missing, ITEMS);
    assert_false(comparison_is_shown(&a->difference));
    assert_false(isnan(c.row[2].average[COMPARISON_TASKS].score.mean));
    comparison_release(&c);
    made_release(&t);
}

static void of_one_task_the_average_is_the_task(void **state)
{
    (void)state;
    struct scores_table t = made_table("a", 2, 6);
    struct comparison c;
    for (int at = 0; at < 6; at++) {
        made_put(&t, 0, 0, at, 0);
        made_put(&t, 1, 0, at, at < 5 ? 100 : 0);
    }
    comparison_init(&c, &t, NULL);
    const struct stats_paired *p = &c.row[1].average[COMPARISON_CATEGORIES].difference.paired;
    assert_int_equal(p->test, STATS_SIGN);
    assert_near(p->p, 2.0 / 32, tiny);
    assert_true(p->won == 5 && p->tied == 1);
    comparison_release(&c);
    made_release(&t);
}

/* ---- baselines and families ---- */

static void without_a_baseline_nothing_is_compared(void **state)
{
    (void)state;
    struct scores_table t = full_table();
    struct comparison_options o = comparison_defaults(&t);
    struct comparison c;
    assert_int_equal(o.baseline, 0);
    comparison_init(&c, &t, &o);
    assert_true(isnan(c.row[0].cell[0].difference.paired.difference));
    assert_true(isnan(c.row[0].average[0].difference.adjusted));
    comparison_release(&c);
    o.baseline = -1;
    comparison_init(&c, &t, &o);
    assert_true(isnan(c.row[1].cell[0].difference.paired.difference));
    assert_int_equal(c.row[1].cell[0].difference.paired.pairs, 0);
    assert_false(isnan(c.row[1].cell[0].score.interval.lo));
    comparison_release(&c);
    o.baseline = 2;
    comparison_init(&c, &t, &o);
    assert_true(isnan(c.row[2].cell[0].difference.paired.difference));
    assert_int_equal(c.row[0].cell[0].difference.paired.pairs, ITEMS);
    comparison_release(&c);
    made_release(&t);
}

static void families_are_the_cells_and_each_average(void **state)
{
    (void)state;
    double cells[ROWS * 3], means[ROWS];
    struct scores_table t = full_table();
    struct comparison c;
    comparison_init(&c, &t, NULL);
    for (int i = 0; i < ROWS; i++) {
        means[i] = c.row[i].average[COMPARISON_TASKS].difference.paired.p;
        for (int k = 0; k < 3; k++)
            cells[i * 3 + k] = c.row[i].cell[k].difference.paired.p;
    }
    stats_adjust(cells, ROWS * 3, cells);
    stats_adjust(means, ROWS, means);
    for (int i = 1; i < ROWS; i++) {
        assert_near(c.row[i].average[COMPARISON_TASKS].difference.adjusted, means[i], 0);
        for (int k = 0; k < 3; k++)
            assert_near(c.row[i].cell[k].difference.adjusted, cells[i * 3 + k], 0);
    }
    comparison_release(&c);
    made_release(&t);
}

static void the_seed_decides_and_nothing_else(void **state)
{
    (void)state;
    struct scores_table t = full_table();
    struct comparison_options o = comparison_defaults(&t);
    struct comparison a, b;
    comparison_init(&a, &t, &o);
    comparison_init(&b, &t, &o);
    size_t size = sizeof(struct comparison_mean);
    assert_memory_equal(&a.row[1].cell[2].score, &b.row[1].cell[2].score, size);
    comparison_release(&b);
    o.seed = 2;
    comparison_init(&b, &t, &o);
    assert_true(a.row[1].cell[2].score.interval.lo != b.row[1].cell[2].score.interval.lo);
    assert_near(a.row[1].cell[2].score.interval.lo, b.row[1].cell[2].score.interval.lo, 3);
    comparison_release(&b);
    comparison_release(&a);
    made_release(&t);
}

/* Of the same table with the same options it is the loaded one, else it is made. */
static void what_is_loaded_is_not_made_again(void **state)
{
    (void)state;
    struct scores_table t[2] = {made_table("a", 2, 3), made_table("a", 2, 3)};
    struct comparison made[2], c;
    for (int i = 0; i < 2; i++)
        comparison_init(&made[i], &t[i], NULL);
    const struct scores scores = {.table = t, .n_tables = 2};
    const struct loaded loaded = {&scores, made};
    struct comparison_options o = comparison_defaults(&t[1]);
    loaded_compare(&c, &t[1], &o, &loaded);
    assert_ptr_equal(c.row, made[1].row);
    comparison_release(&c); // leaves it
    o.seed++;
    loaded_compare(&c, &t[1], &o, &loaded);
    assert_ptr_not_equal(c.row, made[1].row);
    comparison_release(&c);
    for (int i = 0; i < 2; i++) {
        comparison_release(&made[i]);
        made_release(&t[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cell_is_its_task_alone),
        cmocka_unit_test(what_is_missing_is_left_out_and_counted),
        cmocka_unit_test(averages_weigh_tasks_or_categories),
        cmocka_unit_test(averages_are_resampled_by_task),
        cmocka_unit_test(an_average_needs_every_task),
        cmocka_unit_test(of_one_task_the_average_is_the_task),
        cmocka_unit_test(without_a_baseline_nothing_is_compared),
        cmocka_unit_test(families_are_the_cells_and_each_average),
        cmocka_unit_test(the_seed_decides_and_nothing_else),
        cmocka_unit_test(what_is_loaded_is_not_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
