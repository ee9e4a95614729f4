#include "reports/compared.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "reports/difference.h"

/* Fewer pairs than these make bootstrap intervals too narrow, and say so. */
enum { PAIRS_FEW = 20 };

struct comparison_options compared_options(const struct report_request *r, int baseline)
{
    return (struct comparison_options){r->seed, r->resamples, r->level / 100, baseline, NULL};
}

/* Of the name, or of it and the name of a protocol. */
static bool is_called(const char *name, const char *wanted)
{
    size_t n = strlen(wanted);
    return !strncmp(name, wanted, n) && (!name[n] || !strncmp(name + n, " (", 2));
}

/* The shortest: "kvo (4 bit) (chat=none)" begins as "kvo (chat=none)" does. */
int compared_baseline(const struct scores_table *t, const struct report_request *r, int row)
{
    const struct scores_row *mine = &t->row[row];
    int found = -1;
    for (int i = 0; i < t->n_rows; i++) {
        const struct scores_row *other = &t->row[i];
        if (other->model == mine->model && other->protocol == mine->protocol &&
            (r->baseline ? is_called(other->name, r->baseline) : scores_row_is_reference(other)) &&
            (found < 0 || (r->baseline && strlen(other->name) < strlen(t->row[found].name))))
            found = i;
    }
    return found;
}

const struct comparison_cell *compared_at(const struct comparison *c, int row, int column)
{
    const struct comparison_row *r = &c->row[row];
    if (column >= 0)
        return &r->cell[column];
    return &r->average[column == COMPARED_TASKS ? COMPARISON_TASKS : COMPARISON_CATEGORIES];
}

void compared_put_average(const struct comparison *c, int column, struct buf *out)
{
    bool tasks = column == COMPARED_TASKS;
    int n = tasks ? c->n_tasks : c->n_categories;
    buf_printf(out, "mean of %d %s", n,
               tasks ? (n == 1 ? "task" : "tasks") : (n == 1 ? "category" : "categories"));
}

bool compared_has_categories(const struct comparison *c)
{
    return c->n_categories > 1 && c->n_categories < c->n_tasks;
}

/* ---- tidy data ---- */

void compared_columns(struct grid *g)
{
    static const char *const words[] = {"task", "category"};
    static const char *const numbers[] = {"n",
                                          "missing",
                                          "score",
                                          "stderr",
                                          "low",
                                          "high",
                                          "pairs",
                                          "difference",
                                          "difference_stderr",
                                          "difference_low",
                                          "difference_high",
                                          "p"};
    static const char *const last[] = {"p_adjusted", "won", "lost", "tied"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        grid_column(g, "", words[i], GRID_LEFT);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        grid_column(g, "", numbers[i], GRID_RIGHT);
    grid_column(g, "", "test", GRID_LEFT);
    for (size_t i = 0; i < sizeof last / sizeof *last; i++)
        grid_column(g, "", last[i], GRID_RIGHT);
}

static void put_place(struct grid *g, const struct scores_table *t, const struct comparison *c,
                      int column)
{
    struct buf b;
    buf_init(&b);
    if (column >= 0)
        buf_str(&b, t->task[column].name);
    else
        compared_put_average(c, column, &b);
    grid_cell(g, text_buf(&b));
    grid_cell(g, text_of(column >= 0 ? t->task[column].category : ""));
    buf_release(&b);
}

static void put_difference(struct grid *g, const struct comparison_difference *d)
{
    const struct stats_paired *p = &d->paired;
    bool any = p->pairs > 0;
    const double number[] = {p->difference, p->stderr_, d->interval.lo, d->interval.hi, p->p};
    const double count[] = {p->won, p->lost, p->tied};
    grid_number(g, any ? p->pairs : NAN, 0);
    for (size_t i = 0; i < sizeof number / sizeof *number; i++)
        grid_number(g, number[i], 4);
    grid_cell(g, text_of(stats_test_name(p->test)));
    grid_number(g, d->adjusted, 4);
    for (size_t i = 0; i < sizeof count / sizeof *count; i++)
        grid_number(g, any ? count[i] : NAN, 0);
}

void compared_numbers(struct grid *g, const struct scores_table *t, const struct comparison *c,
                      int row, int column)
{
    const struct comparison_cell *cell = compared_at(c, row, column);
    const struct comparison_mean *m = &cell->score;
    const double number[] = {m->mean, m->stderr_, m->interval.lo, m->interval.hi};
    put_place(g, t, c, column);
    grid_number(g, m->n, 0);
    grid_number(g, m->missing, 0);
    for (size_t i = 0; i < sizeof number / sizeof *number; i++)
        grid_number(g, number[i], 4);
    put_difference(g, &cell->difference);
}

/* ---- for people ---- */

void compared_interval(struct grid *g, struct stats_interval i)
{
    if (isnan(i.lo))
        grid_cell(g, text_of("-"));
    else
        grid_printf(g, "[%+.1f, %+.1f]", i.lo, i.hi);
}

void compared_p(struct grid *g, double p)
{
    if (p < 0.001)
        grid_value(g, p, "<0.001");
    else
        grid_number(g, p, 3);
}

void compared_put_method(const struct comparison *c, struct buf *out)
{
    buf_printf(out, "percentile bootstrap of items, %d resamples, seed %llu", c->options.resamples,
               (unsigned long long)c->options.seed);
}

struct tally {
    int comparisons, daggers, adjusted, fewest, most;
};

static void count(struct tally *n, const struct comparison_difference *d, double level)
{
    int pairs = d->paired.pairs;
    if (pairs && (!n->most || pairs < n->fewest))
        n->fewest = pairs;
    n->most = pairs > n->most ? pairs : n->most;
    n->comparisons += !isnan(d->interval.lo);
    n->daggers += comparison_is_shown(d);
    n->adjusted += d->adjusted < 1 - level;
}

static struct tally tally_of(const struct comparison *c)
{
    struct tally n = {0};
    for (int i = 0; i < c->n_rows; i++)
        for (int k = 0; k < c->n_tasks; k++)
            count(&n, &c->row[i].cell[k].difference, c->options.level);
    return n;
}

static void put_pairs(const struct tally *n, struct buf *b)
{
    if (n->fewest < n->most)
        buf_printf(b, "%d to ", n->fewest);
    buf_printf(b, "%d pair%s a task", n->most, n->most == 1 ? "" : "s");
}

void compared_notes(struct doc *d, const struct comparison *c, const char *baseline)
{
    struct tally n = tally_of(c);
    double chance = 1 - c->options.level;
    struct buf b, method;
    if (!n.most)
        return;
    buf_init(&b);
    buf_init(&method);
    put_pairs(&n, &b);
    compared_put_method(c, &method);
    doc_note(d,
             "† the %g %% interval of the difference to %s, paired by item, excludes 0 (%s; %s).%s",
             100 * c->options.level, baseline, method.s, b.s,
             n.fewest < PAIRS_FEW ? " Intervals of so few pairs are too narrow." : "");
    if (n.comparisons)
        doc_note(
            d,
            "%d comparison%s of a setting and task: %d %s a dagger, about %.*f would by chance "
            "alone; p adjusted (BH) is below %g in %d.",
            n.comparisons, n.comparisons == 1 ? "" : "s", n.daggers,
            n.daggers == 1 ? "has" : "have", n.comparisons * chance < 10, n.comparisons * chance,
            chance, n.adjusted);
    buf_release(&method);
    buf_release(&b);
}

/* ---- what so many items can show ---- */

static void pool_task(struct difference_task *to, const struct scores_table *t,
                      const struct comparison *c, int task)
{
    to->items = t->task[task].n_items;
    for (int i = 0; i < t->n_rows; i++) {
        const int baseline = c->row[i].baseline;
        struct moments m = {0};
        if (baseline < 0 || baseline == i)
            continue;
        const struct scores_item *mine = t->row[i].cell[task].item;
        const struct scores_item *other = t->row[baseline].cell[task].item;
        for (int at = 0; at < t->task[task].n_items; at++)
            if (!isnan(mine[at].score) && !isnan(other[at].score))
                moments_add(&m, mine[at].score - other[at].score);
        pooled_add(&to->stored, &m);
    }
}

static bool compares(const struct comparison *c)
{
    for (int i = 0; i < c->n_rows; i++)
        if (c->row[i].baseline >= 0 && c->row[i].baseline != i)
            return true;
    return false;
}

void compared_smallest_note(struct doc *d, const struct scores_table *t, const struct comparison *c)
{
    struct difference found;
    if (!compares(c))
        return;
    struct difference_task *task = xcalloc((size_t)t->n_tasks + 1, sizeof *task);
    for (int k = 0; k < t->n_tasks; k++)
        pool_task(&task[k], t, c, k);
    difference_find(task, t->n_tasks, &found);
    free(task);
    bool guessed = found.assumed && scores_in_nats(t); // what is assumed is of scores
    if (!isnan(found.points) && !guessed)
        doc_note(
            d,
            "The smallest difference in the mean of tasks that so many items show, in 80 of 100 "
            "repetitions at the 5 %% level: %.1f points (items differ by %.0f, %s).",
            found.points, found.sd,
            !found.assumed                ? "measured here"
            : found.assumed < found.tasks ? "partly assumed"
                                          : "assumed: too few pairs to measure it");
}
