/* Text as a terminal shows it: how wide it is, and what must not reach it. */
#ifndef KVLAB_VISIBLE_H
#define KVLAB_VISIBLE_H

#include "harness/base/text.h"

/* What may be shown of t: valid UTF-8 without what a terminal obeys. The caller releases it. */
struct buf visible_new(struct text t);

/* Of valid UTF-8: the columns it takes, and the bytes that fit in so many columns. */
int visible_columns(struct text t);
size_t visible_fitting(struct text t, int columns);

/* Words in lines of at most `width` (0: no limit), the second and later ones indented. */
void visible_put_wrapped(const char *s, int width, int indent, struct buf *out);

#endif
