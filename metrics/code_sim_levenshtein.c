/*
 * Code completion: code_sim_score with fuzzywuzzy on python-Levenshtein.
 * Source: code_sim_score of LongBench's metrics.py. Formula: 2 * (longest common subsequence) /
 * (sum of lengths) of the first line of code and the answer, in whole percents, ties to even.
 * Range: 0 to 1 by hundredths.
 */
#include <stdlib.h>

#include "metrics/code_sim.h"
#include "metrics/lcs.h"
#include "metrics/metric.h"

/* (L - d) / L with d the distance by insertions and deletions alone. */
static double ratio(const uint32_t *a, size_t na, const uint32_t *b, size_t nb)
{
    double total = (double)(na + nb);
    return 2.0 * (double)lcs_length(a, na, b, nb) / total;
}

static int score(struct text prediction, struct text truth, const struct text *classes,
                 size_t n_classes, double *out, struct err *e)
{
    (void)classes, (void)n_classes, (void)e;
    *out = code_sim(prediction, truth, ratio);
    return 0;
}

const struct metric metric_code_sim_levenshtein = {
    .name = "code_sim_levenshtein",
    .version = 1,
    .summary = "Levenshtein similarity of the first line of code, whole percents (code)",
    .score = score,
};
