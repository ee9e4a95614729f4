/* Regular expressions on UTF-8 text. The only user of PCRE2. */
#ifndef KVLAB_REGEX_H
#define KVLAB_REGEX_H

#include "harness/base/text.h"

struct regex;

/* pattern is part of the program: a pattern that does not compile is a bug. UTF mode, JIT where
 * there is one. */
struct regex *regex_new(const char *pattern);
void regex_free(struct regex *r);

enum { REGEX_GROUPS = 8 };

struct regex_match {
    int n_groups;
    struct text
        group[REGEX_GROUPS]; // [0] is the whole match; .s == NULL where a group took no part
};

/* First match at or after byte `from`; false when there is none. t must be valid UTF-8. */
bool regex_find(struct regex *r, struct text t, size_t from, struct regex_match *m);

#endif
