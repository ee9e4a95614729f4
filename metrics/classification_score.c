/*
 * Classification: one over the number of classes that the prediction names, if the right one is
 * among them. Source: classification_score of LongBench's metrics.py, which changes the list that
 * it walks. Formula: 1 / n or 0. Range: 0 to 1.
 */
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "metrics/metric.h"

static bool contains(struct text t, struct text part)
{
    return part.n == 0 || text_find(t, part, 0) < t.n;
}

static size_t find_matches(struct text prediction, const struct text *classes, size_t n_classes,
                           struct text *match)
{
    size_t n = 0;
    for (size_t i = 0; i < n_classes; i++)
        if (contains(prediction, classes[i]))
            match[n++] = classes[i];
    return n;
}

/* list.remove(): the first equal element goes. */
static size_t remove_first(struct text *match, size_t n, struct text which)
{
    size_t i = 0;
    while (!text_eq(match[i], which))
        i++;
    memmove(match + i, match + i + 1, (n - i - 1) * sizeof *match);
    return n - 1;
}

/* Classes whose names lie within the right one's are meant to go. The official loop removes from
 * the list it walks, so the element after a removed one is never looked at; that is kept. */
static size_t drop_parts(struct text *match, size_t n, struct text truth)
{
    for (size_t i = 0; i < n; i++)
        if (contains(truth, match[i]) && !text_eq(match[i], truth))
            n = remove_first(match, n, match[i]);
    return n;
}

static int score(struct text prediction, struct text truth, const struct text *classes,
                 size_t n_classes, double *out, struct err *e)
{
    if (!classes)
        return err_item(e, "classification_score needs the list of classes (all_classes)");
    struct text *match = xmalloc(mem_size(n_classes + 1, sizeof *match));
    size_t n = find_matches(prediction, classes, n_classes, match);
    n = drop_parts(match, n, truth);
    *out = 0;
    for (size_t i = 0; i < n; i++)
        if (text_eq(match[i], truth))
            *out = 1.0 / (double)n;
    free(match);
    return 0;
}

const struct metric metric_classification_score = {
    .name = "classification_score",
    .version = 1,
    .summary = "one over the number of classes named, if the right one is (classification)",
    .score = score,
};
