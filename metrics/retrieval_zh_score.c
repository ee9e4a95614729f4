/*
 * Chinese passage retrieval: the share of the numbers in the prediction that are the paragraph's.
 * Source: retrieval_zh_score of LongBench's metrics.py. Formula: as retrieval_score, the paragraph
 * being the first match of 段落(\d+) in the answer. Range: 0 to 1; an error without that match.
 */
#include "metrics/metric.h"
#include "metrics/numbers.h"

static int score(struct text prediction, struct text truth, const struct text *classes,
                 size_t n_classes, double *out, struct err *e)
{
    (void)classes, (void)n_classes;
    struct text id;
    if (!numbers_after(truth, text_of("段落"), &id))
        return err_item(e, "retrieval_zh_score: no '段落NUMBER' in the answer");
    *out = numbers_share(prediction, id);
    return 0;
}

const struct metric metric_retrieval_zh_score = {
    .name = "retrieval_zh_score",
    .version = 1,
    .summary = "share of the numbers named that are the paragraph's (Chinese passage retrieval)",
    .score = score,
};
