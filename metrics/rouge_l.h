/*
 * ROUGE-L at summary level as the package rouge 1.0.1 computes it: sentences split at ".", words at
 * whitespace, the union of the longest common subsequences of all sentence pairs counted as a set.
 */
#ifndef KVLAB_ROUGE_L_H
#define KVLAB_ROUGE_L_H

#include "harness/base/text.h"

/* max_calls: how many nested calls the package's recursive walk may make before Python's recursion
 * limit ends it, which its caller turns into a score of 0. */
double rouge_l_f(struct text prediction, struct text truth, size_t max_calls);

#endif
