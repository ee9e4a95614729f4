/*
 * Summaries: ROUGE-L F on whitespace words.
 * Source: rouge_score of LongBench's metrics.py, on the package rouge 1.0.1. Formula: with r and p
 * the shares of the union of longest common subsequences, 2 (pr / (p + r + 1e-8)); 0 past Python's
 * recursion limit. Range: 0 to 0.999999995.
 */
#include "metrics/metric.h"
#include "metrics/rouge_l.h"

/* Measured with the official eval.py as main program, under Python's limit of 1000 frames. */
enum { MAX_CALLS = 991 };

static int score(struct text prediction, struct text truth, const struct text *classes,
                 size_t n_classes, double *out, struct err *e)
{
    (void)classes, (void)n_classes, (void)e;
    *out = rouge_l_f(prediction, truth, MAX_CALLS);
    return 0;
}

const struct metric metric_rouge_score = {
    .name = "rouge_score",
    .version = 1,
    .summary = "ROUGE-L F of sentences split at full stops (summaries)",
    .score = score,
};
