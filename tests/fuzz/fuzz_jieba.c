/* Any valid text is cut into tokens that together are the text. */
#include <assert.h>

#include "harness/base/utf8.h"
#include "metrics/jieba.h"
#include "tests/fuzz/fuzz.h"

void fuzz_one(const unsigned char *data, size_t n)
{
    struct text t = {(const char *)data, n};
    t.n = utf8_invalid_at(t);
    struct words w = {0};
    jieba_cut(t, &w);
    const char *at = t.s;
    for (size_t i = 0; i < w.n; i++) {
        assert(w.word[i].s == at && w.word[i].n > 0);
        at += w.word[i].n;
    }
    assert(at == t.s + t.n);
    words_release(&w);
}
