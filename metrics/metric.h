/*
 * The contract of a metric: how a prediction is scored against one reference answer, as LongBench's
 * official metrics.py does it.
 *
 * A metric is one file and one line in metrics.def. Its name is that of the golden files and is
 * stored with every score together with its version; raise the version when a score changes.
 * Strings are valid UTF-8, counted in code points, and may hold U+0000.
 */
#ifndef KVLAB_METRIC_H
#define KVLAB_METRIC_H

#include "harness/base/text.h"

struct metric {
    const char *name;
    int version;
    const char *summary; // one line
    /* In [0, 1]. classes: of classification tasks, NULL where a record has none (an empty list is
     * not NULL). Error (ERR_ITEM) where the official code raises. */
    int (*score)(struct text prediction, struct text truth, const struct text *classes,
                 size_t n_classes, double *out, struct err *e);
};

/* NULL-terminated, in the order of metrics.def. */
extern const struct metric *const metric_all[];

/* NULL when there is none; the error names the nearest. */
const struct metric *metric_find(const char *name, struct err *e);

/* eval.py's rule for one item: the best score over the answers, from 0; with first_line the
 * prediction is cut to its first line (after leading newlines) before. */
int metric_item(const struct metric *m, struct text prediction, bool first_line,
                const struct text *answers, size_t n_answers, const struct text *classes,
                size_t n_classes, double *out, struct err *e);

#endif
