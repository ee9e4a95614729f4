/*
 * Code completion: code_sim_score with fuzzywuzzy on Python's difflib (no python-Levenshtein).
 * Source: code_sim_score of LongBench's metrics.py. Formula: 2 * (matching) / (sum of lengths) of
 * the first line of code and the answer, in whole percents, ties to even. Range: 0 to 1 by
 * hundredths.
 */
#include "metrics/code_sim.h"
#include "metrics/difflib.h"
#include "metrics/metric.h"

static int score(struct text prediction, struct text truth, const struct text *classes,
                 size_t n_classes, double *out, struct err *e)
{
    (void)classes, (void)n_classes, (void)e;
    *out = code_sim(prediction, truth, difflib_ratio);
    return 0;
}

const struct metric metric_code_sim_difflib = {
    .name = "code_sim_difflib",
    .version = 1,
    .summary = "difflib similarity of the first line of code, whole percents (code)",
    .score = score,
};
