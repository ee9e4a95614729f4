#include "metrics/rouge_l.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "harness/base/mem.h"
#include "metrics/words.h"

/* A text as sentences of word numbers; equal words of both texts have one number. */
struct sentences {
    struct words words;
    size_t *start; // [n + 1]: sentence s is word start[s] .. start[s + 1] - 1
    size_t n, cap;
    uint32_t *id; // [words.n]
};

static void begin_sentence(struct sentences *s)
{
    if (s->n + 1 >= s->cap) {
        s->cap = s->cap ? 2 * s->cap : 16;
        s->start = xrealloc(s->start, mem_size(s->cap, sizeof *s->start));
    }
    s->start[s->n++] = s->words.n;
}

/* The package splits at every "." and drops empty pieces; a piece of whitespace stays and is the
 * sentence of one empty word, because it joins by " " and splits by " " again. */
static void split_sentences(struct sentences *s, struct text t)
{
    for (size_t from = 0; from <= t.n;) {
        size_t end = text_find(t, text_of("."), from);
        if (end > from) {
            begin_sentence(s);
            words_split(&s->words, (struct text){t.s + from, end - from});
            if (s->words.n == s->start[s->n - 1])
                words_add(&s->words, text_of(""));
        }
        from = end + 1;
    }
    if (s->n)
        s->start[s->n] = s->words.n;
}

static void sentences_release(struct sentences *s)
{
    words_release(&s->words);
    free(s->start);
    free(s->id);
}

struct numbered {
    struct text word;
    uint32_t *id;
};

static int by_word(const void *a, const void *b)
{
    return words_compare(&((const struct numbered *)a)->word, &((const struct numbered *)b)->word);
}

static size_t list_words(struct sentences *s, struct numbered *out)
{
    s->id = xmalloc(mem_size(s->words.n + 1, sizeof *s->id));
    for (size_t i = 0; i < s->words.n; i++)
        out[i] = (struct numbered){s->words.word[i], &s->id[i]};
    return s->words.n;
}

/* Numbers the distinct words of both texts from 0; returns how many there are. */
static size_t number_words(struct sentences *a, struct sentences *b)
{
    struct numbered *all = xmalloc(mem_size(a->words.n + b->words.n + 1, sizeof *all));
    size_t n = list_words(a, all), distinct = 0;
    n += list_words(b, all + n);
    qsort(all, n, sizeof *all, by_word);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && !text_eq(all[i].word, all[i - 1].word))
            distinct++;
        *all[i].id = (uint32_t)distinct;
    }
    free(all);
    return n ? distinct + 1 : 0;
}

static size_t mark(bool *seen, const uint32_t *id, size_t n)
{
    size_t fresh = 0;
    for (size_t i = 0; i < n; i++) {
        fresh += !seen[id[i]];
        seen[id[i]] = true;
    }
    return fresh;
}

static size_t count_distinct(const struct sentences *s, size_t n_ids)
{
    bool *seen = xcalloc(n_ids, sizeof *seen);
    size_t n = mark(seen, s->id, s->words.n);
    free(seen);
    return n;
}

/* One sentence pair: reference x, prediction y, and T[i][j] = length of the longest common
 * subsequence of x[..i] and y[..j], kept as (nx + 1) rows of ny + 1. */
struct pair {
    const uint32_t *x, *y;
    size_t nx, ny;
    uint16_t *table; // grown, never shrunk: one table serves all pairs
    size_t room;
};

static void fill_table(struct pair *p)
{
    size_t width = p->ny + 1, cells = mem_size(p->nx + 1, width);
    if (cells > p->room) {
        p->table = xrealloc(p->table, mem_size(cells, sizeof *p->table));
        p->room = cells;
    }
    assert(p->table);
    for (size_t j = 0; j <= p->ny; j++)
        p->table[j] = 0;
    for (size_t i = 1; i <= p->nx; i++) {
        uint16_t *row = p->table + i * width;
        const uint16_t *above = row - width;
        row[0] = 0;
        for (size_t j = 1; j <= p->ny; j++) {
            uint16_t longer = above[j] > row[j - 1] ? above[j] : row[j - 1];
            row[j] = p->x[i - 1] == p->y[j - 1] ? (uint16_t)(above[j - 1] + 1) : longer;
        }
    }
}

/* The package's recursive walk from the end of the table, as a loop that counts the calls. Which
 * way it turns on a tie decides which words are found, and so the union. */
static int walk_back(const struct pair *p, size_t max_calls, bool *seen, size_t *found)
{
    size_t i = p->nx, j = p->ny, calls = 1, width = p->ny + 1;
    for (; i > 0 && j > 0; calls++) {
        if (calls == max_calls)
            return -1;
        if (p->x[i - 1] == p->y[j - 1]) {
            *found += mark(seen, &p->x[i - 1], 1);
            i--, j--;
        } else if (p->table[(i - 1) * width + j] > p->table[i * width + j - 1]) {
            i--;
        } else {
            j--;
        }
    }
    return 0;
}

/* Size of the union of all pairs' words in *found; -1 where the recursion limit is hit. */
static int union_lcs(const struct sentences *truth, const struct sentences *prediction,
                     size_t n_ids, size_t max_calls, size_t *found)
{
    bool *seen = xcalloc(n_ids, sizeof *seen);
    struct pair p = {0};
    int rc = 0;
    *found = 0;
    for (size_t r = 0; r < truth->n && !rc; r++) {
        for (size_t h = 0; h < prediction->n && !rc; h++) {
            p.x = truth->id + truth->start[r];
            p.nx = truth->start[r + 1] - truth->start[r];
            p.y = prediction->id + prediction->start[h];
            p.ny = prediction->start[h + 1] - prediction->start[h];
            /* Every call shortens at least one side: the shorter one alone may be too long, and
             * this keeps the table small and its entries within 16 bits. */
            if ((p.nx < p.ny ? p.nx : p.ny) >= max_calls) {
                rc = -1;
                break;
            }
            fill_table(&p);
            rc = walk_back(&p, max_calls, seen, found);
        }
    }
    free(p.table);
    free(seen);
    return rc;
}

double rouge_l_f(struct text prediction, struct text truth, size_t max_calls)
{
    struct sentences h = {0}, r = {0};
    size_t found;
    double f = 0;
    split_sentences(&h, prediction);
    split_sentences(&r, truth);
    if (h.n && r.n) {
        size_t n_ids = number_words(&h, &r);
        if (union_lcs(&r, &h, n_ids, max_calls, &found) == 0) {
            double recall = (double)found / (double)count_distinct(&r, n_ids);
            double precision = (double)found / (double)count_distinct(&h, n_ids);
            f = 2.0 * ((precision * recall) / (precision + recall + 1e-8));
        }
    }
    sentences_release(&h);
    sentences_release(&r);
    return f;
}
