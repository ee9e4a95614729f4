#include "harness/base/regex.h"

#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "harness/base/mem.h"

struct regex {
    pcre2_code *code;
    pcre2_match_data *data;
};

struct regex *regex_new(const char *pattern, struct err *e)
{
    int number;
    PCRE2_SIZE at;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                     PCRE2_UTF | PCRE2_UCP, &number, &at, NULL);
    if (!code) {
        char why[160];
        pcre2_get_error_message(number, (PCRE2_UCHAR *)why, sizeof why);
        err_user(e, "regular expression '%.200s': at %zu: %s", pattern, at, why);
        return NULL;
    }
    struct regex *r = xcalloc(1, sizeof *r);
    r->code = code;
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); // without a JIT the interpreter runs
    r->data = pcre2_match_data_create(REGEX_GROUPS, NULL);
    if (!r->data)
        die("out of memory: a match");
    return r;
}

void regex_free(struct regex *r)
{
    if (!r)
        return;
    pcre2_match_data_free(r->data);
    pcre2_code_free(r->code);
    free(r);
}

int regex_find(struct regex *r, struct text t, size_t from, struct regex_match *m)
{
    int n = pcre2_match(r->code, (PCRE2_SPTR)t.s, t.n, from, PCRE2_NO_UTF_CHECK, r->data, NULL);
    if (n == PCRE2_ERROR_NOMATCH)
        return 0;
    if (n < 0)
        return -1;
    n = n ? n : REGEX_GROUPS; // more groups than there is room for
    const PCRE2_SIZE *v = pcre2_get_ovector_pointer(r->data);
    m->n_groups = n;
    for (int i = 0; i < n; i++) {
        bool set = v[2 * i] != PCRE2_UNSET;
        m->group[i] =
            set ? (struct text){t.s + v[2 * i], v[2 * i + 1] - v[2 * i]} : (struct text){NULL, 0};
    }
    return 1;
}
