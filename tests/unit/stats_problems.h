/* Random problems and our answers, a JSON object a line, for tests/tools/stats_scipy.py. */
#ifndef KVLAB_TEST_STATS_PROBLEMS_H
#define KVLAB_TEST_STATS_PROBLEMS_H

#include <stdio.h>

#include "harness/base/rng.h"
#include "reports/stats.h"
#include "reports/stats_boot.h"
#include "reports/stats_p.h"

enum { PROBLEM_ITEMS = 120 };

static void print_list(const char *name, const double *x, int n)
{
    printf("\"%s\":[", name);
    for (int i = 0; i < n; i++)
        printf("%s%.17g", i ? "," : "", x[i]);
    printf("],");
}

/* Scores of two settings that agree on most items: right or wrong, or anything between. */
static void make_pairs(struct rng *r, double *a, double *b, int n, bool binary)
{
    for (int i = 0; i < n; i++) {
        a[i] = binary ? 100 * rng_below(r, 2) : 100 * rng_uniform(r);
        b[i] = rng_below(r, 3) ? a[i] : binary ? 100 * rng_below(r, 2) : 100 * rng_uniform(r);
    }
}

static void print_paired(struct rng *r, bool binary)
{
    double a[PROBLEM_ITEMS], b[PROBLEM_ITEMS];
    int n = 8 + rng_below(r, PROBLEM_ITEMS - 8);
    make_pairs(r, a, b, n, binary);
    struct stats_paired p = stats_paired(a, b, n);
    printf("{\"kind\":\"paired\",\"binary\":%d,", binary);
    print_list("a", a, n);
    print_list("b", b, n);
    printf("\"won\":%d,\"lost\":%d,\"stderr\":%.17g,\"p\":%.17g}\n", p.won, p.lost, p.stderr_, p.p);
}

static void print_probabilities(struct rng *r)
{
    int won = rng_below(r, 200), lost = rng_below(r, 200);
    double t = 4 * rng_normal(r), degrees = 1 + 300 * rng_uniform(r);
    double a = 50 * rng_uniform(r) + 0.1, b = 50 * rng_uniform(r) + 0.1, x = rng_uniform(r);
    printf("{\"kind\":\"sign\",\"won\":%d,\"lost\":%d,\"p\":%.17g}\n", won, lost,
           stats_sign_p(won, lost));
    printf("{\"kind\":\"t\",\"t\":%.17g,\"degrees\":%.17g,\"p\":%.17g}\n", t, degrees,
           stats_t_p(t, degrees));
    printf("{\"kind\":\"beta\",\"a\":%.17g,\"b\":%.17g,\"x\":%.17g,\"value\":%.17g}\n", a, b, x,
           stats_beta(a, b, x, 1 - x));
}

static void print_adjusted(struct rng *r)
{
    double p[50], adjusted[50];
    int n = 1 + rng_below(r, 50);
    for (int i = 0; i < n; i++)
        p[i] = rng_below(r, 2) ? rng_uniform(r) : 0.001 * rng_below(r, 20);
    stats_adjust(p, n, adjusted);
    printf("{\"kind\":\"adjust\",");
    print_list("p", p, n);
    print_list("adjusted", adjusted, n);
    printf("\"n\":%d}\n", n);
}

/* Two independent groups: one less the other, as two tasks with weights of 1 and -1. */
static void print_welch(struct rng *r)
{
    double a[PROBLEM_ITEMS], b[PROBLEM_ITEMS];
    int n = 5 + rng_below(r, 100), m = 5 + rng_below(r, 100);
    make_pairs(r, a, b, PROBLEM_ITEMS, false);
    for (int i = 0; i < m; i++)
        b[i] = b[i] / 3 + 40;
    struct stats_mean x = stats_mean(a, n), y = stats_mean(b, m);
    struct stats_part part[] = {{1, x.n, x.mean, x.stderr_}, {-1, y.n, y.mean, y.stderr_}};
    struct stats_over o = stats_over(part, 2);
    printf("{\"kind\":\"welch\",");
    print_list("a", a, n);
    print_list("b", b, m);
    printf("\"p\":%.17g}\n", stats_t_p(o.mean / o.stderr_, o.degrees));
}

/* The interval of a mean, with all counts where there are few resamples. */
static void print_boot(struct rng *r, int resamples)
{
    static double resample[20000];
    static int32_t counts[200 * PROBLEM_ITEMS];
    double a[PROBLEM_ITEMS], b[PROBLEM_ITEMS], level = 0.8 + 0.19 * rng_uniform(r);
    int n = 10 + rng_below(r, PROBLEM_ITEMS - 10);
    make_pairs(r, a, b, n, false);
    struct stats_boot_column c = {a, n, resample};
    stats_boot_means(9, n, resamples, &c, 1);
    struct stats_interval i = stats_interval(resample, resamples, level);
    printf("{\"kind\":\"boot\",");
    print_list("x", a, n);
    printf("\"counts\":[");
    if (resamples <= 200)
        stats_boot_counts(9, n, n, resamples, counts);
    for (int k = 0; resamples <= 200 && k < resamples * n; k++)
        printf("%s%d", k ? "," : "", counts[k]);
    printf("],\"resamples\":%d,\"level\":%.17g,\"lo\":%.17g,\"hi\":%.17g}\n", resamples, level,
           i.lo, i.hi);
}

static int print_problems(void)
{
    struct rng r = {20};
    for (int i = 0; i < 60; i++) {
        print_paired(&r, i % 2);
        print_probabilities(&r);
        print_adjusted(&r);
        print_welch(&r);
        print_boot(&r, i % 12 ? 1 + rng_below(&r, 200) : 20000);
    }
    return 0;
}

#endif
