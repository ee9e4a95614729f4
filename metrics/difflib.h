/* difflib.SequenceMatcher(None, a, b).ratio() of Python 3.11, autojunk on. Not symmetric. */
#ifndef KVLAB_DIFFLIB_H
#define KVLAB_DIFFLIB_H

#include <stddef.h>
#include <stdint.h>

/* Code points. Finding one block costs the number of equal pairs in its ranges (at most
 * na * (nb / 100 + 1) with autojunk); every block splits its ranges in two. */
double difflib_ratio(const uint32_t *a, size_t na, const uint32_t *b, size_t nb);

#endif
