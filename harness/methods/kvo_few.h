/*
 * Pruning where codes have few bits and a group at most 32 entries: entries are the bits of a word,
 * one word for each bit of a code, and a magnitude is a matter of the code. Keeps exactly what
 * kvo_quant.c's prune keeps of the decoded entries.
 */
#ifndef KVLAB_KVO_FEW_H
#define KVLAB_KVO_FEW_H

#include "harness/methods/kvo_quant.h"

enum { KVO_FEW_BITS = 4, KVO_FEW_ENTRIES = 32 };

/* Bit `plane` of each of 8 codes. */
uint8_t kvo_few_bits(const uint8_t codes[8], int plane);

/* Of the entries in `all` those that stay when the n_drop of least magnitude go; bit i of planes[p]
 * is bit p of entry i's code. */
uint32_t kvo_few_kept(const uint32_t planes[KVO_FEW_BITS], uint32_t all, int n_drop,
                      struct kvo_pair pair, const struct kvo_quant *q);

#endif
