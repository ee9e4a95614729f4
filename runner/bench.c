#include "runner/bench.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/json.h"

#define BENCH(name) extern const struct bench_kind bench_##name;
#include "runner/benches.def"
#undef BENCH

#define BENCH(name) &bench_##name,
const struct bench_kind *const bench_all[] = {
#include "runner/benches.def"
    NULL};
#undef BENCH

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct spread bench_spread(const double *x, int n)
{
    double sorted[BENCH_REPEATS_MAX];
    assert(n >= 1 && n <= BENCH_REPEATS_MAX);
    memcpy(sorted, x, (size_t)n * sizeof *x);
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    double median = n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
    return (struct spread){median, sorted[0], sorted[n - 1]};
}

struct spread bench_ratio(const double *a, int n, const double *b, int n_b)
{
    double ratio[BENCH_REPEATS_MAX];
    assert(n >= 1 && n <= BENCH_REPEATS_MAX && n_b >= 1);
    for (int i = 0; i < n; i++)
        ratio[i] = a[i] / b[i % n_b];
    return bench_spread(ratio, n);
}

void bench_title(const struct bench *b, const char *title)
{
    if (!b->json)
        printf("\n%s: %s\n%-34s %21s %-8s %s\n", b->name, title, "", "median and range", "",
               "times what it stands against");
    fflush(stdout);
}

/* "123 (120..130)" with three digits that count. */
static const char *shown(char out[64], struct spread s)
{
    int digits = s.median >= 100 ? 0 : s.median >= 10 ? 1 : s.median >= 0.1 ? 2 : 4;
    snprintf(out, 64, "%.*f (%.*f..%.*f)", digits, s.median, digits, s.min, digits, s.max);
    return out;
}

static void put_number(struct buf *out, const char *key, double x)
{
    buf_printf(out, ",\"%s\":", key);
    json_put_number(out, x);
}

static void put_string(struct buf *out, const char *key, const char *s)
{
    buf_printf(out, "%s\"%s\":", out->n > 1 ? "," : "", key);
    if (s)
        json_put_string(out, text_of(s));
    else
        buf_str(out, "null");
}

static void put_json(const struct bench *b, const struct bench_row *r)
{
    struct buf out;
    buf_init(&out);
    buf_char(&out, '{');
    put_string(&out, "bench", b->name);
    put_string(&out, "case", r->name);
    put_number(&out, "value", r->value.median);
    put_number(&out, "min", r->value.min);
    put_number(&out, "max", r->value.max);
    put_string(&out, "unit", r->unit);
    put_string(&out, "against", r->against);
    if (r->against) {
        put_number(&out, "ratio", r->ratio.median);
        put_number(&out, "ratio_min", r->ratio.min);
        put_number(&out, "ratio_max", r->ratio.max);
    } else {
        buf_str(&out, ",\"ratio\":null");
    }
    buf_str(&out, "}\n");
    fwrite(out.s, 1, out.n, stdout);
    buf_release(&out);
}

void bench_put(const struct bench *b, const struct bench_row *r)
{
    char value[64], ratio[64];
    if (b->json)
        put_json(b, r);
    else if (r->against)
        printf("%-34s %21s %-8s %s %s\n", r->name, shown(value, r->value), r->unit,
               shown(ratio, r->ratio), r->against);
    else
        printf("%-34s %21s %s\n", r->name, shown(value, r->value), r->unit);
    fflush(stdout);
}

void bench_leave_out(const struct bench *b, const char *name, const char *why)
{
    struct buf out;
    buf_init(&out);
    if (b->json) {
        buf_char(&out, '{');
        put_string(&out, "bench", b->name);
        put_string(&out, "case", name);
        put_string(&out, "left_out", why);
        buf_str(&out, "}\n");
    } else {
        buf_printf(&out, "%-34s left out: %s\n", name, why);
    }
    fwrite(out.s, 1, out.n, stdout);
    fflush(stdout);
    buf_release(&out);
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

void bench_compare(struct bench *b, const struct bench_pair *p)
{
    double rate_a[BENCH_REPEATS_MAX], rate_b[BENCH_REPEATS_MAX];
    long calls_a = calls_of_sample(b, p->a, p->arg_a), calls_b = calls_of_sample(b, p->b, p->arg_b);
    int n = b->repeats;
    for (int i = 0; i < n; i++) {
        rate_a[i] = p->work_a * (double)calls_a / p->a(p->arg_a, calls_a);
        rate_b[i] = p->work_b * (double)calls_b / p->b(p->arg_b, calls_b);
    }
    struct bench_row r = {p->name, p->unit, bench_spread(rate_a, n), p->against,
                          bench_ratio(rate_a, n, rate_b, n)};
    bench_put(b, &r);
}
