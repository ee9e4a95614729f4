/*
 * What Python 3.11's str and re do, on UTF-8: the official scorers are written in it, and Unicode
 * grows. The tables are fixed at Unicode 14; PCRE2 is not used here because its tables are those of
 * whichever release is installed, and its \w holds combining marks, which Python's does not.
 */
#ifndef KVLAB_PYSTR_H
#define KVLAB_PYSTR_H

#include <stdint.h>

#include "harness/base/text.h"

bool pystr_is_space(uint32_t c); // str.isspace, and what str.split() splits on
bool pystr_is_digit(uint32_t c); // \d
bool pystr_is_word(uint32_t c);  // \w

/* What decides the final sigma: D135 and D136 of the Unicode standard. */
bool pystr_is_cased(uint32_t c);
bool pystr_is_case_ignorable(uint32_t c);

/* string.punctuation: the 32 of ASCII. */
bool pystr_is_ascii_punctuation(uint32_t c);

/* str.lower(), appended to out. */
void pystr_lower(struct text t, struct buf *out);

#endif
