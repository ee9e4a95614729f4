/*
 * Chinese word segmentation as jieba 0.42.1 does it: jieba.cut(text, cut_all=False), HMM on, with
 * the dictionary and model of Debian's python3-jieba.
 */
#ifndef KVLAB_JIEBA_H
#define KVLAB_JIEBA_H

#include "metrics/words.h"

/* The tokens of valid UTF-8 text, added to out: slices of t that follow one another, none empty,
 * and together are t. Time and memory grow with t as a straight line. */
void jieba_cut(struct text t, struct words *out);

#endif
