#include "metrics/aggregate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/mem.h"

const char *const aggregate_bucket_name[AGGREGATE_BUCKETS] = {"0-4k", "4-8k", "8k+"};

int aggregate_bucket(long length)
{
    return length < 4000 ? 0 : length < 8000 ? 1 : 2;
}

/* glibc prints the exact binary value correctly rounded, as Python's round() takes it. */
double aggregate_round_python(double x)
{
    char s[400]; // room for the largest double
    snprintf(s, sizeof s, "%.2f", x);
    return strtod(s, NULL);
}

double aggregate_round_numpy(double x)
{
    return rint(x * 100) / 100;
}

/* numpy's: eight sums side by side over up to 128 numbers, more are halved. The order of the
 * additions decides the last bit, and that sometimes the last digit. */
double aggregate_pairwise_sum(const double *x, size_t n)
{
    enum { LANES = 8, BLOCK = 128 };
    double r[LANES], sum = 0;
    size_t i;
    if (n > BLOCK) {
        size_t half = n / 2 - n / 2 % LANES;
        return aggregate_pairwise_sum(x, half) + aggregate_pairwise_sum(x + half, n - half);
    }
    if (n < LANES) {
        for (i = 0; i < n; i++)
            sum += x[i];
        return sum;
    }
    for (i = 0; i < LANES; i++)
        r[i] = x[i];
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++)
            r[k] += x[i + (size_t)k];
    sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < n; i++)
        sum += x[i];
    return sum;
}

struct aggregate aggregate_scorer(const double *x, size_t n)
{
    double sum = 0;
    if (!n)
        return (struct aggregate){0, NAN, NAN};
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    double raw = 100 * sum / (double)n;
    return (struct aggregate){n, raw, aggregate_round_python(raw)};
}

void aggregate_scorer_e(const double *x, const long *length, size_t n,
                        struct aggregate out[AGGREGATE_BUCKETS])
{
    double *of_bucket = xmalloc(mem_size(n + 1, sizeof *of_bucket));
    for (int b = 0; b < AGGREGATE_BUCKETS; b++) {
        size_t count = 0;
        for (size_t i = 0; i < n; i++)
            if (aggregate_bucket(length[i]) == b)
                of_bucket[count++] = x[i];
        double raw = count ? 100 * (aggregate_pairwise_sum(of_bucket, count) / (double)count) : NAN;
        out[b] = (struct aggregate){count, raw, aggregate_round_numpy(raw)};
    }
    free(of_bucket);
}
