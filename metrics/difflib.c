#include "metrics/difflib.h"

#include <stdlib.h>

#include "harness/base/mem.h"

enum { AUTOJUNK_FROM = 200 }; // shorter b has no popular characters

/* Where an element of a occurs in b: positions first .. end - 1 of the index, ascending. */
struct span {
    size_t first, end;
};

/* Length of the run of equal elements that ends here, valid in one row of a only. */
struct run {
    size_t row, length;
};

struct range {
    size_t alo, ahi, blo, bhi;
};

struct matcher {
    const uint32_t *a, *b;
    size_t na, nb;
    size_t *position;  // [nb]: positions in b, grouped by element
    struct span *span; // [na]: the group of each element of a, empty where popular or absent
    struct run *run;   // [nb + 1]: of the run that ends at b[j] in [j + 1]
    size_t row;        // number of the row in hand, never used twice
    struct range *todo;
    size_t n_todo, room;
};

struct entry {
    uint32_t c;
    size_t position;
};

static int by_element(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->c != y->c)
        return x->c < y->c ? -1 : 1;
    return x->position < y->position ? -1 : 1;
}

static size_t lower_bound(const struct entry *all, size_t n, uint32_t c)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (all[mid].c < c)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void matcher_init(struct matcher *m)
{
    size_t popular = m->nb >= AUTOJUNK_FROM ? m->nb / 100 + 1 : m->nb;
    struct entry *all = xmalloc(mem_size(m->nb, sizeof *all));
    for (size_t j = 0; j < m->nb; j++)
        all[j] = (struct entry){m->b[j], j};
    qsort(all, m->nb, sizeof *all, by_element);
    m->position = xmalloc(mem_size(m->nb, sizeof *m->position));
    for (size_t j = 0; j < m->nb; j++)
        m->position[j] = all[j].position;
    m->span = xmalloc(mem_size(m->na, sizeof *m->span));
    for (size_t i = 0; i < m->na; i++) {
        struct span s = {lower_bound(all, m->nb, m->a[i]), lower_bound(all, m->nb, m->a[i] + 1)};
        if (s.end - s.first > popular)
            s.end = s.first;
        m->span[i] = s;
    }
    m->run = xcalloc(m->nb + 1, sizeof *m->run);
    free(all);
}

static void matcher_release(struct matcher *m)
{
    free(m->position);
    free(m->span);
    free(m->run);
    free(m->todo);
}

/* The part of a span that lies in blo .. bhi - 1. */
static struct span clip(const struct matcher *m, struct span s, size_t blo, size_t bhi)
{
    size_t lo = s.first, hi = s.end;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (m->position[mid] < blo)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (s.first = lo; lo < s.end && m->position[lo] < bhi;)
        lo++;
    s.end = lo;
    return s;
}

struct block {
    size_t i, j, size; // a[i ..] equals b[j ..] over size elements
};

/* The longest block that popular elements take no part in: the earliest in a, then in b. */
static struct block find_core(struct matcher *m, const struct range *r)
{
    struct block best = {r->alo, r->blo, 0};
    m->row++; // a gap, so that no run reaches over from another range
    for (size_t i = r->alo; i < r->ahi; i++) {
        size_t row = ++m->row, best_before = best.size;
        struct span s = clip(m, m->span[i], r->blo, r->bhi);
        /* Downwards, so that run[j] is still that of the row before when run[j + 1] is written.
         * >= within a row then leaves the leftmost of its longest. */
        for (size_t p = s.end; p-- > s.first;) {
            size_t j = m->position[p];
            size_t k = (m->run[j].row == row - 1 ? m->run[j].length : 0) + 1;
            m->run[j + 1] = (struct run){row, k};
            if (k > best_before && k >= best.size)
                best = (struct block){i + 1 - k, j + 1 - k, k};
        }
    }
    return best;
}

static struct block find_longest(struct matcher *m, const struct range *r)
{
    struct block x = find_core(m, r);
    while (x.i > r->alo && x.j > r->blo && m->a[x.i - 1] == m->b[x.j - 1])
        x.i--, x.j--, x.size++;
    while (x.i + x.size < r->ahi && x.j + x.size < r->bhi &&
           m->a[x.i + x.size] == m->b[x.j + x.size])
        x.size++;
    return x;
}

static void push(struct matcher *m, struct range r)
{
    if (r.alo == r.ahi || r.blo == r.bhi)
        return;
    if (m->n_todo == m->room) {
        m->room = m->room ? 2 * m->room : 16;
        m->todo = xrealloc(m->todo, mem_size(m->room, sizeof *m->todo));
    }
    m->todo[m->n_todo++] = r;
}

/* Elements in all matching blocks. */
static size_t matching(struct matcher *m)
{
    size_t total = 0;
    push(m, (struct range){0, m->na, 0, m->nb});
    while (m->n_todo) {
        struct range r = m->todo[--m->n_todo];
        struct block x = find_longest(m, &r);
        if (!x.size)
            continue;
        total += x.size;
        push(m, (struct range){r.alo, x.i, r.blo, x.j});
        push(m, (struct range){x.i + x.size, r.ahi, x.j + x.size, r.bhi});
    }
    return total;
}

double difflib_ratio(const uint32_t *a, size_t na, const uint32_t *b, size_t nb)
{
    if (na + nb == 0)
        return 1;
    struct matcher m = {.a = a, .b = b, .na = na, .nb = nb};
    matcher_init(&m);
    size_t total = matching(&m);
    matcher_release(&m);
    return 2.0 * (double)total / (double)(na + nb);
}
