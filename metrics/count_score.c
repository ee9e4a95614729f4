/*
 * Passage count: the share of the numbers in the prediction that are, as strings, the answer.
 * Source: count_score of LongBench's metrics.py. Formula: right / all, 0 without numbers. Range: 0
 * to 1.
 */
#include "metrics/metric.h"
#include "metrics/numbers.h"

static int score(struct text prediction, struct text truth, const struct text *classes,
                 size_t n_classes, double *out, struct err *e)
{
    (void)classes, (void)n_classes, (void)e;
    *out = numbers_share(prediction, truth);
    return 0;
}

const struct metric metric_count_score = {
    .name = "count_score",
    .version = 1,
    .summary = "share of the numbers named that are the answer (passage count)",
    .score = score,
};
