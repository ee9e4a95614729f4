/* Which items the page shows with their answers: all of a small experiment; else of every cell
 * those that failed, that have no score, that lost the most; first the first of each cell, then the
 * second ones, until the page is full. */
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

static enum page_need need_of(const struct scores_item *m, double difference)
{
    if (m->state == SCORES_FAILED)
        return PAGE_FAILED;
    if (isnan(m->score))
        return PAGE_UNSCORED;
    return isnan(difference) ? PAGE_ALONE : PAGE_PAIRED;
}

/* Below 0: a before b. By need, then what was lost the most; 0 where nothing tells them apart. */
static int compare_loss(const struct page_item *a, const struct page_item *b)
{
    if (a->need != b->need)
        return a->need < b->need ? -1 : 1;
    return (a->difference > b->difference) - (a->difference < b->difference);
}

static int by_place(const struct page_item *a, const struct page_item *b)
{
    return a->place - b->place;
}

static int within_cell(const void *x, const void *y)
{
    const struct page_item *a = x, *b = y;
    const int loss = compare_loss(a, b);
    return loss ? loss : by_place(a, b);
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
    const int loss = compare_loss(a, b);
    if (a->rank != b->rank)
        return a->rank - b->rank;
    if (loss)
        return loss;
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
        const struct scores_item *m = &t->row[row].cell[task].item[i];
        const double difference = difference_of(p, table, row, task, i);
        if (m->state != SCORES_DONE && m->state != SCORES_FAILED)
            continue;
        into[n++] = (struct page_item){table, row, task, i, 0, difference, need_of(m, difference)};
    }
    qsort(into, (size_t)n, sizeof *into, within_cell);
    for (int i = 0; i < n; i++)
        into[i].rank = i;
    p->of_items += n;
    const int most = p->request->items < 0 ? PAGE_CELL_ITEMS : p->request->items;
    return n < most ? n : most;
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
    const int most = p->request->items < 0 ? PAGE_ITEMS : p->request->items;
    n = n < most ? n : most;
    qsort(all, (size_t)n, sizeof *all, on_page);
    p->item = all;
    p->n_items = n;
}
