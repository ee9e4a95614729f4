/*
 * All matching blocks of a range without looking for them one by one.
 *
 * The official code takes the longest block, then looks again left and right of it, which is
 * quadratic when there are many. Here the maximal runs of equal elements (diagonals of the table,
 * without the popular ones) are listed once and taken from the longest to the shortest. What is
 * left of the range is a chain of leaves: every taken block replaces its leaf by the part before
 * and the part after it. A run that leaves cut short is put back under the length that remains; no
 * run has parts in two leaves, for it would have reached over a block and been longer than it.
 * Within a length, runs go by (i, j): in each leaf, the first that is intact is the one the
 * official code finds.
 */
#include <stdbool.h>
#include <stdlib.h>

#include "harness/base/mem.h"
#include "metrics/difflib_int.h"

enum { WORD = 64, NONE = -1 };

struct candidate {
    struct block block;
    ptrdiff_t next; // of the same length
};

struct solver {
    struct matcher *m;
    struct range all;
    struct candidate *run;
    size_t n, room, listed; // of these, those that list_runs() put in
    ptrdiff_t *head;        // [longest + 1]: the last put in of a length
    size_t longest;
    struct range *leaf;  // [rows]: the leaf that begins in a row
    uint64_t *begins;    // [rows / 64 + 1]: rows in which one does
    struct block *order; // of the length in hand
    size_t order_room;
    size_t total;
};

static void put_run(struct solver *s, struct block x)
{
    if (s->n == s->room) {
        s->room = s->room ? 2 * s->room : 256;
        s->run = xrealloc(s->run, mem_size(s->room, sizeof *s->run));
    }
    s->run[s->n] = (struct candidate){x, s->head[x.size]};
    s->head[x.size] = (ptrdiff_t)s->n++;
}

/* Lists the runs, those of one length by (i, j). */
static void list_runs(struct solver *s)
{
    struct matcher *m = s->m;
    const struct range *r = &s->all;
    m->row++; // a gap, so that no run reaches over from another range
    for (size_t i = r->alo; i < r->ahi; i++) {
        struct span here = difflib_clip(m, i, r->blo, r->bhi);
        m->row++;
        for (size_t p = here.first; p < here.end; p++) {
            size_t j = m->position[p], k = difflib_run(m, j);
            bool goes_on = i + 1 < r->ahi && j + 1 < r->bhi && m->a[i + 1] == m->b[j + 1] &&
                           m->span[i + 1].first < m->span[i + 1].end;
            if (!goes_on)
                put_run(s, (struct block){i + 1 - k, j + 1 - k, k});
        }
    }
}

static void put_leaf(struct solver *s, struct range r)
{
    size_t at = r.alo - s->all.alo;
    if (r.alo == r.ahi || r.blo == r.bhi)
        return;
    s->leaf[at] = r;
    s->begins[at / WORD] |= (uint64_t)1 << at % WORD;
}

static void drop_leaf(struct solver *s, size_t alo)
{
    size_t at = alo - s->all.alo;
    s->begins[at / WORD] &= ~((uint64_t)1 << at % WORD);
}

/* Number of the highest or lowest set bit; there is one. */
static size_t highest(uint64_t bits)
{
    size_t n = 0;
    for (size_t half = WORD / 2; half; half /= 2)
        if (bits >> half)
            bits >>= half, n += half;
    return n;
}

static size_t lowest(uint64_t bits)
{
    return highest(bits & (~bits + 1));
}

/* The last leaf that begins in row `at` or before, the first that begins in it or after; NULL when
 * there is none. */
static struct range *leaf_before(const struct solver *s, size_t at)
{
    size_t w = at / WORD;
    uint64_t bits = s->begins[w] & (~(uint64_t)0 >> (WORD - 1 - at % WORD));
    while (!bits && w > 0)
        bits = s->begins[--w];
    if (!bits)
        return NULL;
    return &s->leaf[w * WORD + highest(bits)];
}

static struct range *leaf_after(const struct solver *s, size_t at)
{
    size_t n_words = (s->all.ahi - s->all.alo) / WORD + 1, w = at / WORD;
    if (w >= n_words)
        return NULL;
    uint64_t bits = s->begins[w] & (~(uint64_t)0 << at % WORD);
    while (!bits && ++w < n_words)
        bits = s->begins[w];
    if (!bits)
        return NULL;
    return &s->leaf[w * WORD + lowest(bits)];
}

/* The part of x that lies in r; size 0 when none does. */
static struct block cut_to(struct block x, const struct range *r)
{
    size_t skip = r->alo > x.i ? r->alo - x.i : 0, end = x.size;
    if (r->blo > x.j + skip)
        skip = r->blo - x.j;
    if (x.i + end > r->ahi)
        end = r->ahi > x.i ? r->ahi - x.i : 0;
    if (x.j + end > r->bhi)
        end = r->bhi > x.j ? r->bhi - x.j : 0;
    if (skip >= end)
        return (struct block){0};
    return (struct block){x.i + skip, x.j + skip, end - skip};
}

/* The leaf that holds a part of x, and that part; NULL when none does. */
static struct range *find_leaf(const struct solver *s, struct block x, struct block *part)
{
    size_t at = x.i - s->all.alo;
    struct range *r = leaf_before(s, at);
    if (!r)
        r = leaf_after(s, at);
    while (r && r->alo < x.i + x.size && r->blo < x.j + x.size) {
        *part = cut_to(x, r);
        if (part->size)
            return r;
        r = leaf_after(s, r->alo - s->all.alo + 1);
    }
    return NULL;
}

static void take(struct solver *s, struct range r, struct block x)
{
    x = difflib_extend(s->m, &r, x);
    s->total += x.size;
    drop_leaf(s, r.alo);
    put_leaf(s, (struct range){r.alo, x.i, r.blo, x.j});
    put_leaf(s, (struct range){x.i + x.size, r.ahi, x.j + x.size, r.bhi});
}

static int by_place(const void *a, const void *b)
{
    const struct block *x = a, *y = b;
    if (x->i != y->i)
        return x->i < y->i ? -1 : 1;
    return (x->j > y->j) - (x->j < y->j);
}

/* The runs of a length: those that were listed, in order, and behind them those that were put back,
 * which are sorted. Returns where the second part begins, how many there are in *n. */
static size_t gather(struct solver *s, size_t length, size_t *n)
{
    size_t put_back = 0, at;
    *n = 0;
    for (ptrdiff_t k = s->head[length]; k != NONE; k = s->run[k].next) {
        put_back += (size_t)k >= s->listed;
        ++*n;
    }
    if (*n > s->order_room) {
        s->order_room = *n;
        free(s->order);
        s->order = xmalloc(mem_size(*n, sizeof *s->order));
    }
    at = *n;
    for (ptrdiff_t k = s->head[length]; k != NONE; k = s->run[k].next)
        s->order[--at] = s->run[k].block;
    if (put_back > 1)
        qsort(s->order + *n - put_back, put_back, sizeof *s->order, by_place);
    return *n - put_back;
}

static void take_length(struct solver *s, size_t length)
{
    size_t n, middle = gather(s, length, &n), i = 0, k = middle;
    while (i < middle || k < n) {
        bool first = k == n || (i < middle && by_place(&s->order[i], &s->order[k]) < 0);
        struct block x = s->order[first ? i++ : k++], part;
        const struct range *r = find_leaf(s, x, &part);
        if (r && part.size == length)
            take(s, *r, part);
        else if (r)
            put_run(s, part);
    }
}

/* Leaves without runs: the official code then extends the empty block at their start, over popular
 * elements. */
static void extend_starts(struct solver *s)
{
    struct range *r = leaf_after(s, 0);
    for (; r; r = leaf_after(s, r->alo - s->all.alo + 1))
        s->total += difflib_extend(s->m, r, (struct block){r->alo, r->blo, 0}).size;
}

size_t difflib_matching(struct matcher *m, const struct range *r)
{
    size_t rows = r->ahi - r->alo, columns = r->bhi - r->blo;
    struct solver s = {.m = m, .all = *r, .longest = rows < columns ? rows : columns};
    s.head = xmalloc(mem_size(s.longest + 1, sizeof *s.head));
    for (size_t k = 0; k <= s.longest; k++)
        s.head[k] = NONE;
    s.leaf = xmalloc(mem_size(rows + 1, sizeof *s.leaf));
    s.begins = xcalloc(rows / WORD + 1, sizeof *s.begins);
    list_runs(&s);
    s.listed = s.n;
    put_leaf(&s, *r);
    for (size_t k = s.longest; k > 0; k--)
        if (s.head[k] != NONE)
            take_length(&s, k);
    extend_starts(&s);
    free(s.run);
    free(s.head);
    free(s.leaf);
    free(s.begins);
    free(s.order);
    return s.total;
}
