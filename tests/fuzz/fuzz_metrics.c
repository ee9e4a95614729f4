/* Every metric on prediction, answer and classes, which U+0001 separates: a score in range or an
 * error of one item. */
#include <assert.h>

#include "harness/base/utf8.h"
#include "metrics/metric.h"
#include "tests/fuzz/fuzz.h"

enum { PARTS = 8 };

void fuzz_one(const unsigned char *data, size_t n)
{
    struct text t = {(const char *)data, n}, part[PARTS] = {{"", 0}, {"", 0}};
    size_t n_parts = 0;
    t.n = utf8_invalid_at(t);
    for (size_t at = 0; at <= t.n && n_parts < PARTS;) {
        size_t end = text_find(t, text_of("\x01"), at);
        part[n_parts++] = (struct text){t.s + at, end - at};
        at = end + 1;
    }
    size_t n_classes = n_parts > 2 ? n_parts - 2 : 0;
    for (const struct metric *const *m = metric_all; *m; m++) {
        struct err e;
        double x = -1;
        if ((*m)->score(part[0], part[1], n_classes ? part + 2 : NULL, n_classes, &x, &e))
            assert(e.class == ERR_ITEM);
        else
            assert(x >= 0 && x <= 1);
    }
}
