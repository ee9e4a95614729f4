#include "reports/comparison.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "reports/stats_boot.h"
#include "reports/stats_p.h"

struct comparison_options comparison_defaults(const struct scores_table *t)
{
    return (struct comparison_options){1, 1000, 0.95, scores_reference(t), NULL};
}

bool comparison_is_shown(const struct comparison_difference *d)
{
    return stats_interval_excludes_0(d->interval);
}

/* ---- what is resampled ---- */

/* A quantity of every row: its score, or its difference to the baseline. */
struct quantity {
    int *n;                           // [n_rows]: numbers of a task, without gaps
    double *x;                        // [n_rows][items]
    double *resample;                 // [n_rows][resamples]: their means
    double *sum[COMPARISON_AVERAGES]; // [n_rows][resamples]: over the tasks, weighted
};

struct work {
    struct comparison *c;
    const struct scores_table *t;
    size_t items;                        // of the longest task
    double *weight[COMPARISON_AVERAGES]; // [n_tasks]
    struct quantity score, difference;
    double *gaps; // [2][items]: scores of a row and of the baseline, NaN where there is none
    struct stats_boot_column *column;
};

static double *x_of(const struct work *w, const struct quantity *q, int row)
{
    return q->x + (size_t)row * w->items;
}

static double *resample_of(const struct work *w, double *all, int row)
{
    return all + (size_t)row * (size_t)w->c->options.resamples;
}

static void quantity_init(struct quantity *q, const struct work *w)
{
    size_t rows = (size_t)w->c->n_rows, resamples = (size_t)w->c->options.resamples;
    q->n = xcalloc(rows + 1, sizeof *q->n);
    q->x = xcalloc(rows * w->items + 1, sizeof *q->x);
    q->resample = xcalloc(rows * resamples + 1, sizeof *q->resample);
    for (int a = 0; a < COMPARISON_AVERAGES; a++)
        q->sum[a] = xcalloc(rows * resamples + 1, sizeof *q->sum[a]);
}

static void quantity_release(struct quantity *q)
{
    for (int a = 0; a < COMPARISON_AVERAGES; a++)
        free(q->sum[a]);
    free(q->resample);
    free(q->x);
    free(q->n);
}

/* Tasks of task k's category. */
static int category_size(const struct scores_table *t, int k)
{
    int n = 0;
    for (int i = 0; i < t->n_tasks; i++)
        n += !strcmp(t->task[i].category, t->task[k].category);
    return n;
}

static int count_categories(const struct scores_table *t)
{
    int n = 0;
    for (int k = 0; k < t->n_tasks; k++)
        n += !k || strcmp(t->task[k].category, t->task[k - 1].category);
    return n;
}

static void work_init(struct work *w)
{
    size_t rows = (size_t)w->c->n_rows, tasks = (size_t)w->t->n_tasks;
    for (int a = 0; a < COMPARISON_AVERAGES; a++)
        w->weight[a] = xcalloc(tasks + 1, sizeof *w->weight[a]);
    for (int k = 0; k < w->t->n_tasks; k++) {
        w->weight[COMPARISON_TASKS][k] = 1.0 / w->t->n_tasks;
        w->weight[COMPARISON_CATEGORIES][k] = 1.0 / w->c->n_categories / category_size(w->t, k);
        if ((size_t)w->t->task[k].n_items > w->items)
            w->items = (size_t)w->t->task[k].n_items;
    }
    quantity_init(&w->score, w);
    quantity_init(&w->difference, w);
    w->gaps = xcalloc(2 * w->items + 1, sizeof *w->gaps);
    w->column = xcalloc(2 * rows + 1, sizeof *w->column);
}

static void work_release(struct work *w)
{
    for (int a = 0; a < COMPARISON_AVERAGES; a++)
        free(w->weight[a]);
    quantity_release(&w->score);
    quantity_release(&w->difference);
    free(w->gaps);
    free(w->column);
}

/* ---- a task ---- */

static void score_row(struct work *w, int row, int task)
{
    const struct scores_cell *from = &w->t->row[row].cell[task];
    struct comparison_mean *m = &w->c->row[row].cell[task].score;
    double *x = x_of(w, &w->score, row);
    int n = 0, places = w->t->task[task].n_items;
    for (int i = 0; i < places; i++)
        if (!isnan(from->item[i].score))
            x[n++] = from->item[i].score;
    struct stats_mean s = stats_mean(x, n);
    w->score.n[row] = n;
    *m = (struct comparison_mean){n, places - n, s.mean, s.stderr_, {NAN, NAN}};
}

static const struct comparison_difference no_difference = {
    .paired = {.difference = NAN, .stderr_ = NAN, .p = NAN},
    .interval = {NAN, NAN},
    .adjusted = NAN,
};

static int asked_for(const struct scores_item *a, const struct scores_item *b, int places)
{
    int n = 0;
    for (int i = 0; i < places; i++)
        n += a[i].state != SCORES_ABSENT || b[i].state != SCORES_ABSENT;
    return n;
}

static void difference_row(struct work *w, int row, int task)
{
    int places = w->t->task[task].n_items, n = 0;
    const struct scores_item *a = w->t->row[row].cell[task].item;
    const struct scores_item *b = w->t->row[w->c->row[row].baseline].cell[task].item;
    struct comparison_difference *d = &w->c->row[row].cell[task].difference;
    double *mine = w->gaps, *other = w->gaps + w->items, *x = x_of(w, &w->difference, row);
    for (int i = 0; i < places; i++) {
        mine[i] = a[i].score;
        other[i] = b[i].score;
        if (!isnan(mine[i]) && !isnan(other[i]))
            x[n++] = mine[i] - other[i];
    }
    *d = no_difference;
    d->paired = stats_paired(mine, other, places);
    d->missing = asked_for(a, b, places) - n;
    w->difference.n[row] = n;
}

/* Whether a row and the baseline have scores for the same items: then their resamples are the same,
 * too, and those of the difference are their difference. */
static bool same_items(const struct work *w, int row)
{
    int n = w->difference.n[row];
    return w->score.n[row] == n && w->score.n[w->c->row[row].baseline] == n;
}

static int add_column(struct work *w, const struct quantity *q, int row, int n)
{
    w->column[n] =
        (struct stats_boot_column){x_of(w, q, row), q->n[row], resample_of(w, q->resample, row)};
    return n + 1;
}

/* Whether the table compares this row with a baseline. */
static bool is_compared(const struct work *w, int row)
{
    int baseline = w->c->row[row].baseline;
    return baseline >= 0 && row != baseline;
}

static void subtract(struct work *w, int row)
{
    const double *mine = resample_of(w, w->score.resample, row);
    const double *other = resample_of(w, w->score.resample, w->c->row[row].baseline);
    double *to = resample_of(w, w->difference.resample, row);
    for (int b = 0; b < w->c->options.resamples; b++)
        to[b] = mine[b] - other[b];
}

static void resample_task(struct work *w, int task)
{
    const struct comparison_options *o = &w->c->options;
    int n = 0;
    for (int row = 0; row < w->c->n_rows; row++) {
        n = add_column(w, &w->score, row, n);
        if (is_compared(w, row) && !same_items(w, row))
            n = add_column(w, &w->difference, row, n);
    }
    stats_boot_means(o->seed, task, o->resamples, w->column, n);
    for (int row = 0; row < w->c->n_rows; row++)
        if (is_compared(w, row) && same_items(w, row))
            subtract(w, row);
}

static void add_to_sums(struct work *w, struct quantity *q, int row, int task)
{
    const double *from = resample_of(w, q->resample, row);
    for (int a = 0; a < COMPARISON_AVERAGES; a++) {
        double weight = w->weight[a][task], *sum = resample_of(w, q->sum[a], row);
        for (int b = 0; b < w->c->options.resamples; b++)
            sum[b] += weight * from[b];
    }
}

/* x: [resamples] of n items, reordered. */
static struct stats_interval interval_of(const struct work *w, double *x, int n)
{
    if (n < 2)
        return (struct stats_interval){NAN, NAN};
    return stats_interval(x, w->c->options.resamples, w->c->options.level);
}

static void find_task(struct work *w, int task)
{
    for (int row = 0; row < w->c->n_rows; row++)
        score_row(w, row, task);
    for (int row = 0; row < w->c->n_rows; row++)
        if (is_compared(w, row))
            difference_row(w, row, task);
        else
            w->c->row[row].cell[task].difference = no_difference;
    resample_task(w, task);
    for (int row = 0; row < w->c->n_rows; row++) {
        struct comparison_cell *c = &w->c->row[row].cell[task];
        add_to_sums(w, &w->score, row, task);
        c->score.interval = interval_of(w, resample_of(w, w->score.resample, row), c->score.n);
        if (!is_compared(w, row))
            continue;
        add_to_sums(w, &w->difference, row, task);
        c->difference.interval =
            interval_of(w, resample_of(w, w->difference.resample, row), c->difference.paired.pairs);
    }
}

/* ---- averages over the tasks ---- */

static void average_score(struct work *w, int row, int a, struct stats_part *part)
{
    struct comparison_mean *m = &w->c->row[row].average[a].score;
    int fewest = 2;
    *m = (struct comparison_mean){.n = 0};
    for (int k = 0; k < w->c->n_tasks; k++) {
        const struct comparison_mean *from = &w->c->row[row].cell[k].score;
        part[k] = (struct stats_part){w->weight[a][k], from->n, from->mean, from->stderr_};
        m->n += from->n;
        m->missing += from->missing;
        fewest = from->n < fewest ? from->n : fewest;
    }
    struct stats_over over = stats_over(part, w->c->n_tasks);
    m->mean = over.mean;
    m->stderr_ = over.stderr_;
    m->interval = interval_of(w, resample_of(w, w->score.sum[a], row), fewest);
}

/* Fewest pairs of a task, at most 2. */
static int add_pairs(const struct work *w, int row, int a, struct comparison_difference *d,
                     struct stats_part *part)
{
    int fewest = 2;
    for (int k = 0; k < w->c->n_tasks; k++) {
        const struct comparison_difference *from = &w->c->row[row].cell[k].difference;
        const struct stats_paired *p = &from->paired;
        part[k] = (struct stats_part){w->weight[a][k], p->pairs, p->difference, p->stderr_};
        d->missing += from->missing;
        d->paired.pairs += p->pairs;
        d->paired.won += p->won;
        d->paired.lost += p->lost;
        d->paired.tied += p->tied;
        fewest = p->pairs < fewest ? p->pairs : fewest;
    }
    return fewest;
}

static void average_difference(struct work *w, int row, int a, struct stats_part *part)
{
    struct comparison_difference *d = &w->c->row[row].average[a].difference;
    *d = no_difference;
    if (!is_compared(w, row))
        return;
    int fewest = add_pairs(w, row, a, d, part);
    struct stats_over over = stats_over(part, w->c->n_tasks);
    d->paired.difference = over.mean;
    d->paired.stderr_ = over.stderr_;
    d->interval = interval_of(w, resample_of(w, w->difference.sum[a], row), fewest);
    if (w->c->n_tasks == 1)
        d->paired = w->c->row[row].cell[0].difference.paired;
    else
        stats_over_test(&d->paired, over.degrees);
}

static void find_averages(struct work *w)
{
    struct stats_part *part = xcalloc((size_t)w->c->n_tasks + 1, sizeof *part);
    for (int row = 0; row < w->c->n_rows; row++)
        for (int a = 0; a < COMPARISON_AVERAGES; a++) {
            average_score(w, row, a, part);
            average_difference(w, row, a, part);
        }
    free(part);
}

/* ---- many comparisons ---- */

/* Those of cell [n], or of one average where it is COMPARISON_AVERAGES. */
static struct comparison_difference *family_member(struct comparison *c, int average, int i)
{
    if (average < COMPARISON_AVERAGES)
        return &c->row[i].average[average].difference;
    return &c->row[i / c->n_tasks].cell[i % c->n_tasks].difference;
}

static void adjust(struct comparison *c, int average)
{
    int n = average < COMPARISON_AVERAGES ? c->n_rows : c->n_rows * c->n_tasks;
    double *p = xcalloc((size_t)n + 1, sizeof *p);
    for (int i = 0; i < n; i++)
        p[i] = family_member(c, average, i)->paired.p;
    stats_adjust(p, n, p);
    for (int i = 0; i < n; i++)
        family_member(c, average, i)->adjusted = p[i];
    free(p);
}

void comparison_init(struct comparison *c, const struct scores_table *t,
                     const struct comparison_options *o)
{
    struct work w = {.c = c, .t = t};
    *c = (struct comparison){.options = o ? *o : comparison_defaults(t),
                             .n_rows = t->n_rows,
                             .n_tasks = t->n_tasks,
                             .n_categories = count_categories(t)};
    c->row = xcalloc((size_t)t->n_rows + 1, sizeof *c->row);
    for (int i = 0; i < t->n_rows; i++) {
        c->row[i].baseline = c->options.own ? c->options.own[i] : c->options.baseline;
        c->row[i].cell = xcalloc((size_t)t->n_tasks + 1, sizeof *c->row[i].cell);
    }
    c->options.own = NULL;
    work_init(&w);
    for (int k = 0; k < t->n_tasks; k++)
        find_task(&w, k);
    find_averages(&w);
    for (int a = 0; a <= COMPARISON_AVERAGES; a++)
        adjust(c, a);
    work_release(&w);
}

void comparison_release(struct comparison *c)
{
    for (int i = 0; i < c->n_rows && !c->borrowed; i++)
        free(c->row[i].cell);
    if (!c->borrowed)
        free(c->row);
    *c = (struct comparison){0};
}
