/*
 * Passage retrieval: the share of the numbers in the prediction that are the paragraph's.
 * Source: retrieval_score of LongBench's metrics.py. Formula: right / all, 0 without numbers; the
 * paragraph is the first match of Paragraph (\d+) in the answer. Range: 0 to 1; an error without
 * it.
 */
#include "metrics/metric.h"
#include "metrics/numbers.h"

static int score(struct text prediction, struct text truth, const struct text *classes,
                 size_t n_classes, double *out, struct err *e)
{
    (void)classes, (void)n_classes;
    struct text id;
    if (!numbers_after(truth, text_of("Paragraph "), &id))
        return err_item(e, "retrieval_score: no 'Paragraph NUMBER' in the answer");
    *out = numbers_share(prediction, id);
    return 0;
}

const struct metric metric_retrieval_score = {
    .name = "retrieval_score",
    .version = 1,
    .summary = "share of the numbers named that are the paragraph's (passage retrieval)",
    .score = score,
};
