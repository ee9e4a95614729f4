#include "metrics/words.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/base/utf8.h"
#include "metrics/pystr.h"

void words_add(struct words *w, struct text word)
{
    if (w->n == w->cap) {
        w->cap = w->cap ? 2 * w->cap : 32;
        w->word = xrealloc(w->word, mem_size(w->cap, sizeof *w->word));
    }
    w->word[w->n++] = word;
}

void words_split(struct words *w, struct text t)
{
    size_t start = 0;
    for (size_t i = 0; i < t.n;) {
        int len;
        bool space = pystr_is_space(utf8_at(t.s + i, &len));
        if (space && i > start)
            words_add(w, (struct text){t.s + start, i - start});
        i += (size_t)len;
        if (space)
            start = i;
    }
    if (t.n > start)
        words_add(w, (struct text){t.s + start, t.n - start});
}

void words_release(struct words *w)
{
    free(w->word);
    *w = (struct words){0};
}

int words_compare(const void *a, const void *b)
{
    const struct text *x = a, *y = b;
    int order = memcmp(x->s, y->s, x->n < y->n ? x->n : y->n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

static void sort(struct words *w)
{
    if (w->n > 1)
        qsort(w->word, w->n, sizeof *w->word, words_compare);
}

static size_t overlap(const struct words *a, const struct words *b)
{
    size_t i = 0, j = 0, same = 0;
    while (i < a->n && j < b->n) {
        int order = words_compare(&a->word[i], &b->word[j]);
        same += order == 0;
        i += order <= 0;
        j += order >= 0;
    }
    return same;
}

double words_f1(struct words *prediction, struct words *truth)
{
    sort(prediction);
    sort(truth);
    size_t same = overlap(prediction, truth);
    if (!same)
        return 0;
    /* The order of these operations is the official one: the last bit depends on it. */
    double p = 1.0 * (double)same / (double)prediction->n;
    double r = 1.0 * (double)same / (double)truth->n;
    return (2 * p * r) / (p + r);
}
