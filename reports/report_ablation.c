/* One factor at a time: each value beside the base that it was changed from. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "reports/ablation_data.h"
#include "reports/compared.h"
#include "reports/report.h"
#include "reports/table_data.h"

static int build(struct store *s, const struct report_request *r, struct doc *d, struct err *e);

const struct report report_ablation = {
    .name = "ablation",
    .summary = "one factor at a time: differences to the base, paired by item",
    .help =
        "A block for each factor of the ablations that the configuration declares: the base first, "
        "then every other value with its difference to the base (not to the full cache), interval, "
        "p, bytes and the difference in each task. With --baseline SETTING: the settings that "
        "differ from that one in one option, declared or not. A plot of the differences for each "
        "numeric factor. CSV "
        "and JSON: ablation (a row a factor's value) and cells (a row a value and task).",
    .takes = REPORT_EXPERIMENT | REPORT_MODEL | REPORT_BASELINE | REPORT_RESAMPLING | REPORT_PLOT,
    .build = build,
};

/* The base and what was changed from it, as a table of its own. */
struct part {
    const struct table *t;
    struct scores_table scores; // rows and all else borrowed, but for the list of rows
    int *place;                 // [scores.n_rows]: of each row in t
    struct comparison c;        // beside row 0, the base
};

struct out {
    struct doc *doc;
    struct grid *values, *cells;
};

/* ---- the table of an ablation ---- */

static int find_run(const struct scores_table *t, int64_t run)
{
    for (int i = 0; i < t->n_rows; i++)
        if (t->row[i].run == run)
            return i;
    return -1;
}

static void add_run(struct part *p, const struct scores_table *from, int64_t run)
{
    int at = find_run(from, run);
    if (at < 0 || find_run(&p->scores, run) >= 0)
        return;
    p->place[p->scores.n_rows] = at;
    p->scores.row[p->scores.n_rows++] = from->row[at];
}

static void part_init(struct part *p, const struct table *t, const struct scores_table *from,
                      const struct ablation_change *v, int n, const struct report_request *r)
{
    *p = (struct part){.t = t, .scores = *from};
    p->scores.row = xcalloc((size_t)n + 1, sizeof *p->scores.row);
    p->scores.n_rows = 0;
    p->place = xcalloc((size_t)n + 1, sizeof *p->place);
    add_run(p, from, v->base);
    for (int i = 0; i < n; i++)
        add_run(p, from, v[i].run);
    const struct comparison_options o = compared_options(r, 0);
    comparison_init(&p->c, &p->scores, &o);
}

static void part_release(struct part *p)
{
    comparison_release(&p->c);
    free(p->scores.row);
    free(p->place);
}

/* ---- what people see ---- */

static void add_columns(struct grid *g, const struct part *p, const char *factor)
{
    struct buf b;
    buf_init(&b);
    grid_column(g, "", factor, GRID_LEFT);
    compared_put_average(&p->c, COMPARED_TASKS, &b);
    grid_column(g, "", b.s, GRID_RIGHT);
    grid_column(g, "", "difference", GRID_RIGHT);
    buf_reset(&b);
    buf_printf(&b, "%g %% interval", 100 * p->c.options.level);
    grid_column(g, "", b.s, GRID_RIGHT);
    grid_column(g, "", "p", GRID_RIGHT);
    grid_column(g, "", "p adjusted (BH)", GRID_RIGHT);
    grid_column(g, "", "KV %", GRID_RIGHT);
    grid_column(g, "", "read %", GRID_RIGHT);
    for (int k = 0; k < p->c.n_tasks; k++) {
        const char *name = p->scores.task[k].name;
        grid_column(g, "difference by task", name, GRID_RIGHT);
        grid_short(g, "difference by task", name + table_common_prefix(p->t));
    }
    buf_release(&b);
}

static void add_difference(struct grid *g, const struct comparison_difference *d)
{
    if (isnan(d->paired.difference))
        grid_number(g, NAN, 1);
    else
        grid_value(g, d->paired.difference, "%+.1f", d->paired.difference);
    if (comparison_is_shown(d))
        grid_mark(g, GRID_DAGGER);
}

static bool is_partial(const struct part *p, int row)
{
    return p->c.row[row].average[COMPARISON_TASKS].score.missing > 0;
}

static void add_value(struct grid *g, const struct part *p, const struct ablation_change *v)
{
    int row = find_run(&p->scores, v->run);
    const struct comparison_cell *mean = compared_at(&p->c, row, COMPARED_TASKS);
    const struct table_row *costs = &p->t->row[p->place[row]];
    grid_printf(g, "%s%s", v->value, v->run == v->base ? " (base)" : "");
    if (isnan(mean->score.stderr_))
        grid_number(g, mean->score.mean, 1);
    else
        grid_value(g, mean->score.mean, "%.1f ±%.1f", mean->score.mean, mean->score.stderr_);
    if (is_partial(p, row))
        grid_mark(g, GRID_STAR);
    add_difference(g, &mean->difference);
    compared_interval(g, mean->difference.interval);
    compared_p(g, mean->difference.paired.p);
    compared_p(g, mean->difference.adjusted);
    grid_number(g, 100 * costs->kv_ratio, 1);
    grid_number(g, 100 * costs->read_ratio, 1);
    for (int k = 0; k < p->c.n_tasks; k++)
        add_difference(g, &p->c.row[row].cell[k].difference);
}

/* ---- plots ---- */

/* Whether the whole value is a number. */
static bool is_number(const char *s, double *x)
{
    char *end;
    *x = strtod(s, &end);
    return end != s && !*end && isfinite(*x);
}

static bool is_numeric(const struct ablation_change *v, int n)
{
    double x;
    for (int i = 0; i < n; i++)
        if (!is_number(v[i].value, &x))
            return false;
    return n > 1;
}

/* Lower case, and nothing that a file's name could not have. */
static void put_plot_name(const struct ablation_change *v, struct buf *b)
{
    buf_str(b, *v->ablation ? v->ablation : "ablation");
    buf_char(b, '_');
    buf_str(b, v->factor);
    for (size_t i = 0; i < b->n; i++)
        b->s[i] = isalnum((unsigned char)b->s[i]) && (unsigned char)b->s[i] < 128
                      ? (char)tolower((unsigned char)b->s[i])
                      : '_';
}

/* The base has no interval: it is not compared with itself. */
static void add_points(struct plot *p, const struct part *part, const struct ablation_change *v,
                       int n)
{
    double x;
    for (int i = 0; i < n; i++) {
        const int row = find_run(&part->scores, v[i].run);
        const struct comparison_difference *d =
            &compared_at(&part->c, row, COMPARED_TASKS)->difference;
        if (!is_number(v[i].value, &x))
            continue;
        if (v[i].run == v[i].base)
            plot_point(p, x, 0, NAN, NAN);
        else
            plot_point(p, x, d->paired.difference, d->interval.lo, d->interval.hi);
    }
}

/* Differences and their intervals, paired by item: those of two scores, which share their items,
 * overlap where the difference is clear. */
static void add_plot(struct doc *doc, const struct part *part, const struct ablation_change *v,
                     int n)
{
    const char *base = part->scores.row[0].name;
    struct buf b;
    buf_init(&b);
    put_plot_name(v, &b);
    char *name = xstrdup(b.s);
    buf_reset(&b);
    buf_printf(&b, "%s: difference to %s, %g %% intervals, paired by item", v->factor, base,
               100 * part->c.options.level);
    struct plot *p = doc_plot(doc, name, b.s);
    buf_reset(&b);
    compared_put_average(&part->c, COMPARED_TASKS, &b);
    buf_str(&b, ", difference in points");
    plot_x(p, v->factor, PLOT_LINEAR);
    plot_y(p, b.s, PLOT_LINEAR);
    buf_reset(&b);
    buf_printf(&b, "%s (base)", base);
    plot_reference(p, b.s, 0, NAN, NAN);
    plot_series(p, "difference", PLOT_BARS);
    add_points(p, part, v, n);
    plot_is_told(p);
    free(name);
    buf_release(&b);
}

/* ---- tidy data ---- */

static void data_columns(struct grid *g, bool costs)
{
    static const char *const words[] = {"model", "protocol", "ablation", "factor",
                                        "value", "setting",  "base"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        grid_column(g, "", words[i], GRID_LEFT);
    grid_column(g, "", "run", GRID_RIGHT);
    if (costs) {
        grid_column(g, "", "kv_percent", GRID_RIGHT);
        grid_column(g, "", "read_percent", GRID_RIGHT);
    }
    compared_columns(g);
}

static void data_row(struct grid *g, const struct part *p, const struct ablation_change *v,
                     int column, bool costs)
{
    int row = find_run(&p->scores, v->run);
    const char *const words[] = {
        p->t->model_name, p->t->protocol_name,     v->ablation,          v->factor,
        v->value,         p->scores.row[row].name, p->scores.row[0].name};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        grid_cell(g, text_of(words[i]));
    grid_value(g, (double)v->run, "%lld", (long long)v->run);
    if (costs) {
        grid_number(g, 100 * p->t->row[p->place[row]].kv_ratio, 4);
        grid_number(g, 100 * p->t->row[p->place[row]].read_ratio, 4);
    }
    compared_numbers(g, &p->scores, &p->c, row, column);
}

static void add_data(const struct out *o, const struct part *p, const struct ablation_change *v)
{
    data_row(o->values, p, v, COMPARED_TASKS, true);
    for (int k = 0; k < p->c.n_tasks; k++)
        data_row(o->cells, p, v, k, false);
    data_row(o->cells, p, v, COMPARED_TASKS, false);
    if (compared_has_categories(&p->c))
        data_row(o->cells, p, v, COMPARED_CATEGORIES, false);
}

/* ---- blocks ---- */

static int same(const struct ablation_change *v, int n, bool factor)
{
    int to = 1;
    while (to < n && v[to].base == v->base && !strcmp(v[to].ablation, v->ablation) &&
           (!factor || !strcmp(v[to].factor, v->factor)))
        to++;
    return to;
}

static void add_factor(const struct out *o, const struct table_data *d, const struct part *p,
                       const struct ablation_change *v, int n)
{
    const char *dot = strrchr(v->factor, '.');
    struct buf b;
    buf_init(&b);
    for (int i = 0; i < d->n_differing; i++)
        buf_printf(&b, ", %s=%s", d->differing[i], p->t->differs[i]);
    doc_heading(o->doc, "%s%s%s, base %s: %s%s", v->ablation, *v->ablation ? ": " : "", v->factor,
                p->scores.row[0].name, p->t->model_name, b.s);
    buf_release(&b);
    struct grid *g = doc_grid(o->doc, DOC_SHOWN, "factor", NULL);
    add_columns(g, p, dot ? dot + 1 : v->factor);
    for (int i = 0; i < n; i++) {
        add_value(g, p, &v[i]);
        add_data(o, p, &v[i]);
    }
    if (is_numeric(v, n))
        add_plot(o->doc, p, v, n);
}

static void note_missing(struct doc *doc, const struct part *p)
{
    for (int i = 0; i < p->c.n_rows; i++) {
        const struct comparison_mean *m = &compared_at(&p->c, i, COMPARED_TASKS)->score;
        if (m->missing)
            doc_note(doc, "* %s: %d of %d items have a score; pairs have one in both.",
                     p->scores.row[i].name, m->n, m->n + m->missing);
    }
}

static void add_ablation(const struct out *o, const struct table_data *d, const struct part *p,
                         const struct ablation_change *v, int n)
{
    static const char *const several =
        "paired t test over the tasks, a sign test where all differences of a task are equal; "
        "adjusted (BH) over the settings of this ablation";
    for (int i = 0; i < n;) {
        int to = same(v + i, n - i, true);
        add_factor(o, d, p, v + i, to);
        i += to;
    }
    note_missing(o->doc, p);
    compared_notes(o->doc, &p->c, p->scores.row[0].name);
    doc_note(o->doc, "p of the mean: %s.", p->c.n_tasks > 1 ? several : "that of its one task");
    compared_smallest_note(o->doc, &p->scores, &p->c);
    doc_notes_end(o->doc);
}

/* Of one model and protocol; how many ablations it has. */
static int add_table(const struct out *o, const struct table_data *d, int table,
                     const struct ablation_changes *c, const struct report_request *r)
{
    const struct scores_table *from = &d->scores.table[table];
    int found = 0;
    for (int i = 0; i < c->n;) {
        int n = same(c->v + i, c->n - i, false);
        if (find_run(from, c->v[i].base) >= 0) {
            struct part p;
            part_init(&p, &d->table[table], from, c->v + i, n, r);
            add_ablation(o, d, &p, c->v + i, n);
            part_release(&p);
            found++;
        }
        i += n;
    }
    return found;
}

static int refuse(const struct table_data *d, const struct report_request *r, struct err *e)
{
    if (r->baseline)
        return err_user(e,
                        "report ablation: no setting of experiment %s differs from '%s' in one "
                        "option",
                        d->name, r->baseline);
    return err_user(e,
                    "report ablation: experiment %s declares no ablation (settings with "
                    "\"ablation\", \"base\" and \"vary\"); --baseline SETTING compares what "
                    "differs from a setting in one option",
                    d->name);
}

static int add_all(struct doc *doc, const struct table_data *d, const struct ablation_changes *c,
                   const struct report_request *r, struct err *e)
{
    struct out o = {doc, NULL, NULL};
    int found = 0;
    doc_title(doc, "Ablations of experiment %s", d->name);
    doc_field(doc, "experiment", d->name);
    o.values = doc_grid(doc, DOC_DATA, "ablation", NULL);
    o.cells = doc_grid(doc, DOC_DATA, "cells", NULL);
    doc_main(doc, o.values);
    data_columns(o.values, true);
    data_columns(o.cells, false);
    for (int i = 0; i < d->n_tables; i++)
        found += add_table(&o, d, i, c, r);
    if (found)
        doc_note(doc, "KV %%, read %%: bytes of the cache held and read a step, as shares of a "
                      "full f16 cache.");
    return found ? 0 : refuse(d, r, e);
}

static int build(struct store *s, const struct report_request *r, struct doc *doc, struct err *e)
{
    struct table_data d;
    struct ablation_changes c;
    if (table_data_load(&d, s, r, e))
        return -1;
    int rc = ablation_changes_load(&c, s, d.experiment, r->baseline, e);
    if (!rc) {
        rc = add_all(doc, &d, &c, r, e);
        ablation_changes_release(&c);
    }
    table_data_release(&d);
    return rc;
}
