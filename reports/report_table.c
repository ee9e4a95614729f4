/* The paper's table: a row a setting, a column a task, then the averages and what it costs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "reports/compared.h"
#include "reports/report.h"
#include "reports/table_csv.h"
#include "reports/table_data.h"
#include "reports/table_notes.h"

static int build(struct store *s, const struct report_request *r, struct doc *d, struct err *e);

const struct report report_table = {
    .name = "table",
    .summary = "scores of every setting by task, with averages, KV bytes and speed",
    .help =
        "Rows are settings in the configuration's order, the full cache first; columns are tasks "
        "by category, the mean of the tasks and that of the categories, KV bytes held and read as "
        "shares of a full f16 cache, and decoded tokens a second. The best compressed setting of a "
        "column is bold; a dagger stands where the interval of the difference to the baseline, "
        "paired by item, excludes 0, and ‡ behind a setting that left items as a full cache has "
        "them. A block for each model and protocol. CSV and JSON: results "
        "(wide) and cells (tidy: a row a setting and task or average, with intervals, "
        "differences, p, items won and lost).",
    .takes = REPORT_EXPERIMENT | REPORT_MODEL | REPORT_BASELINE | REPORT_RESAMPLING |
             REPORT_MIX_PROTOCOLS,
    .build = build,
};

/* A table beside what is said of it. Columns as in compared.h. */
struct shown {
    const struct table *t;
    const struct scores_table *scores;
    const struct comparison *c;
};

/* ---- columns ---- */

static void add_task_column(struct grid *g, const struct table_task *t, size_t cut)
{
    const bool long_ = !strcmp(t->category, "summarization");
    grid_column(g, t->category, t->name, GRID_RIGHT);
    grid_short(g, long_ ? "summary" : t->category, t->name + cut);
}

static void add_average_column(struct grid *g, const struct shown *s, int column)
{
    struct buf b;
    buf_init(&b);
    compared_put_average(s->c, column, &b);
    grid_column(g, "", b.s, GRID_RIGHT);
    buf_release(&b);
}

static void add_columns(struct grid *g, const struct shown *s)
{
    size_t cut = table_common_prefix(s->t);
    grid_column(g, "", "setting", GRID_LEFT);
    if (table_has_weights(s->t))
        grid_column(g, "", "weights", GRID_LEFT);
    for (int i = 0; i < s->t->n_tasks; i++)
        add_task_column(g, &s->t->task[i], cut);
    add_average_column(g, s, COMPARED_TASKS);
    if (compared_has_categories(s->c))
        add_average_column(g, s, COMPARED_CATEGORIES);
    grid_column(g, "", "KV %", GRID_RIGHT);
    grid_column(g, "", "read %", GRID_RIGHT);
    grid_column(g, "", "tok/s", GRID_RIGHT);
}

/* ---- cells ---- */

/* The best of the compressed settings, when there are several to choose from. */
static double best_of(const struct shown *s, int column)
{
    double best = NAN, sign = scores_in_nats(s->scores) ? -1 : 1;
    int n = 0;
    for (int i = 0; i < s->t->n_rows; i++) {
        double x = compared_at(s->c, i, column)->score.mean;
        if (table_row_is_reference(&s->t->row[i]) || isnan(x))
            continue;
        best = isnan(best) || sign * x > sign * best ? x : best;
        n++;
    }
    return n > 1 ? best : INFINITY;
}

static bool is_partial(const struct shown *s, int row, int column)
{
    const struct table_cell *cell = s->t->row[row].cell;
    bool any = false;
    if (column >= 0)
        return table_cell_partial(&cell[column], &s->t->task[column]);
    for (int k = 0; k < s->t->n_tasks; k++)
        any |= table_cell_partial(&cell[k], &s->t->task[k]);
    return any;
}

static void mark_cell(struct grid *g, const struct shown *s, int row, int column)
{
    const struct comparison_cell *c = compared_at(s->c, row, column);
    if (is_partial(s, row, column))
        grid_mark(g, GRID_STAR);
    if (comparison_is_shown(&c->difference))
        grid_mark(g, GRID_DAGGER);
    if (!table_row_is_reference(&s->t->row[row]) && c->score.mean == best_of(s, column))
        grid_bold(g);
}

static void add_average(struct grid *g, const struct shown *s, int row, int column)
{
    const struct comparison_mean *m = &compared_at(s->c, row, column)->score;
    if (isnan(m->stderr_))
        grid_number(g, m->mean, 1);
    else
        grid_value(g, m->mean, "%.1f ±%.1f", m->mean, m->stderr_);
    mark_cell(g, s, row, column);
}

static void add_row(struct grid *g, const struct shown *s, int row)
{
    const struct table_row *r = &s->t->row[row];
    grid_cell(g, text_of(s->scores->row[row].name));
    if (r->unchanged)
        grid_mark(g, GRID_DOUBLE);
    if (table_has_weights(s->t))
        grid_cell(g, text_of(*r->weights ? r->weights : "as stored"));
    for (int k = 0; k < s->t->n_tasks; k++) {
        grid_number(g, compared_at(s->c, row, k)->score.mean, 1);
        mark_cell(g, s, row, k);
    }
    add_average(g, s, row, COMPARED_TASKS);
    if (compared_has_categories(s->c))
        add_average(g, s, row, COMPARED_CATEGORIES);
    grid_number(g, 100 * r->kv_ratio, 1);
    grid_number(g, 100 * r->read_ratio, 1);
    grid_number(g, r->decode_tps, 1);
}

static void add_items(struct grid *g, const struct shown *s)
{
    int blanks = compared_has_categories(s->c) ? 5 : 4;
    grid_rule(g);
    grid_cell(g, text_of("items"));
    if (table_has_weights(s->t))
        grid_blank(g);
    for (int i = 0; i < s->t->n_tasks; i++)
        grid_number(g, s->t->task[i].items, 0);
    for (int i = 0; i < blanks; i++)
        grid_blank(g);
}

/* ---- a block for each variant, what they share below the last ---- */

static void put_variant(const struct table_data *d, const struct table *t, struct buf *b)
{
    buf_printf(b, "%s: %s%s%s", d->name, t->model_name, *t->protocol_name ? ", protocol " : "",
               t->protocol_name);
    for (int i = 0; i < d->n_differing; i++)
        buf_printf(b, ", %s=%s", d->differing[i], t->differs[i]);
}

static void add_heading(const struct table_data *d, const struct table *t, bool mixed,
                        struct doc *doc)
{
    struct buf b;
    buf_init(&b);
    if (mixed)
        buf_printf(&b, "%s: %s, protocols mixed", d->name, t->model_name);
    else
        put_variant(d, t, &b);
    doc_heading(doc, "%s, %d setting%s", b.s, t->n_rows, t->n_rows == 1 ? "" : "s");
    buf_release(&b);
}

/* Baselines of the rows: how many, the last of them, and rows that have none. */
struct baselines {
    int n, last, without;
};

static struct baselines baselines_of(const struct comparison *c)
{
    struct baselines b = {0, -1, 0};
    for (int i = 0; i < c->n_rows; i++) {
        b.without += c->row[i].baseline < 0;
        if (c->row[i].baseline == i)
            b.n++, b.last = i;
    }
    return b;
}

static void add_comparison_notes(const struct shown *s, struct doc *doc)
{
    const struct baselines b = baselines_of(s->c);
    if (!b.n) {
        doc_note(doc, "No setting here is the full cache, so nothing is compared: --baseline "
                      "SETTING names another.");
        return;
    }
    compared_notes(doc, s->c,
                   b.n == 1 ? s->scores->row[b.last].name : "the baseline of its own protocol");
    if (b.without)
        doc_note(doc, "%d setting%s here %s no baseline of the same protocol and %s not compared.",
                 b.without, b.without == 1 ? "" : "s", b.without == 1 ? "has" : "have",
                 b.without == 1 ? "is" : "are");
    compared_smallest_note(doc, s->scores, s->c);
}

static void add_table(const struct table_data *d, const struct shown *s, bool mixed,
                      struct doc *doc)
{
    add_heading(d, s->t, mixed, doc);
    struct grid *g = doc_grid(doc, DOC_SHOWN, "table", NULL);
    add_columns(g, s);
    for (int i = 0; i < s->t->n_rows; i++)
        add_row(g, s, i);
    add_items(g, s);
    table_note_missing(s->t, doc);
    add_comparison_notes(s, doc);
    doc_notes_end(doc);
}

/* ---- tidy data ---- */

static void add_cell_columns(struct grid *g, const struct table_data *d)
{
    grid_column(g, "", "model", GRID_LEFT);
    grid_column(g, "", "protocol", GRID_LEFT);
    for (int i = 0; i < d->n_differing; i++)
        grid_column(g, "", d->differing[i], GRID_LEFT);
    grid_column(g, "", "setting", GRID_LEFT);
    grid_column(g, "", "run", GRID_RIGHT);
    grid_column(g, "", "baseline", GRID_LEFT);
    compared_columns(g);
}

static void add_cell(struct grid *g, const struct table_data *d, const struct shown *s, int row,
                     int column)
{
    const int baseline = s->c->row[row].baseline;
    grid_cell(g, text_of(s->t->model_name));
    grid_cell(g, text_of(s->t->protocol_name));
    for (int i = 0; i < d->n_differing; i++)
        grid_cell(g, text_of(s->t->differs[i]));
    grid_cell(g, text_of(s->scores->row[row].name));
    grid_value(g, (double)s->t->row[row].run, "%lld", (long long)s->t->row[row].run);
    grid_cell(g, text_of(baseline < 0 ? "" : s->scores->row[baseline].name));
    compared_numbers(g, s->scores, s->c, row, column);
}

static void add_cells(struct grid *g, const struct table_data *d, const struct shown *s)
{
    for (int i = 0; i < s->t->n_rows; i++) {
        for (int k = 0; k < s->t->n_tasks; k++)
            add_cell(g, d, s, i, k);
        add_cell(g, d, s, i, COMPARED_TASKS);
        if (compared_has_categories(s->c))
            add_cell(g, d, s, i, COMPARED_CATEGORIES);
    }
}

/* ---- all of it ---- */

static struct shown shown_at(const struct table_data *d, const struct comparison *c, int i)
{
    return (struct shown){&d->table[i], &d->scores.table[i], &c[i]};
}

static void add_all(const struct table_data *d, const struct comparison *c, bool mixed,
                    struct doc *doc)
{
    for (int i = 0; i < d->n_tables; i++) {
        const struct shown s = shown_at(d, c, i);
        add_table(d, &s, mixed, doc);
    }
    table_note_meanings(d, doc);
    table_note_unchanged(d, doc);
    table_note_remarks(d, doc);
    struct grid *wide = doc_grid(doc, DOC_DATA, "results", NULL);
    table_csv_fill(d, wide);
    doc_main(doc, wide);
    struct grid *cells = doc_grid(doc, DOC_DATA, "cells", NULL);
    add_cell_columns(cells, d);
    for (int i = 0; i < d->n_tables; i++) {
        const struct shown s = shown_at(d, c, i);
        add_cells(cells, d, &s);
    }
}

/* Each row beside the baseline of its own protocol: a table of one has one. */
static void compare(struct comparison *c, const struct scores_table *t,
                    const struct report_request *r)
{
    struct comparison_options o = compared_options(r, -1);
    int *own = xcalloc((size_t)t->n_rows + 1, sizeof *own);
    for (int i = 0; i < t->n_rows; i++)
        own[i] = compared_baseline(t, r, i);
    o.own = own;
    comparison_init(c, t, &o);
    free(own);
}

static int build(struct store *s, const struct report_request *r, struct doc *doc, struct err *e)
{
    struct table_data d;
    if (table_data_load(&d, s, r, e))
        return -1;
    struct comparison *c = xcalloc((size_t)d.n_tables + 1, sizeof *c);
    for (int i = 0; i < d.n_tables; i++) {
        compare(&c[i], &d.scores.table[i], r);
    }
    doc_title(doc, "Scores of experiment %s", d.name);
    doc_field(doc, "experiment", d.name);
    add_all(&d, c, r->mix_protocols, doc);
    for (int i = 0; i < d.n_tables; i++)
        comparison_release(&c[i]);
    free(c);
    table_data_release(&d);
    return 0;
}
