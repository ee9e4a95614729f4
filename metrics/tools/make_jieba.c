/*
 * make_jieba FOLDER OUT: writes what metrics/jieba_data.h describes from the files of Debian's
 * python3-jieba, installed in FOLDER: dict.txt (lines "word frequency tag") and
 * finalseg/prob_{start,trans,emit}.py. The weights are computed here, with the C library's log()
 * that Python uses, too. Refuses files that are not those of jieba 0.42.1: scores depend on them.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"
#include "harness/base/mem.h"
#include "harness/base/utf8.h"
#include "metrics/jieba_data.h"

enum { LINES = 349046, TOTAL = 60101967, LONGEST = 16, FREQUENCY_MAX = 1 << 30 };
static const double impossible = -3.14e100;

struct word {
    uint16_t symbol[LONGEST];
    int n;
    long frequency, line;
};

struct dictionary {
    struct word *word; // those that a block can hold, sorted, each once
    size_t n;
    long total, lines; // over all of the file
};

struct model {
    double start[JIEBA_STATES], trans[JIEBA_STATES][JIEBA_STATES];
    double emit[JIEBA_HAN][JIEBA_STATES];
    int n_emit[JIEBA_STATES];
};

/* Words lo .. hi - 1 begin with the depth symbols of this node. */
struct node {
    size_t lo, hi;
    int depth;
};

struct trie {
    struct node *node;
    uint32_t *first_child;
    uint16_t *symbol, *weight_index;
    size_t n, room;
    double *weight;
    long *frequency; // of each weight
    size_t n_weights;
};

static struct text read_all(const char *folder, const char *name)
{
    struct err e;
    struct text t;
    char *path = file_join_dup(folder, name);
    if (file_read(path, &t, &e))
        die("make_jieba: %s", e.msg);
    if (utf8_invalid_at(t) < t.n)
        die("make_jieba: %s is not UTF-8", path);
    free(path);
    return t;
}

static int state_of(char letter)
{
    const char *at = letter ? strchr("BEMS", letter) : NULL;
    return at ? (int)(at - "BEMS") : -1;
}

/* False when the word holds what no block does: nothing can match it. */
static bool word_of(struct word *w, struct text t)
{
    w->n = 0;
    for (size_t i = 0; i < t.n;) {
        int len, symbol = jieba_symbol(utf8_at(t.s + i, &len));
        if (symbol < 0)
            return false;
        if (w->n == LONGEST)
            die("make_jieba: a word of more than %d characters", LONGEST);
        w->symbol[w->n++] = (uint16_t)symbol;
        i += (size_t)len;
    }
    return w->n > 0;
}

static int by_symbols(const void *a, const void *b)
{
    const struct word *x = a, *y = b;
    for (int i = 0; i < x->n && i < y->n; i++)
        if (x->symbol[i] != y->symbol[i])
            return x->symbol[i] < y->symbol[i] ? -1 : 1;
    if (x->n != y->n)
        return x->n < y->n ? -1 : 1;
    return x->line < y->line ? -1 : 1;
}

/* Of equal words the last one stays. */
static void keep_last(struct dictionary *d)
{
    size_t kept = 0;
    for (size_t i = 0; i < d->n; i++) {
        const struct word *w = &d->word[i];
        if (i + 1 < d->n && w->n == w[1].n &&
            !memcmp(w->symbol, w[1].symbol, (size_t)w->n * sizeof *w->symbol))
            continue;
        d->word[kept++] = *w;
    }
    d->n = kept;
}

static void read_dictionary(struct dictionary *d, const char *folder)
{
    struct text t = read_all(folder, "dict.txt");
    d->word = xmalloc(mem_size(LINES, sizeof *d->word));
    for (size_t at = 0, end; at < t.n; at = end + 1) {
        end = text_find(t, text_of("\n"), at);
        size_t blank = text_find(t, text_of(" "), at);
        char *stop;
        struct word *w = &d->word[d->n];
        if (blank >= end || ++d->lines > LINES)
            die("make_jieba: dict.txt is not that of jieba 0.42.1");
        long frequency = strtol(t.s + blank, &stop, 10);
        if (*stop != ' ' || frequency < 0 || frequency > FREQUENCY_MAX)
            die("make_jieba: dict.txt, line %ld: no frequency", d->lines);
        d->total += frequency;
        if (word_of(w, (struct text){t.s + at, blank - at})) {
            w->frequency = frequency;
            w->line = d->lines;
            d->n++;
        }
    }
    free((void *)t.s);
    if (d->lines != LINES || d->total != TOTAL)
        die("make_jieba: dict.txt is not that of jieba 0.42.1");
    qsort(d->word, d->n, sizeof *d->word, by_symbols);
    keep_last(d);
}

/* A Python literal of the form {'K': VALUE, ...}; *at is behind it when it returns. */
static const char *key_at(const char *s, char quote)
{
    while (*s && *s != quote && *s != '}')
        s++;
    return *s == quote ? s + 1 : NULL;
}

static double number_at(const char **s)
{
    char *end;
    *s = strchr(*s, ':');
    if (!*s)
        die("make_jieba: a number is missing");
    double x = strtod(*s + 1, &end);
    if (end == *s + 1)
        die("make_jieba: a number is missing");
    *s = end;
    return x;
}

static int state_key(const char **s)
{
    const char *k = key_at(*s, '\'');
    if (!k)
        return -1;
    *s = k + 2;
    if (state_of(*k) < 0)
        die("make_jieba: '%c' is not one of BEMS", *k);
    return state_of(*k);
}

static void read_start(struct model *m, const char *folder)
{
    struct text t = read_all(folder, "finalseg/prob_start.py");
    const char *s = strchr(t.s, '{');
    for (int y; s && (y = state_key(&s)) >= 0;)
        m->start[y] = number_at(&s);
    free((void *)t.s);
}

static void read_trans(struct model *m, const char *folder)
{
    struct text t = read_all(folder, "finalseg/prob_trans.py");
    const char *s = strchr(t.s, '{');
    for (int x, y; s && (x = state_key(&s)) >= 0; s++) // over the inner "}"
        while ((y = state_key(&s)) >= 0) {
            m->trans[x][y] = number_at(&s);
            while (*s == ' ')
                s++;
            if (*s == '}')
                break;
        }
    free((void *)t.s);
}

static void read_emit(struct model *m, const char *folder)
{
    struct text t = read_all(folder, "finalseg/prob_emit.py");
    const char *s = strchr(t.s, '{');
    int y = -1;
    while (s && (s = key_at(s, '\''))) {
        if (*s != '\\') {
            y = state_of(*s);
            s = strchr(s, '{'); // its own table
            continue;
        }
        unsigned long c = strtoul(s + 2, NULL, 16);
        double x = number_at(&s);
        if (y < 0)
            die("make_jieba: prob_emit.py has a number outside of its tables");
        if (jieba_symbol((uint32_t)c) >= JIEBA_ASCII) // the others never come to the model
            m->emit[c - JIEBA_HAN_FIRST][y] = x;
        m->n_emit[y]++;
        s += strspn(s, " \n");
        if (*s == '}')
            s++;
    }
    free((void *)t.s);
    if (m->n_emit[JIEBA_B] != 6857 || m->n_emit[JIEBA_E] != 7439 || m->n_emit[JIEBA_M] != 6409 ||
        m->n_emit[JIEBA_S] != 14519)
        die("make_jieba: prob_emit.py is not that of jieba 0.42.1");
}

static void read_model(struct model *m, const char *folder)
{
    for (int x = 0; x < JIEBA_STATES; x++) {
        m->start[x] = impossible;
        m->n_emit[x] = 0;
        for (int y = 0; y < JIEBA_STATES; y++)
            m->trans[x][y] = impossible;
        for (int c = 0; c < JIEBA_HAN; c++)
            m->emit[c][x] = impossible;
    }
    read_start(m, folder);
    read_trans(m, folder);
    read_emit(m, folder);
}

static void add_node(struct trie *t, uint16_t symbol, struct node node)
{
    if (t->n + 1 >= t->room) {
        t->room = t->room ? 2 * t->room : 1 << 16;
        t->node = xrealloc(t->node, mem_size(t->room, sizeof *t->node));
        t->first_child = xrealloc(t->first_child, mem_size(t->room, sizeof *t->first_child));
        t->symbol = xrealloc(t->symbol, mem_size(t->room, sizeof *t->symbol));
        t->weight_index = xrealloc(t->weight_index, mem_size(t->room, sizeof *t->weight_index));
    }
    t->symbol[t->n] = symbol;
    t->node[t->n++] = node;
}

static void add_children(struct trie *t, const struct dictionary *d, struct node of)
{
    for (size_t lo = of.lo, hi; lo < of.hi; lo = hi) {
        uint16_t symbol = d->word[lo].symbol[of.depth];
        for (hi = lo; hi < of.hi && d->word[hi].symbol[of.depth] == symbol;)
            hi++;
        add_node(t, symbol, (struct node){lo, hi, of.depth + 1});
    }
}

/* The root has all symbols. */
static void add_root(struct trie *t, const struct dictionary *d)
{
    add_node(t, 0, (struct node){0, 0, 0});
    t->first_child[0] = 1;
    t->weight_index[0] = 0;
    for (size_t symbol = 0, lo = 0, hi; symbol < JIEBA_SYMBOLS; symbol++, lo = hi) {
        for (hi = lo; hi < d->n && d->word[hi].symbol[0] == symbol;)
            hi++;
        add_node(t, (uint16_t)symbol, (struct node){lo, hi, 1});
    }
}

static int by_frequency(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

/* Frequency 1 is first: what is no word is weighed as if it had it. */
static void make_weights(struct trie *t, const struct dictionary *d)
{
    long *f = xmalloc(mem_size(d->n + 1, sizeof *f));
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++)
        f[i] = d->word[i].frequency;
    qsort(f, d->n, sizeof *f, by_frequency);
    for (size_t i = 0; i < d->n; i++)
        if (f[i] > 0 && (n == 0 || f[i] != f[n - 1]))
            f[n++] = f[i];
    memmove(f + 1, f, n * sizeof *f);
    f[0] = 1;
    t->n_weights = n + 1;
    t->frequency = f;
    t->weight = xmalloc(mem_size(t->n_weights, sizeof *t->weight));
    for (size_t i = 0; i < t->n_weights; i++)
        t->weight[i] = log((double)f[i]) - log((double)d->total);
    if (t->n_weights > UINT16_MAX)
        die("make_jieba: too many different frequencies");
}

static uint16_t weight_of(const struct trie *t, long frequency)
{
    if (!frequency)
        return 0;
    const long *at =
        bsearch(&frequency, t->frequency + 1, t->n_weights - 1, sizeof frequency, by_frequency);
    return (uint16_t)(at - t->frequency);
}

static void make_trie(struct trie *t, const struct dictionary *d)
{
    make_weights(t, d);
    add_root(t, d);
    for (size_t i = 1; i < t->n; i++) {
        struct node x = t->node[i];
        t->first_child[i] = (uint32_t)t->n;
        t->weight_index[i] = 0;
        if (x.lo < x.hi && d->word[x.lo].n == x.depth)
            t->weight_index[i] = weight_of(t, d->word[x.lo++].frequency);
        add_children(t, d, x);
    }
    t->first_child[t->n] = (uint32_t)t->n;
}

static void put(struct buf *b, const struct model *m, const struct trie *t)
{
    struct jieba_header h = {
        JIEBA_MAGIC, JIEBA_VERSION, JIEBA_SYMBOLS, (uint32_t)t->n_weights, (uint32_t)t->n, 0};
    buf_add(b, &h, sizeof h);
    buf_add(b, m->start, sizeof m->start);
    buf_add(b, m->trans, sizeof m->trans);
    buf_add(b, m->emit, sizeof m->emit);
    buf_add(b, t->weight, t->n_weights * sizeof *t->weight);
    buf_add(b, t->first_child, (t->n + 1) * sizeof *t->first_child);
    buf_add(b, t->symbol, t->n * sizeof *t->symbol);
    buf_add(b, t->weight_index, t->n * sizeof *t->weight_index);
    h.size = b->n;
    memcpy(b->s, &h, sizeof h);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        die("usage: make_jieba FOLDER OUT");
    static struct model m;
    struct dictionary d = {0};
    struct trie t = {0};
    struct buf b;
    struct err e;
    read_dictionary(&d, argv[1]);
    read_model(&m, argv[1]);
    make_trie(&t, &d);
    buf_init(&b);
    put(&b, &m, &t);
    if (file_write(argv[2], text_buf(&b), &e))
        die("make_jieba: %s", e.msg);
    buf_release(&b);
    free(d.word);
    free(t.node);
    free(t.first_child);
    free(t.symbol);
    free(t.weight_index);
    free(t.weight);
    free(t.frequency);
    return 0;
}
