#include "metrics/pystr.h"

#include <stdlib.h>

#include "harness/base/utf8.h"

struct range {
    uint32_t lo, hi;
};

/* lo, lo + step, ... hi have their lower case at a distance of delta. */
struct lower_run {
    uint32_t lo, hi, step;
    int32_t delta;
};

#include "metrics/pystr_tables.inc"

enum { CAPITAL_I_DOT = 0x130, COMBINING_DOT = 0x307 };
enum { CAPITAL_SIGMA = 0x3A3, SMALL_SIGMA = 0x3C3, FINAL_SIGMA = 0x3C2 };

static bool in_ranges(uint32_t c, const struct range *r, size_t n)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (c > r[mid].hi)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && c >= r[lo].lo;
}

#define IN_RANGES(c, table) in_ranges(c, table, sizeof table / sizeof *table)

bool pystr_is_space(uint32_t c)
{
    return IN_RANGES(c, space_ranges);
}

bool pystr_is_digit(uint32_t c)
{
    return IN_RANGES(c, digit_ranges);
}

bool pystr_is_word(uint32_t c)
{
    return IN_RANGES(c, word_ranges);
}

bool pystr_is_cased(uint32_t c)
{
    return IN_RANGES(c, cased_ranges);
}

bool pystr_is_case_ignorable(uint32_t c)
{
    return IN_RANGES(c, case_ignorable_ranges);
}

bool pystr_is_ascii_punctuation(uint32_t c)
{
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
}

static uint32_t lower_of(uint32_t c)
{
    size_t lo = 0, hi = sizeof lower_runs / sizeof *lower_runs, n = hi;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (c > lower_runs[mid].hi)
            lo = mid + 1;
        else
            hi = mid;
    }
    const struct lower_run *r = &lower_runs[lo];
    if (lo == n || c < r->lo || (c - r->lo) % r->step)
        return c;
    return (uint32_t)((int32_t)c + r->delta);
}

/* A capital sigma ends a word when a cased character precedes and none follows; what is
 * case-ignorable is skipped on both sides. */
static bool is_final_sigma(const uint32_t *c, size_t n, size_t at)
{
    size_t before = at, after = at + 1;
    while (before > 0 && pystr_is_case_ignorable(c[before - 1]))
        before--;
    if (before == 0 || !pystr_is_cased(c[before - 1]))
        return false;
    while (after < n && pystr_is_case_ignorable(c[after]))
        after++;
    return after == n || !pystr_is_cased(c[after]);
}

void pystr_lower(struct text t, struct buf *out)
{
    size_t n;
    uint32_t *c = utf8_code_points_new(t, &n);
    for (size_t i = 0; i < n; i++) {
        if (c[i] == CAPITAL_SIGMA) {
            buf_code_point(out, is_final_sigma(c, n, i) ? FINAL_SIGMA : SMALL_SIGMA);
        } else if (c[i] == CAPITAL_I_DOT) {
            buf_code_point(out, 'i');
            buf_code_point(out, COMBINING_DOT);
        } else {
            buf_code_point(out, lower_of(c[i]));
        }
    }
    free(c);
}
