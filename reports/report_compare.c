/* Two runs: what they are configured differently in, and what came of it, item by item. */
#include <stdio.h>
#include <string.h>

#include "reports/compare_fields.h"
#include "reports/compare_find.h"
#include "reports/compare_items.h"
#include "reports/compared.h"

static int build(struct store *s, const struct report_request *r, struct doc *d, struct err *e);

enum { SHOWN_ITEMS = 5 }; // of the worst and of the best, unless asked

const struct report report_compare = {
    .name = "compare",
    .summary = "two runs: fields that differ, differences by task, the items that changed most",
    .help = "A and B are settings of the experiment, or MODEL:SETTING, EXPERIMENT:SETTING, run:ID "
            "(as column run of the views has it). Differences are B less A, over all items of the "
            "two runs that both have a score for, whichever experiment asked for them. Runs of "
            "different protocols need --mix-protocols. CSV and JSON: tasks, fields, costs, items "
            "(every item of both). Of the worst and of the best items 5 each are shown.",
    .args = {"A", "B"},
    .min_args = 2,
    .takes =
        REPORT_EXPERIMENT | REPORT_MODEL | REPORT_RESAMPLING | REPORT_MIX_PROTOCOLS | REPORT_ITEMS,
    .build = build,
};

/* ---- scores of pairs ---- */

/* Mean of a row's scores over the items that both have one for. */
static double mean_of_pairs(const struct scores_table *t, int row, int task)
{
    double sum = 0;
    int n = 0;
    for (int at = 0; at < t->task[task].n_items; at++) {
        double both[2] = {t->row[0].cell[task].item[at].score, t->row[1].cell[task].item[at].score};
        if (isnan(both[0] + both[1]))
            continue;
        sum += both[row];
        n++;
    }
    return n ? sum / n : NAN;
}

/* Tasks of task k's category. */
static int category_size(const struct scores_table *t, int k)
{
    int n = 0;
    for (int i = 0; i < t->n_tasks; i++)
        n += !strcmp(t->task[i].category, t->task[k].category);
    return n;
}

static double score_of(const struct scores_table *t, const struct comparison *c, int row,
                       int column)
{
    double sum = 0;
    if (column >= 0)
        return mean_of_pairs(t, row, column);
    for (int k = 0; k < t->n_tasks; k++)
        sum += mean_of_pairs(t, row, k) /
               (column == COMPARED_TASKS ? t->n_tasks : c->n_categories * category_size(t, k));
    return sum;
}

/* ---- tasks ---- */

static void add_columns(struct grid *g, const struct comparison *c)
{
    char interval[32];
    snprintf(interval, sizeof interval, "%g %% interval", 100 * c->options.level);
    grid_column(g, "", "task", GRID_LEFT);
    const char *const head[] = {"pairs", "missing", "A",   "B",    "B - A", interval,
                                "p",     "p (BH)",  "won", "lost", "tied"};
    for (size_t i = 0; i < sizeof head / sizeof *head; i++)
        grid_column(g, "", head[i], GRID_RIGHT);
}

static void add_name(struct grid *g, const struct scores_table *t, const struct comparison *c,
                     int column)
{
    struct buf b;
    buf_init(&b);
    if (column >= 0)
        buf_str(&b, t->task[column].name);
    else
        compared_put_average(c, column, &b);
    grid_cell(g, text_buf(&b));
    buf_release(&b);
}

static void add_task(struct grid *g, const struct scores_table *t, const struct comparison *c,
                     int column)
{
    const struct comparison_difference *d = &compared_at(c, 1, column)->difference;
    const struct stats_paired *p = &d->paired;
    add_name(g, t, c, column);
    grid_number(g, p->pairs, 0);
    grid_number(g, d->missing, 0);
    grid_number(g, score_of(t, c, 0, column), 1);
    grid_number(g, score_of(t, c, 1, column), 1);
    if (isnan(p->difference))
        grid_number(g, NAN, 1);
    else
        grid_value(g, p->difference, "%+.1f", p->difference);
    if (comparison_is_shown(d))
        grid_mark(g, GRID_DAGGER);
    compared_interval(g, d->interval);
    compared_p(g, p->p);
    compared_p(g, d->adjusted);
    grid_number(g, p->won, 0);
    grid_number(g, p->lost, 0);
    grid_number(g, p->tied, 0);
}

static void data_columns(struct grid *g)
{
    compared_columns(g);
    grid_column(g, "", "score_a", GRID_RIGHT);
    grid_column(g, "", "score_b", GRID_RIGHT);
}

static void data_row(struct grid *g, const struct scores_table *t, const struct comparison *c,
                     int column)
{
    compared_numbers(g, t, c, 1, column);
    grid_number(g, score_of(t, c, 0, column), 4);
    grid_number(g, score_of(t, c, 1, column), 4);
}

/* Last column: the means are -1 and, where it says more, -2. */
static int last_average(const struct comparison *c)
{
    return compared_has_categories(c) ? COMPARED_CATEGORIES : COMPARED_TASKS;
}

static void add_tasks(struct doc *doc, const struct scores_table *t, const struct comparison *c)
{
    struct grid *g = doc_grid(doc, DOC_SHOWN, "by_task", "Scores of the items that both have");
    struct grid *data = doc_grid(doc, DOC_DATA, "tasks", NULL);
    doc_main(doc, data);
    add_columns(g, c);
    data_columns(data);
    for (int k = 0; k < t->n_tasks; k++) {
        add_task(g, t, c, k);
        data_row(data, t, c, k);
    }
    grid_rule(g);
    for (int k = COMPARED_TASKS; k >= last_average(c); k--) {
        add_task(g, t, c, k);
        data_row(data, t, c, k);
    }
}

/* ---- all of it ---- */

static int pairs_of(const struct comparison *c)
{
    return c->row[1].average[COMPARISON_TASKS].difference.paired.pairs;
}

static int fill(struct doc *doc, struct store *s, const struct scores_table *t,
                const struct comparison *c, const struct report_request *r, struct err *e)
{
    const int64_t run[] = {t->row[0].run, t->row[1].run};
    if (!pairs_of(c))
        return err_user(e, "report compare: %s and %s have no item with a score in both", r->arg[0],
                        r->arg[1]);
    doc_title(doc, "%s beside %s", t->row[1].name, t->row[0].name);
    doc_heading(doc, "%s beside %s", t->row[1].name, t->row[0].name);
    if (compare_facts(doc, s, run, e) || compare_fields(doc, s, run, e))
        return -1;
    add_tasks(doc, t, c);
    doc_note(doc, "Differences are B less A. missing: items that either was asked for and that do "
                  "not have a score in both.");
    compared_notes(doc, c, "A");
    doc_notes_end(doc);
    compare_costs(doc, t);
    compare_items_grid(doc, t);
    return compare_items(doc, s, t, r->items < 0 ? SHOWN_ITEMS : r->items, e);
}

static int compare(struct doc *doc, struct store *s, const struct scores *scores,
                   const struct report_request *r, struct err *e)
{
    const struct scores_table *t = &scores->table[0];
    const struct comparison_options o = compared_options(r, 0);
    struct comparison c;
    comparison_init(&c, t, &o);
    int rc = fill(doc, s, t, &c, r, e);
    comparison_release(&c);
    return rc;
}

static int build(struct store *s, const struct report_request *r, struct doc *doc, struct err *e)
{
    struct scores scores;
    int64_t run[2];
    if (compare_find(s, r, run, e))
        return -1;
    if (!r->mix_protocols && compare_check_protocols(s, run, e))
        return -1;
    const struct scores_request wanted = {
        .run = run, .n_runs = 2, .tables = SCORES_TOGETHER, .measures = true};
    if (scores_load(&scores, s, &wanted, e))
        return -1;
    int rc = compare(doc, s, &scores, r, e);
    scores_release(&scores);
    return rc;
}
