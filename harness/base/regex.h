/* Regular expressions on UTF-8 text. The only user of PCRE2. */
#ifndef KVLAB_REGEX_H
#define KVLAB_REGEX_H

#include "harness/base/text.h"

struct regex;

/* UTF mode, with Unicode's classes; a JIT where there is one. NULL where the pattern does not
 * compile: ERR_USER with the place and the reason. */
struct regex *regex_new(const char *pattern, struct err *e);
void regex_free(struct regex *r);

enum { REGEX_GROUPS = 8 };

struct regex_match {
    int n_groups;
    struct text
        group[REGEX_GROUPS]; // [0] is the whole match; .s == NULL where a group took no part
};

/* First match at or after byte `from`: 1, or 0 when there is none, or -1 when the search was given
 * up because it took too long. t must be valid UTF-8. */
int regex_find(struct regex *r, struct text t, size_t from, struct regex_match *m);

#endif
