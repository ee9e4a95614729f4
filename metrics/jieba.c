#include "metrics/jieba.h"

#include <assert.h>
#include <stdlib.h>

#include "harness/base/mem.h"
#include "harness/base/utf8.h"
#include "metrics/jieba_hmm.h"

/* Of one text; c and is_end have an entry a code point, the others one more. */
struct cutter {
    struct jieba_data data;
    uint32_t *c;
    bool *is_end;
    double *best; // [n + 1]: weight of the best way from here to the end of the block
    size_t *next; // [n + 1]: end of the first word on it
};

/* [\u4E00-\u9FD5a-zA-Z0-9+#&._%-] */
static bool in_block(uint32_t c)
{
    return jieba_is_han(c) || jieba_is_alnum(c) || c == '+' || c == '#' || c == '&' || c == '.' ||
           c == '_' || c == '%' || c == '-';
}

/* The best way from i, when those from all later positions to end are known. A tie goes to the
 * longer word. */
static void find_best(struct cutter *k, size_t i, size_t end)
{
    const struct jieba_data *d = &k->data;
    uint32_t node = 0;
    bool found = false;
    for (size_t j = i; j < end; j++) {
        node = jieba_child(d, node, (uint32_t)jieba_symbol(k->c[j]));
        if (!node)
            break;
        unsigned index = d->weight_index[node];
        if (!index)
            continue;
        double w = d->weight[index] + k->best[j + 1];
        if (!found || w >= k->best[i])
            k->best[i] = w, k->next[i] = j + 1;
        found = true;
    }
    if (!found)
        k->best[i] = d->weight[0] + k->best[i + 1], k->next[i] = i + 1;
}

static bool is_word(const struct cutter *k, size_t from, size_t to)
{
    uint32_t node = 0;
    for (size_t i = from; i < to; i++) {
        node = jieba_child(&k->data, node, (uint32_t)jieba_symbol(k->c[i]));
        if (!node)
            return false;
    }
    return k->data.weight_index[node] != 0;
}

/* A run of single characters: one alone and the characters of a word stay as they are. */
static void cut_run(struct cutter *k, size_t from, size_t to)
{
    if (from == to)
        return;
    if (to - from > 1 && !is_word(k, from, to)) {
        jieba_hmm_cut(&k->data, k->c + from, to - from, k->is_end + from);
        return;
    }
    for (size_t i = from; i < to; i++)
        k->is_end[i] = true;
}

static void cut_block(struct cutter *k, size_t from, size_t to)
{
    k->best[to] = 0;
    for (size_t i = to; i-- > from;)
        find_best(k, i, to);
    size_t run = from; // start of the single characters before i
    for (size_t i = from; i < to; i = k->next[i]) {
        if (k->next[i] == i + 1)
            continue;
        cut_run(k, run, i);
        run = k->next[i];
        k->is_end[run - 1] = true;
    }
    cut_run(k, run, to);
}

/* Between blocks every character is a token; only "\r\n" stays together. */
static void cut_text(struct cutter *k, size_t n)
{
    for (size_t i = 0, from = 0; i < n; from = i) {
        while (i < n && in_block(k->c[i]))
            i++;
        if (i > from) {
            cut_block(k, from, i);
        } else {
            k->is_end[i] = !(k->c[i] == '\r' && i + 1 < n && k->c[i + 1] == '\n');
            i++;
        }
    }
}

void jieba_cut(struct text t, struct words *out)
{
    size_t n;
    struct cutter k = {.c = utf8_code_points_new(t, &n)};
    jieba_data_get(&k.data);
    k.is_end = xcalloc(n + 1, sizeof *k.is_end);
    k.best = xmalloc(mem_size(n + 1, sizeof *k.best));
    k.next = xmalloc(mem_size(n + 1, sizeof *k.next));
    cut_text(&k, n);
    size_t start = 0, at = 0;
    for (size_t i = 0; i < n; i++) {
        char bytes[4];
        at += (size_t)utf8_put(bytes, k.c[i]);
        if (k.is_end[i]) {
            words_add(out, (struct text){t.s + start, at - start});
            start = at;
        }
    }
    assert(start == t.n);
    free(k.c);
    free(k.is_end);
    free(k.best);
    free(k.next);
}
