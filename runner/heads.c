#include "runner/heads.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"

struct entry {
    struct text text;
    int index;
};

static size_t common(struct text a, struct text b)
{
    size_t n = a.n < b.n ? a.n : b.n, i = 0;
    while (i < n && a.s[i] == b.s[i])
        i++;
    return i;
}

static int by_bytes(const void *x, const void *y)
{
    const struct entry *a = x, *b = y;
    int c = memcmp(a->text.s, b->text.s, a->text.n < b->text.n ? a->text.n : b->text.n);
    if (c)
        return c;
    if (a->text.n != b->text.n)
        return a->text.n < b->text.n ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

/* Entries first..end-1, neighbours that share at least `shared` bytes. */
static void mark(const struct entry *list, int first, int end, size_t shared, struct head *out)
{
    if (end - first < 2)
        return;
    for (int i = first; i < end; i++)
        hash_sha256((struct text){list[first].text.s, shared}, out[list[i].index].hash);
}

void heads_find(const struct text *texts, int n, struct head *out)
{
    struct entry *list = xcalloc((size_t)n, sizeof *list);
    int first = 0;
    size_t least = 0; // bytes that all neighbours from first on share
    for (int i = 0; i < n; i++) {
        list[i] = (struct entry){texts[i], i};
        out[i].hash[0] = 0;
    }
    qsort(list, (size_t)n, sizeof *list, by_bytes);
    for (int i = 1; i <= n; i++) {
        size_t shared = i < n ? common(list[i - 1].text, list[i].text) : 0;
        if (shared >= HEAD_MIN) {
            least = i - first == 1 || shared < least ? shared : least;
            continue;
        }
        mark(list, first, i, least, out);
        first = i;
    }
    free(list);
}
