/* Which items the page shows with their answers: all of a small experiment; else of every cell
 * those that lost the most, first the first of each cell, then the second ones, until the page is
 * full. */
#include <math.h>
#include <stdlib.h>

#include "harness/base/mem.h"
#include "reports/page_int.h"

static double difference_of(const struct page *p, int table, int row, int task, int place)
{
    const struct scores_table *t = &p->scores.table[table];
    const int base = p->comparison[table].options.baseline;
    const double mine = t->row[row].cell[task].item[place].score;
    if (base < 0 || base == row)
        return mine;
    return mine - t->row[base].cell[task].item[place].score;
}

/* Those that failed first, then what was lost the most; ties by place. */
static double order_of(const struct page_item *i)
{
    return isnan(i->difference) ? -INFINITY : i->difference;
}

static int by_place(const struct page_item *a, const struct page_item *b)
{
    return a->place - b->place;
}

static int within_cell(const void *x, const void *y)
{
    const struct page_item *a = x, *b = y;
    const double p = order_of(a), q = order_of(b);
    return p < q ? -1 : p > q ? 1 : by_place(a, b);
}

static int by_cell(const struct page_item *a, const struct page_item *b)
{
    if (a->table != b->table)
        return a->table - b->table;
    return a->row != b->row ? a->row - b->row : a->task - b->task;
}

static int by_need(const void *x, const void *y)
{
    const struct page_item *a = x, *b = y;
    const double p = order_of(a), q = order_of(b);
    if (a->rank != b->rank)
        return a->rank - b->rank;
    if (p < q || p > q)
        return p < q ? -1 : 1;
    return by_cell(a, b) ? by_cell(a, b) : by_place(a, b);
}

static int on_page(const void *x, const void *y)
{
    const struct page_item *a = x, *b = y;
    return by_cell(a, b) ? by_cell(a, b) : a->rank - b->rank;
}

/* Items of a cell that were worked on, ranked, into `into`; returns how many are kept of them. */
static int rank_cell(struct page *p, int table, int row, int task, struct page_item *into)
{
    const struct scores_table *t = &p->scores.table[table];
    int n = 0;
    for (int i = 0; i < t->task[task].n_items; i++) {
        const int state = t->row[row].cell[task].item[i].state;
        if (state != SCORES_DONE && state != SCORES_FAILED)
            continue;
        into[n++] =
            (struct page_item){table, row, task, i, 0, difference_of(p, table, row, task, i)};
    }
    qsort(into, (size_t)n, sizeof *into, within_cell);
    for (int i = 0; i < n; i++)
        into[i].rank = i;
    p->of_items += n;
    return n < PAGE_CELL_ITEMS ? n : PAGE_CELL_ITEMS;
}

static size_t most_items(const struct scores *s)
{
    size_t n = 0;
    for (int i = 0; i < s->n_tables; i++)
        for (int k = 0; k < s->table[i].n_tasks; k++)
            n += (size_t)s->table[i].n_rows * (size_t)s->table[i].task[k].n_items;
    return n;
}

void page_choose_items(struct page *p)
{
    struct page_item *all = xcalloc(most_items(&p->scores) + 1, sizeof *all);
    int n = 0;
    for (int i = 0; i < p->scores.n_tables; i++)
        for (int r = 0; r < p->scores.table[i].n_rows; r++)
            for (int k = 0; k < p->scores.table[i].n_tasks; k++)
                n += rank_cell(p, i, r, k, all + n);
    qsort(all, (size_t)n, sizeof *all, by_need);
    n = n < PAGE_ITEMS ? n : PAGE_ITEMS;
    qsort(all, (size_t)n, sizeof *all, on_page);
    p->item = all;
    p->n_items = n;
}
