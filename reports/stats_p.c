#include "reports/stats_p.h"

#include <math.h>
#include <stdlib.h>

#include "harness/base/mem.h"

static const double tiny = 1e-300;     // in place of a denominator of 0
static const double converged = 1e-15; // a step's factor is this near to 1
enum { STEPS = 100000 };               // about the root of a or b are needed

/* The coefficients of DLMF 8.17.22's continued fraction, from 1. */
static double coefficient(int i, double a, double b, double x)
{
    int m = i / 2;
    if (i % 2)
        return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
}

static double not_0(double x)
{
    return fabs(x) < tiny ? tiny : x;
}

/* 1 + d1 / (1 + d2 / (1 + ...)) by the modified method of Lentz (DLMF 3.10(iii)). */
static double fraction(double a, double b, double x)
{
    double f = 1, c = 1, d = 0, factor = 0;
    for (int i = 1; i < STEPS && fabs(factor - 1) > converged; i++) {
        double step = coefficient(i, a, b, x);
        d = 1 / not_0(1 + step * d);
        c = not_0(1 + step / c);
        factor = c * d;
        f *= factor;
    }
    return f;
}

double stats_beta(double a, double b, double x, double y)
{
    if (isnan(a) || isnan(b) || isnan(x))
        return NAN;
    if (x <= 0 || y <= 0)
        return x > 0;
    if (x > (a + 1) / (a + b + 2)) // there the fraction of the other end is the faster one
        return 1 - stats_beta(b, a, y, x);
    double log_scale = lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(y);
    return exp(log_scale) / (a * fraction(a, b, x));
}

double stats_sign_p(int won, int lost)
{
    int fewer = won < lost ? won : lost, n = won + lost;
    if (2 * fewer >= n - 1) // the two tails meet
        return 1;
    return 2 * stats_beta(n - fewer, fewer + 1, 0.5, 0.5);
}

double stats_t_p(double t, double degrees)
{
    if (isinf(t))
        return 0;
    double all = degrees + t * t;
    return stats_beta(degrees / 2, 0.5, degrees / all, t * t / all);
}

/* ---- many tests ---- */

struct ranked {
    double p;
    int at;
};

static int by_p(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return (x->p > y->p) - (x->p < y->p);
}

void stats_adjust(const double *p, int n, double *adjusted)
{
    struct ranked *r = xcalloc((size_t)n + 1, sizeof *r);
    int tests = 0;
    for (int i = 0; i < n; i++) {
        adjusted[i] = p[i];
        if (!isnan(p[i]))
            r[tests++] = (struct ranked){p[i], i};
    }
    qsort(r, (size_t)tests, sizeof *r, by_p);
    double least = 1;
    for (int i = tests - 1; i >= 0; i--) {
        double at_rank = r[i].p * tests / (i + 1);
        least = at_rank < least ? at_rank : least;
        adjusted[r[i].at] = least;
    }
    free(r);
}
