#include "reports/stats_boot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/base/rng.h"

/* Columns side by side: [n][LANES] of 200 items stays in the first cache. */
enum { LANES = 16, DEPTH = 4 };

void stats_boot_counts(uint64_t seed, int place, int n, int resamples, int32_t *counts)
{
    struct rng r = {seed};
    r.state = rng_next(&r) + (uint64_t)place;
    r.state = rng_next(&r) + (uint64_t)n;
    memset(counts, 0, mem_size((size_t)resamples, (size_t)n * sizeof *counts));
    for (int b = 0; b < resamples; b++)
        for (int i = 0; i < n; i++)
            counts[(size_t)b * (size_t)n + (size_t)rng_below(&r, n)]++;
}

/* acc += the sums of DEPTH items, in their order. Written out: compilers make of it one pass over
 * acc, a vector at a time, and every lane is still the plain sum. */
static void add_four(double *restrict acc, const double *restrict x, const int32_t *restrict c)
{
    double c0 = c[0], c1 = c[1], c2 = c[2], c3 = c[3];
    for (int k = 0; k < LANES; k++)
        acc[k] =
            acc[k] + c0 * x[k] + c1 * x[LANES + k] + c2 * x[2 * LANES + k] + c3 * x[3 * LANES + k];
}

/* x: [n rounded up to DEPTH][LANES], zeros behind the end; adding 0 changes no sum. */
static void sum_lanes(double *restrict acc, const double *x, const int32_t *c, int n)
{
    int32_t last[DEPTH] = {0};
    int i = 0;
    memset(acc, 0, LANES * sizeof *acc);
    for (; i + DEPTH <= n; i += DEPTH)
        add_four(acc, x + (size_t)i * LANES, c + i);
    if (i == n)
        return;
    memcpy(last, c + i, (size_t)(n - i) * sizeof *c);
    add_four(acc, x + (size_t)i * LANES, last);
}

/* Up to LANES columns of the same n. */
static void block_means(const int32_t *counts, int resamples,
                        struct stats_boot_column *const *column, int n_columns)
{
    int n = column[0]->n;
    double *x = xcalloc((size_t)n + DEPTH, LANES * sizeof *x), acc[LANES];
    for (int k = 0; k < n_columns; k++)
        for (int i = 0; i < n; i++)
            x[(size_t)i * LANES + (size_t)k] = column[k]->x[i];
    for (int b = 0; b < resamples; b++) {
        sum_lanes(acc, x, counts + (size_t)b * (size_t)n, n);
        for (int k = 0; k < n_columns; k++)
            column[k]->resample[b] = acc[k] / n;
    }
    free(x);
}

static void same_n_means(uint64_t seed, int place, int resamples,
                         struct stats_boot_column *const *column, int n_columns)
{
    int n = column[0]->n;
    if (!n) {
        for (int k = 0; k < n_columns; k++)
            for (int b = 0; b < resamples; b++)
                column[k]->resample[b] = NAN;
        return;
    }
    int32_t *counts = xmalloc(mem_size((size_t)resamples, (size_t)n * sizeof *counts));
    stats_boot_counts(seed, place, n, resamples, counts);
    for (int k = 0; k < n_columns; k += LANES) {
        int some = n_columns - k < LANES ? n_columns - k : LANES;
        block_means(counts, resamples, column + k, some);
    }
    free(counts);
}

static int by_n(const void *a, const void *b)
{
    const struct stats_boot_column *const *x = a, *const *y = b;
    return ((*x)->n > (*y)->n) - ((*x)->n < (*y)->n);
}

void stats_boot_means(uint64_t seed, int place, int resamples, struct stats_boot_column *columns,
                      int n_columns)
{
    struct stats_boot_column **sorted = xcalloc((size_t)n_columns + 1, sizeof *sorted);
    for (int k = 0; k < n_columns; k++)
        sorted[k] = &columns[k];
    qsort(sorted, (size_t)n_columns, sizeof *sorted, by_n);
    for (int from = 0, to = 0; from < n_columns; from = to) {
        while (to < n_columns && sorted[to]->n == sorted[from]->n)
            to++;
        same_n_means(seed, place, resamples, sorted + from, to - from);
    }
    free(sorted);
}
