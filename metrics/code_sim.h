/*
 * What the two back-ends of code_sim_score share: which line of the prediction counts, and how
 * fuzzywuzzy makes whole percents of a ratio.
 */
#ifndef KVLAB_CODE_SIM_H
#define KVLAB_CODE_SIM_H

#include <stddef.h>
#include <stdint.h>

#include "harness/base/text.h"

/* Similarity in [0, 1] of two texts, neither empty, as code points. */
typedef double code_sim_ratio(const uint32_t *a, size_t na, const uint32_t *b, size_t nb);

/* The first line that is neither comment nor markdown fence, or nothing. */
struct text code_sim_line(struct text prediction);

double code_sim(struct text prediction, struct text truth, code_sim_ratio *ratio);

#endif
