/* Summaries: ROUGE-L F on whitespace words. */
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
