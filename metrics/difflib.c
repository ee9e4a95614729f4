#include "metrics/difflib.h"

#include <stdlib.h>

#include "harness/base/mem.h"
#include "metrics/difflib_int.h"

enum { AUTOJUNK_FROM = 200 }; // shorter b has no popular characters

/* More pairs of equal elements than this (some 100 MB of runs) are not listed at once. */
enum { LIST_PAIRS = 2 << 20 };

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
    m->run[0] = xcalloc(m->nb + 1, sizeof **m->run);
    m->run[1] = xcalloc(m->nb + 1, sizeof **m->run);
    free(all);
}

static void matcher_release(struct matcher *m)
{
    free(m->position);
    free(m->span);
    free(m->run[0]);
    free(m->run[1]);
}

/* First of the positions of s that is not below x. */
static size_t first_from(const struct matcher *m, struct span s, size_t x)
{
    while (s.first < s.end) {
        size_t mid = s.first + (s.end - s.first) / 2;
        if (m->position[mid] < x)
            s.first = mid + 1;
        else
            s.end = mid;
    }
    return s.first;
}

struct span difflib_clip(const struct matcher *m, size_t i, size_t blo, size_t bhi)
{
    struct span s = m->span[i];
    s.first = first_from(m, s, blo);
    s.end = first_from(m, s, bhi);
    return s;
}

size_t difflib_run(struct matcher *m, size_t j)
{
    const struct run *before = &m->run[(m->row - 1) & 1][j];
    size_t length = (before->row == m->row - 1 ? before->length : 0) + 1;
    m->run[m->row & 1][j + 1] = (struct run){m->row, length};
    return length;
}

struct block difflib_extend(const struct matcher *m, const struct range *r, struct block x)
{
    while (x.i > r->alo && x.j > r->blo && m->a[x.i - 1] == m->b[x.j - 1])
        x.i--, x.j--, x.size++;
    while (x.i + x.size < r->ahi && x.j + x.size < r->bhi &&
           m->a[x.i + x.size] == m->b[x.j + x.size])
        x.size++;
    return x;
}

/* The longest block that popular elements take no part in: the earliest in a, then in b. */
static struct block find_core(struct matcher *m, const struct range *r)
{
    struct block best = {r->alo, r->blo, 0};
    m->row++; // a gap, so that no run reaches over from another range
    for (size_t i = r->alo; i < r->ahi; i++) {
        struct span s = difflib_clip(m, i, r->blo, r->bhi);
        m->row++;
        for (size_t p = s.first; p < s.end; p++) {
            size_t j = m->position[p], k = difflib_run(m, j);
            if (k > best.size)
                best = (struct block){i + 1 - k, j + 1 - k, k};
        }
    }
    return best;
}

static size_t count_pairs(const struct matcher *m, const struct range *r)
{
    size_t n = 0;
    for (size_t i = r->alo; i < r->ahi; i++) {
        struct span s = difflib_clip(m, i, r->blo, r->bhi);
        n += s.end - s.first;
    }
    return n;
}

/* Ranges still to do. */
struct ranges {
    struct range *list;
    size_t n, room;
};

static void push(struct ranges *todo, struct range r)
{
    if (r.alo == r.ahi || r.blo == r.bhi)
        return;
    if (todo->n == todo->room) {
        todo->room = todo->room ? 2 * todo->room : 16;
        todo->list = xrealloc(todo->list, mem_size(todo->room, sizeof *todo->list));
    }
    todo->list[todo->n++] = r;
}

/* Elements in all matching blocks: as the official code does it while there are too many pairs to
 * list, then range by range. */
static size_t matching(struct matcher *m)
{
    struct ranges todo = {0};
    size_t total = 0;
    push(&todo, (struct range){0, m->na, 0, m->nb});
    while (todo.n) {
        struct range r = todo.list[--todo.n];
        if (count_pairs(m, &r) <= LIST_PAIRS) {
            total += difflib_matching(m, &r);
            continue;
        }
        struct block x = difflib_extend(m, &r, find_core(m, &r));
        total += x.size;
        push(&todo, (struct range){r.alo, x.i, r.blo, x.j});
        push(&todo, (struct range){x.i + x.size, r.ahi, x.j + x.size, r.bhi});
    }
    free(todo.list);
    return total;
}

double difflib_ratio(const uint32_t *a, size_t na, const uint32_t *b, size_t nb)
{
    if (na + nb == 0)
        return 1;
    struct matcher m = {.a = a, .b = b, .na = na, .nb = nb, .row = 1};
    matcher_init(&m);
    size_t total = matching(&m);
    matcher_release(&m);
    return 2.0 * (double)total / (double)(na + nb);
}
