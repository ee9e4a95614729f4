#include "reports/stats.h"

#include <math.h>

#include "reports/stats_p.h"

/* Sums of equal numbers in another order differ by less than this many points. */
static const double rounding = 1e-9;

struct stats_mean stats_mean(const double *x, int n)
{
    struct stats_mean m = {.mean = 0, .sd = NAN, .stderr_ = NAN};
    double squares = 0;
    for (int i = 0; i < n; i++)
        if (!isnan(x[i])) {
            m.n++;
            m.mean += x[i];
        }
    m.mean = m.n ? m.mean / m.n : NAN;
    if (m.n < 2)
        return m;
    for (int i = 0; i < n; i++)
        if (!isnan(x[i]))
            squares += (x[i] - m.mean) * (x[i] - m.mean);
    m.sd = sqrt(squares / (m.n - 1));
    m.stderr_ = sqrt(squares / (m.n - 1) / m.n);
    return m;
}

/* ---- quantiles ---- */

static void swap(double *a, double *b)
{
    double x = *a;
    *a = *b;
    *b = x;
}

/* Splits x[lo..hi] around the middle one of three. All up to the result are at most, all behind it
 * at least that one. */
static int split(double *x, int lo, int hi)
{
    int mid = lo + (hi - lo) / 2;
    if (x[mid] < x[lo])
        swap(&x[mid], &x[lo]);
    if (x[hi] < x[lo])
        swap(&x[hi], &x[lo]);
    if (x[hi] < x[mid])
        swap(&x[hi], &x[mid]);
    double pivot = x[mid];
    for (int i = lo - 1, k = hi + 1;;) {
        while (x[++i] < pivot)
            ;
        while (x[--k] > pivot)
            ;
        if (i >= k)
            return k;
        swap(&x[i], &x[k]);
    }
}

/* The k-th smallest comes to place k, no larger one before it and no smaller one behind it. */
static void select_place(double *x, int n, int k)
{
    int lo = 0, hi = n - 1;
    while (lo < hi) {
        int at = split(x, lo, hi);
        if (k <= at)
            hi = at;
        else
            lo = at + 1;
    }
}

static double quantile(double *x, int n, double q)
{
    double place = (n - 1) * q;
    int k = (int)place;
    select_place(x, n, k);
    if (k + 1 >= n)
        return x[k];
    double next = x[k + 1], share = place - k;
    for (int i = k + 2; i < n; i++)
        next = x[i] < next ? x[i] : next;
    return share < 0.5 ? x[k] + (next - x[k]) * share : next - (next - x[k]) * (1 - share);
}

struct stats_interval stats_interval(double *x, int n, double level)
{
    bool missing = n < 1;
    for (int i = 0; i < n; i++)
        missing |= isnan(x[i]) != 0;
    if (missing)
        return (struct stats_interval){NAN, NAN};
    double lo = quantile(x, n, (1 - level) / 2);
    return (struct stats_interval){lo, quantile(x, n, 1 - (1 - level) / 2)};
}

bool stats_interval_excludes_0(struct stats_interval i)
{
    return i.lo > rounding || i.hi < -rounding;
}

/* ---- pairs ---- */

const char *stats_test_name(enum stats_test t)
{
    static const char *const name[] = {"", "exact sign test", "paired t test"};
    return name[t];
}

static bool is_right_or_wrong(double score)
{
    return score == 0 || score == stats_right;
}

/* Counts, and whether all scores are 0 or right. */
static bool count_pairs(const double *a, const double *b, int n, struct stats_paired *p)
{
    bool binary = true;
    for (int i = 0; i < n; i++) {
        if (isnan(a[i]) || isnan(b[i]))
            continue;
        p->pairs++;
        p->won += a[i] > b[i];
        p->lost += a[i] < b[i];
        p->difference += a[i] - b[i];
        binary = binary && is_right_or_wrong(a[i]) && is_right_or_wrong(b[i]);
    }
    p->tied = p->pairs - p->won - p->lost;
    return binary;
}

static double pairs_stderr(const double *a, const double *b, int n, const struct stats_paired *p)
{
    double squares = 0;
    for (int i = 0; i < n; i++)
        if (!isnan(a[i]) && !isnan(b[i]))
            squares += (a[i] - b[i] - p->difference) * (a[i] - b[i] - p->difference);
    return sqrt(squares / (p->pairs - 1) / p->pairs);
}

static void find_p(struct stats_paired *p, bool binary, double degrees)
{
    p->test = binary || p->stderr_ <= rounding ? STATS_SIGN : STATS_PAIRED_T;
    p->p = p->test == STATS_SIGN ? stats_sign_p(p->won, p->lost)
                                 : stats_t_p(p->difference / p->stderr_, degrees);
}

struct stats_paired stats_paired(const double *a, const double *b, int n)
{
    struct stats_paired p = {.stderr_ = NAN, .p = NAN};
    bool binary = count_pairs(a, b, n, &p);
    p.difference = p.pairs ? p.difference / p.pairs : NAN;
    if (p.pairs < 2)
        return p;
    p.stderr_ = pairs_stderr(a, b, n, &p);
    find_p(&p, binary, p.pairs - 1);
    return p;
}

struct stats_over stats_over(const struct stats_part *part, int n)
{
    struct stats_over o = {0, 0, 0};
    double variance = 0, spread = 0;
    for (int i = 0; i < n; i++) {
        double error = part[i].weight * part[i].stderr_;
        o.mean += part[i].weight * part[i].mean;
        variance += error * error;
        if (part[i].n > 1)
            spread += error * error * error * error / (part[i].n - 1);
    }
    o.stderr_ = sqrt(variance);
    o.degrees = variance * variance / spread;
    return o;
}

void stats_over_test(struct stats_paired *p, double degrees)
{
    if (!isnan(p->stderr_))
        find_p(p, false, degrees);
}
