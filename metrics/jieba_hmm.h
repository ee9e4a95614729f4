/* The part of jieba that finds words which its dictionary does not hold (its module finalseg). */
#ifndef KVLAB_JIEBA_HMM_H
#define KVLAB_JIEBA_HMM_H

#include <stdbool.h>

#include "metrics/jieba_data.h"

bool jieba_is_han(uint32_t c);
bool jieba_is_alnum(uint32_t c); // of ASCII

/* Marks where tokens end: is_end[i] is set when c[i] is the last code point of one. All of c are
 * characters of a block. */
void jieba_hmm_cut(const struct jieba_data *d, const uint32_t *c, size_t n, bool *is_end);

#endif
