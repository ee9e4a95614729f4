/* Lists of words, borrowed slices of a text: str.split() and the F1 of two multisets. */
#ifndef KVLAB_WORDS_H
#define KVLAB_WORDS_H

#include "harness/base/text.h"

/* Starts as {0}. Two words are equal when their bytes are: in UTF-8 that is code point equality. */
struct words {
    struct text *word;
    size_t n, cap;
};

void words_add(struct words *w, struct text word);
/* str.split() without argument: the runs between Unicode whitespace. */
void words_split(struct words *w, struct text t);
void words_release(struct words *w);

/* F1 of the overlap of two multisets: 0 when they share nothing, also when both are empty. Sorts
 * both lists. */
double words_f1(struct words *prediction, struct words *truth);

/* Order by bytes, for qsort and the like. */
int words_compare(const void *a, const void *b);

#endif
