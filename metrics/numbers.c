#include "metrics/numbers.h"

#include "harness/base/utf8.h"
#include "metrics/pystr.h"

/* End of the digits that start at i; i where there are none. */
static size_t digits_end(struct text t, size_t i)
{
    while (i < t.n) {
        int len;
        if (!pystr_is_digit(utf8_at(t.s + i, &len)))
            break;
        i += (size_t)len;
    }
    return i;
}

double numbers_share(struct text t, struct text wanted)
{
    size_t runs = 0, right = 0;
    for (size_t i = 0; i < t.n;) {
        size_t end = digits_end(t, i);
        if (end == i) {
            int len;
            utf8_at(t.s + i, &len);
            i += (size_t)len;
            continue;
        }
        runs++;
        right += text_eq((struct text){t.s + i, end - i}, wanted);
        i = end;
    }
    return runs ? (double)right / (double)runs : 0;
}

bool numbers_after(struct text t, struct text label, struct text *digits)
{
    for (size_t at = text_find(t, label, 0); at < t.n; at = text_find(t, label, at + 1)) {
        size_t start = at + label.n, end = digits_end(t, start);
        *digits = (struct text){t.s + start, end - start};
        if (end > start)
            return true;
    }
    return false;
}
