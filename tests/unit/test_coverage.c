/*
 * Do 95 % intervals hold the truth in 95 of 100 cases, and does p < 0.05 come up in 5 of 100 where
 * nothing differs? By simulation on made-up scores of known mean. With a number of repetitions as
 * argument it prints the table of reports/STATISTICS.md and does nothing else.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/rng.h"
#include "reports/comparison.h"
#include "tests/unit/made_scores.h"

/* ---- made-up scores ---- */

/* F1 of QA: a third wrong, a fifth right, the others skewed to small. */
static double draw_f1(struct rng *r, double p)
{
    double kind = rng_uniform(r), x = rng_uniform(r);
    (void)p;
    return kind < 0.35 ? 0 : kind < 0.55 ? 100 : 100 * x * x;
}

static double draw_right(struct rng *r, double p)
{
    return rng_uniform(r) < p ? 100 : 0;
}

static const struct shape {
    const char *name;
    double (*draw)(struct rng *r, double p);
    double p, mean;
} shapes[] = {{"right or wrong, p = 0.1", draw_right, 0.1, 10},
              {"right or wrong, p = 0.5", draw_right, 0.5, 50},
              {"right or wrong, p = 0.9", draw_right, 0.9, 90},
              {"skewed, as F1", draw_f1, 0, 20 + 45 / 3.0}};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

/* Row 1 answers a quarter of the items anew, no better or worse; row 2, too, and loses a tenth of
 * what it has. */
enum { BASE, SAME, WORSE, ROWS, TASKS = 4 };
static const double loss = 0.1;

static void fill(struct scores_table *t, const struct shape *s, int n, struct rng *r)
{
    for (int k = 0; k < TASKS; k++)
        for (int at = 0; at < n; at++) {
            double base = s->draw(r, s->p), same = s->draw(r, s->p), worse = s->draw(r, s->p);
            made_put(t, BASE, k, at, base);
            made_put(t, SAME, k, at, rng_below(r, 4) ? base : same);
            worse = rng_below(r, 4) ? base : worse;
            made_put(t, WORSE, k, at, rng_uniform(r) < loss ? 0 : worse);
        }
}

/* ---- counting ---- */

struct share {
    int hits, all;
};

static void add(struct share *s, bool hit)
{
    s->hits += hit;
    s->all++;
}

static double percent(struct share s)
{
    return 100.0 * s.hits / s.all;
}

struct coverage {
    struct share mean, difference; // of a task
    struct share average_mean, average_difference;
    struct share wrong, average_wrong; // p below 0.05 of what does not differ
};

static bool holds(struct stats_interval i, double truth)
{
    return i.lo <= truth && truth <= i.hi;
}

static void look(struct coverage *v, const struct comparison *c, double mean)
{
    const struct comparison_cell *base = c->row[BASE].average, *worse = c->row[WORSE].average;
    for (int k = 0; k < TASKS; k++) {
        add(&v->mean, holds(c->row[BASE].cell[k].score.interval, mean));
        add(&v->difference, holds(c->row[WORSE].cell[k].difference.interval, -loss * mean));
        add(&v->wrong, c->row[SAME].cell[k].difference.paired.p < 0.05);
    }
    add(&v->average_mean, holds(base[COMPARISON_TASKS].score.interval, mean));
    add(&v->average_difference, holds(worse[COMPARISON_TASKS].difference.interval, -loss * mean));
    add(&v->average_wrong, c->row[SAME].average[COMPARISON_TASKS].difference.paired.p < 0.05);
}

static struct coverage simulate(const struct shape *s, int n, int repetitions)
{
    struct coverage v = {0};
    struct rng r = {(uint64_t)n + (uint64_t)(s - shapes) * 1000};
    struct scores_table t = made_table("aaab", ROWS, n);
    for (int i = 0; i < repetitions; i++) {
        struct comparison c;
        struct comparison_options o = comparison_defaults(&t);
        o.seed = (uint64_t)i;
        fill(&t, s, n, &r);
        comparison_init(&c, &t, &o);
        look(&v, &c, s->mean);
        comparison_release(&c);
    }
    made_release(&t);
    return v;
}

/* ---- the table ---- */

static int print_table(int repetitions)
{
    static const int sizes[] = {20, 50, 200};
    puts("| scores | n | mean | difference | average | its difference | p < 0.05 | of average |");
    puts("|---|---|---|---|---|---|---|---|");
    for (int s = 0; s < N_SHAPES; s++)
        for (int k = 0; k < 3; k++) {
            struct coverage v = simulate(&shapes[s], sizes[k], repetitions);
            printf("| %s | %d | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f |\n", shapes[s].name,
                   sizes[k], percent(v.mean), percent(v.difference), percent(v.average_mean),
                   percent(v.average_difference), percent(v.wrong), percent(v.average_wrong));
        }
    return 0;
}

/* ---- bounds: what 4000 repetitions find, and four standard errors ---- */

static void assert_percent(const char *what, struct share s, double want)
{
    double error = 100 * sqrt(want / 100 * (1 - want / 100) / s.all);
    if (!(fabs(percent(s) - want) <= 4 * error))
        fail_msg("%s: %.2f %% of %d, not %.1f", what, percent(s), s.all, want);
}

static void intervals_of_right_and_wrong_cover(void **state)
{
    (void)state;
    struct coverage v = simulate(&shapes[1], 50, 500);
    assert_percent("mean", v.mean, 96.2);
    assert_percent("difference", v.difference, 92.7);
    assert_percent("average", v.average_mean, 95.3);
    assert_percent("difference of averages", v.average_difference, 95.6);
}

static void intervals_of_f1_cover(void **state)
{
    (void)state;
    struct coverage v = simulate(&shapes[3], 200, 250);
    assert_percent("mean", v.mean, 94.7);
    assert_percent("difference", v.difference, 94.3);
    assert_percent("average", v.average_mean, 94.3);
    assert_percent("difference of averages", v.average_difference, 94.2);
}

static void p_is_small_as_often_as_it_says(void **state)
{
    (void)state;
    struct coverage f1 = simulate(&shapes[3], 50, 500), right = simulate(&shapes[1], 50, 500);
    assert_percent("t", f1.wrong, 4.4);
    assert_percent("t of an average", f1.average_wrong, 4.8);
    assert_percent("sign test", right.wrong, 1.3);
    assert_percent("t of an average of 0 and 1", right.average_wrong, 5.1);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return print_table((int)strtol(argv[1], NULL, 10));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_of_right_and_wrong_cover),
        cmocka_unit_test(intervals_of_f1_cover),
        cmocka_unit_test(p_is_small_as_often_as_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
