#include "metrics/rouge_l.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "metrics/lcs.h"
#include "metrics/words.h"

enum { ROWS_BYTES = 8 << 20 }; // of a group of sentences, where it has more than one

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

/* The tables of one reference sentence against a group of sentences of the prediction. */
struct tables {
    struct lcs_index index; // of the group, a gap after every sentence
    uint64_t *row;          // [nx + 1][index.words]
    const uint32_t *x;
    size_t nx;
};

/* What the walks have found, over all pairs. */
struct found {
    bool *seen;
    size_t n, most; // distinct words; that both texts have
    size_t max_calls;
};

static size_t length_of(const struct sentences *s, size_t i)
{
    return s->start[i + 1] - s->start[i];
}

static size_t longest(const struct sentences *s)
{
    size_t most = 0;
    for (size_t i = 0; i < s->n; i++)
        most = length_of(s, i) > most ? length_of(s, i) : most;
    return most;
}

static bool is_set(const uint64_t *row, size_t bit)
{
    return row[bit / 64] >> bit % 64 & 1;
}

/* Whether the pair has any word in common: a clear bit among n in the last row. */
static bool any_clear(const uint64_t *row, size_t bit, size_t n)
{
    for (size_t end = bit + n; bit < end;) {
        size_t step = 64 - bit % 64 < end - bit ? 64 - bit % 64 : end - bit;
        uint64_t mask = (step == 64 ? ~(uint64_t)0 : ((uint64_t)1 << step) - 1) << bit % 64;
        if (~row[bit / 64] & mask)
            return true;
        bit += step;
    }
    return false;
}

/* The package's recursive walk from the end of the table, as a loop that counts the calls. Which
 * way it turns on a tie decides which words are found, and so the union. y begins at bit `base`. */
static int walk_back(const struct tables *t, const uint32_t *y, size_t ny, size_t base,
                     struct found *f)
{
    size_t i = t->nx, j = ny, calls = 1;
    const uint64_t *row = t->row + i * t->index.words;
    if (!any_clear(row, base, ny))
        return ny >= f->max_calls ? -1 : 0; // straight to the left
    for (; i > 0 && j > 0; calls++) {
        if (calls == f->max_calls)
            return -1;
        if (t->x[i - 1] == y[j - 1]) {
            f->n += mark(f->seen, &t->x[i - 1], 1);
            j--;
        } else if (is_set(row, base + j - 1)) {
            j--;
            continue;
        }
        i--;
        row -= t->index.words;
    }
    return 0;
}

static void fill_rows(struct tables *t)
{
    size_t words = t->index.words;
    memcpy(t->row, t->index.live, words * sizeof *t->row);
    for (size_t i = 0; i < t->nx; i++)
        lcs_next_row(&t->index, t->x[i], t->row + i * words, t->row + (i + 1) * words);
}

/* A reference sentence against sentences first .. end - 1 of the prediction. Where all words that
 * can be found are, only the pairs matter that may pass the limit, for a walk has at most nx + ny
 * calls. */
static int walk_group(struct tables *t, const struct sentences *p, size_t first, size_t end,
                      size_t longest_y, struct found *f)
{
    bool filled = false;
    if (f->n == f->most && t->nx + longest_y <= f->max_calls)
        return 0;
    for (size_t h = first; h < end; h++) {
        size_t base = p->start[h] - p->start[first] + (h - first), ny = length_of(p, h);
        if (f->n == f->most && t->nx + ny <= f->max_calls)
            continue;
        if (!filled)
            fill_rows(t);
        filled = true;
        if (walk_back(t, p->id + p->start[h], ny, base, f))
            return -1;
    }
    return 0;
}

/* Sentences first .. end - 1 one after the other, a gap behind each. */
static void index_group(struct lcs_index *ix, const struct sentences *p, size_t first, size_t end,
                        size_t n_ids)
{
    size_t n = p->start[end] - p->start[first] + (end - first), at = 0;
    uint32_t *y = xmalloc(mem_size(n + 1, sizeof *y));
    for (size_t h = first; h < end; h++) {
        for (size_t j = p->start[h]; j < p->start[h + 1]; j++)
            y[at++] = p->id[j];
        y[at++] = LCS_GAP;
    }
    lcs_index_init(ix, y, n, n_ids);
    free(y);
}

/* End of the group that begins with a sentence: as many as keep the rows small, at least one. */
static size_t group_end(const struct sentences *p, size_t first, size_t longest_x)
{
    size_t room = ROWS_BYTES / sizeof(uint64_t) / (longest_x + 1) * 64, end = first + 1;
    while (end < p->n && p->start[end + 1] - p->start[first] + (end + 1 - first) < room)
        end++;
    return end;
}

static int walk_all(const struct sentences *truth, const struct sentences *prediction, size_t n_ids,
                    struct found *f)
{
    size_t longest_x = longest(truth), longest_y = longest(prediction);
    /* Every call shortens at least one side: the shorter one alone may be too long. After this, one
     * side of every table is short, and its rows are of a size that follows from the other. */
    if (longest_x >= f->max_calls && longest_y >= f->max_calls)
        return -1;
    int rc = 0;
    for (size_t first = 0, end; first < prediction->n && !rc; first = end) {
        struct tables t;
        end = group_end(prediction, first, longest_x);
        index_group(&t.index, prediction, first, end, n_ids);
        t.row = xmalloc(mem_size(mem_size(longest_x + 1, t.index.words), sizeof *t.row));
        for (size_t r = 0; r < truth->n && !rc; r++) {
            t.x = truth->id + truth->start[r];
            t.nx = length_of(truth, r);
            rc = walk_group(&t, prediction, first, end, longest_y, f);
        }
        free(t.row);
        lcs_index_release(&t.index);
    }
    return rc;
}

/* Words of b that a does not have. */
static size_t count_fresh(const struct sentences *a, const struct sentences *b, size_t n_ids)
{
    bool *seen = xcalloc(n_ids, sizeof *seen);
    mark(seen, a->id, a->words.n);
    size_t n = mark(seen, b->id, b->words.n);
    free(seen);
    return n;
}

/* Size of the union of all pairs' words in *found; -1 where the recursion limit is hit. */
static int union_lcs(const struct sentences *truth, const struct sentences *prediction,
                     size_t n_ids, size_t max_calls, size_t *found)
{
    struct found f = {.max_calls = max_calls};
    f.most = count_distinct(prediction, n_ids) - count_fresh(truth, prediction, n_ids);
    f.seen = xcalloc(n_ids, sizeof *f.seen);
    int rc = walk_all(truth, prediction, n_ids, &f);
    *found = f.n;
    free(f.seen);
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
