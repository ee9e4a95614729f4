/* UTF-8 to code points and back. Strict: no surrogates, no overlong forms, at most U+10FFFF. */
#ifndef KVLAB_UTF8_H
#define KVLAB_UTF8_H

#include <stdint.h>

#include "harness/base/text.h"

/* Offset of the first byte that is not valid UTF-8, or t.n. */
size_t utf8_invalid_at(struct text t);

/* Code point at s (valid UTF-8), its length in *len. */
uint32_t utf8_at(const char *s, int *len);

/* Bytes of code point c into out, returns how many (1 to 4). */
int utf8_put(char out[4], uint32_t c);
void buf_code_point(struct buf *b, uint32_t c);

/* Code points in valid UTF-8 text. */
size_t utf8_length(struct text t);

/* The code points of valid text, *n of them; the caller frees. */
uint32_t *utf8_code_points_new(struct text t, size_t *n);

#endif
