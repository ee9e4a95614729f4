#include "harness/base/near.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { NEAR_MAX = 64 };

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Levenshtein distance of two short words, one row at a time. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NEAR_MAX + 1], na = strlen(a), nb = strlen(b);
    if (na > NEAR_MAX || nb > NEAR_MAX)
        return SIZE_MAX; // near nothing
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t up = row[j];
            row[j] = min3(up + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = up;
        }
    }
    return row[nb];
}

const char *near_name(const char *word, const char *const *names, size_t n)
{
    const char *best = NULL;
    size_t least = strlen(word) / 3 + 2;
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(word, names[i]);
        if (d < least) {
            least = d;
            best = names[i];
        }
    }
    return best;
}

const char *near_hint(char out[128], const char *word, const char *const *names, size_t n)
{
    const char *best = near_name(word, names, n);
    out[0] = 0;
    if (best)
        snprintf(out, 128, ", did you mean '%s'?", best);
    return out;
}
