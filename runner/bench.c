#include "runner/bench.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness/base/json.h"

enum { REPEATS_MAX = 32 };

struct spread {
    double median, min, max;
};

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct spread spread_of(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, ascending);
    double median = n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
    return (struct spread){median, x[0], x[n - 1]};
}

/* Calls that fill a sample. The first call warms up. */
static long calls_of_sample(const struct bench *b, bench_run *run, void *arg)
{
    long n = 1;
    run(arg, 1);
    for (;;) {
        double seconds = run(arg, n);
        if (seconds >= b->sample_seconds || n >= 1L << 40)
            return n;
        double factor = seconds > 0 ? 1.2 * b->sample_seconds / seconds : 100;
        n = (long)((double)n * (factor > 100 ? 100 : factor)) + 1;
    }
}

void bench_group(struct bench *b, const char *group, const char *side_a, const char *side_b)
{
    if (!b->json)
        printf("\n%s: a = %s, b = %s\n%-30s%19s %19s %-8s %s\n", group, side_a, side_b, "",
               "a, median and range", "b, median and range", "unit", "a/b");
    fflush(stdout);
}

static void put_spread(struct buf *out, const char *name, struct spread s)
{
    buf_printf(out, ",\"%s\":{\"median\":", name);
    json_put_number(out, s.median);
    buf_str(out, ",\"min\":");
    json_put_number(out, s.min);
    buf_str(out, ",\"max\":");
    json_put_number(out, s.max);
    buf_char(out, '}');
}

static void put_row(struct buf *out, const char *group, const struct bench_pair *p, struct spread a,
                    struct spread b, struct spread ratio)
{
    buf_str(out, out->n ? ",\n{\"group\":" : "{\"group\":");
    json_put_string(out, text_of(group));
    buf_str(out, ",\"name\":");
    json_put_string(out, text_of(p->name));
    buf_str(out, ",\"unit\":");
    json_put_string(out, text_of(p->unit));
    put_spread(out, "a", a);
    put_spread(out, "b", b);
    put_spread(out, "ratio", ratio);
    buf_char(out, '}');
}

/* "123 (120..130)" with three digits that count. */
static const char *shown(char out[64], struct spread s)
{
    int digits = s.median >= 100 ? 0 : s.median >= 10 ? 1 : 2;
    snprintf(out, 64, "%.*f (%.*f..%.*f)", digits, s.median, digits, s.min, digits, s.max);
    return out;
}

void bench_compare(struct bench *b, const char *group, const struct bench_pair *p)
{
    double rate_a[REPEATS_MAX], rate_b[REPEATS_MAX], ratio[REPEATS_MAX];
    char text[3][64];
    long calls_a = calls_of_sample(b, p->a, p->arg_a), calls_b = calls_of_sample(b, p->b, p->arg_b);
    int n = b->repeats < REPEATS_MAX ? b->repeats : REPEATS_MAX;
    for (int i = 0; i < n; i++) {
        rate_a[i] = p->work_a * (double)calls_a / p->a(p->arg_a, calls_a);
        rate_b[i] = p->work_b * (double)calls_b / p->b(p->arg_b, calls_b);
        ratio[i] = rate_a[i] / rate_b[i];
    }
    struct spread sa = spread_of(rate_a, n), sb = spread_of(rate_b, n), sr = spread_of(ratio, n);
    if (b->json) {
        put_row(&b->rows, group, p, sa, sb, sr);
        return;
    }
    printf("%-30s%19s %19s %-8s %s\n", p->name, shown(text[0], sa), shown(text[1], sb), p->unit,
           shown(text[2], sr));
    fflush(stdout);
}
