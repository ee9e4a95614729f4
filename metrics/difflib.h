/* difflib.SequenceMatcher(None, a, b).ratio() of Python 3.11, autojunk on. Not symmetric. */
#ifndef KVLAB_DIFFLIB_H
#define KVLAB_DIFFLIB_H

#include <stddef.h>
#include <stdint.h>

/* Code points. Costs about the number of pairs of equal, not popular elements (at most na * 199, or
 * na * (nb / 100 + 1) with autojunk), in time and, up to two million pairs, in memory. */
double difflib_ratio(const uint32_t *a, size_t na, const uint32_t *b, size_t nb);

#endif
