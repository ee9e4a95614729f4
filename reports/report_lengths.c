/* Scores by the length of the records: settings by LongBench-E's buckets, per task and in the mean.
 */
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "reports/lengths_data.h"

static int build_lengths(struct store *s, const struct report_request *r, struct doc *d,
                         struct err *e);

const struct report report_lengths = {
    .name = "lengths",
    .summary = "scores by length: LongBench-E's buckets 0-4k, 4-8k, 8k+",
    .help = "Settings that are named are those of the plots; without a name the first of the "
            "experiment are. Lengths are the records' own, in words or characters, as LongBench-E "
            "means them; where a task's records say none, the prompts' in tokens.",
    .args = {"SETTING", "SETTING", "SETTING", "SETTING"},
    .takes = REPORT_EXPERIMENT | REPORT_MODEL | REPORT_BASELINE | REPORT_RESAMPLING | REPORT_PLOT,
    .build = build_lengths,
};

enum { DRAWN = 6 };

/* ---- cells ---- */

/* Of a task's place in the whole table, or of the mean over a bucket's tasks (-1); NULL: none. */
static const struct comparison_cell *cell_of(const struct lengths_part *p, int row, int task)
{
    if (!p->items)
        return NULL;
    if (task < 0)
        return &p->c.row[row].average[COMPARISON_TASKS];
    for (int k = 0; k < p->t.n_tasks; k++)
        if (p->task[k] == task)
            return &p->c.row[row].cell[k];
    return NULL;
}

static void put_difference(const struct comparison_cell *c, struct grid *g)
{
    double x = c->difference.paired.difference;
    grid_value(g, x, "%+.2f", x);
    if (comparison_is_shown(&c->difference))
        grid_mark(g, GRID_DAGGER);
}

static void put_interval(struct stats_interval i, struct grid *g)
{
    if (isnan(i.lo))
        grid_cell(g, text_of("-"));
    else
        grid_printf(g, "%+.1f to %+.1f", i.lo, i.hi);
}

/* ---- tables for people ---- */

static void add_mean(const struct lengths *l, struct doc *d)
{
    struct grid *g =
        doc_grid(d, DOC_SHOWN, "mean", "Mean of the tasks that have items in the bucket");
    grid_column(g, "", "setting", GRID_LEFT);
    for (int b = 0; b < LENGTHS_BUCKETS; b++) {
        if (!l->part[b].items)
            continue;
        grid_column(g, lengths_name[b], "score", GRID_RIGHT);
        grid_column(g, lengths_name[b], "difference", GRID_RIGHT);
        grid_short(g, lengths_name[b], "diff");
        grid_column(g, lengths_name[b], "interval", GRID_RIGHT);
    }
    for (int row = 0; row < l->whole->n_rows; row++) {
        grid_cell(g, text_of(l->whole->row[row].name));
        for (int b = 0; b < LENGTHS_BUCKETS; b++) {
            const struct comparison_cell *c = cell_of(&l->part[b], row, -1);
            if (!c)
                continue;
            grid_number(g, c->score.mean, 2);
            put_difference(c, g);
            put_interval(c->difference.interval, g);
        }
    }
}

static void put_task_cells(const struct comparison_cell *c, struct grid *g)
{
    if (!c) {
        for (int i = 0; i < 3; i++)
            grid_cell(g, text_of(i ? "-" : "0"));
        return;
    }
    grid_value(g, c->score.n, "%d", c->score.n);
    grid_number(g, c->score.mean, 2);
    put_difference(c, g);
}

static void add_tasks(const struct lengths *l, struct doc *d)
{
    struct grid *g = doc_grid(d, DOC_SHOWN, "tasks", "By task");
    grid_column(g, "", "task", GRID_LEFT);
    grid_column(g, "", "setting", GRID_LEFT);
    for (int b = 0; b < LENGTHS_BUCKETS; b++) {
        if (!l->part[b].items)
            continue;
        grid_column(g, lengths_name[b], "n", GRID_RIGHT);
        grid_column(g, lengths_name[b], "score", GRID_RIGHT);
        grid_column(g, lengths_name[b], "difference", GRID_RIGHT);
        grid_short(g, lengths_name[b], "diff");
    }
    for (int k = 0; k < l->whole->n_tasks; k++)
        for (int row = 0; row < l->whole->n_rows; row++) {
            if (k && !row)
                grid_rule(g);
            grid_cell(g, text_of(l->whole->task[k].name));
            if (row)
                grid_repeated(g);
            grid_cell(g, text_of(l->whole->row[row].name));
            for (int b = 0; b < LENGTHS_BUCKETS; b++)
                if (l->part[b].items)
                    put_task_cells(cell_of(&l->part[b], row, k), g);
        }
}

/* ---- data ---- */

static struct grid *data_grid(struct doc *d)
{
    static const char *const words[] = {"model", "protocol", "variant",  "setting",
                                        "task",  "bucket",   "length_of"};
    struct grid *g = doc_grid(d, DOC_DATA, "lengths_data", NULL);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        grid_column(g, "", words[i], GRID_LEFT);
    frame_score_data_columns(g);
    doc_main(d, g);
    return g;
}

static const char *kind_of(const struct lengths *l, int task)
{
    if (task >= 0)
        return l->by_prompt[task] ? "prompt" : "record";
    return !l->n_by_prompt ? "record" : l->n_by_prompt == l->whole->n_tasks ? "prompt" : "mixed";
}

static void add_data(const struct lengths *l, const struct frame_table *t, struct grid *g)
{
    for (int task = -1; task < l->whole->n_tasks; task++)
        for (int row = 0; row < l->whole->n_rows; row++)
            for (int b = 0; b < LENGTHS_BUCKETS; b++) {
                const struct comparison_cell *c = cell_of(&l->part[b], row, task);
                if (!c)
                    continue;
                grid_cell(g, text_of(l->whole->model_name));
                grid_cell(g, text_of(l->whole->protocol_name));
                grid_cell(g, text_of(t->variant));
                grid_cell(g, text_of(l->whole->row[row].name));
                grid_cell(g, text_of(task < 0 ? "(mean)" : l->whole->task[task].name));
                grid_cell(g, text_of(lengths_name[b]));
                grid_cell(g, text_of(kind_of(l, task)));
                frame_score_data_cells(c, g);
            }
}

/* ---- plots ---- */

static bool is_wanted(const struct report_request *r, const char *name)
{
    for (int i = 0; i < r->n_args; i++)
        if (!strcmp(r->arg[i], name))
            return true;
    return !r->n_args;
}

static void add_line(const struct lengths *l, int row, bool difference, struct plot *p)
{
    plot_series(p, l->whole->row[row].name, PLOT_BARS);
    for (int b = 0; b < LENGTHS_BUCKETS; b++) {
        const struct comparison_cell *c = cell_of(&l->part[b], row, -1);
        if (!c)
            continue;
        struct stats_interval i = difference ? c->difference.interval : c->score.interval;
        plot_point(p, l->part[b].length,
                   difference ? c->difference.paired.difference : c->score.mean, i.lo, i.hi);
    }
}

/* Settings that are left out because there are too many. */
static int add_plot(const struct lengths *l, const struct report_request *r, const char *title,
                    bool difference, struct doc *d)
{
    struct plot *p = doc_plot(d, difference ? "lengths_difference" : "lengths", title);
    int drawn = 0, left_out = 0;
    plot_x(p,
           !l->n_by_prompt ? "mean length of the bucket's records, words or characters"
                           : "mean length in the bucket",
           PLOT_LINEAR);
    plot_y(p, difference ? "difference to the baseline, points" : "score, mean of the tasks",
           PLOT_LINEAR);
    plot_is_told(p);
    for (int row = 0; row < l->whole->n_rows; row++) {
        if (!is_wanted(r, l->whole->row[row].name) ||
            (difference && row == l->part[0].c.options.baseline))
            continue;
        if (drawn == DRAWN) {
            left_out++;
            continue;
        }
        add_line(l, row, difference, p);
        drawn++;
    }
    if (difference)
        plot_reference(p, "no difference", 0, NAN, NAN);
    return left_out;
}

/* ---- notes ---- */

/* Settings without a mean in a bucket: one of its tasks has no score there. */
static int count_without(const struct lengths *l)
{
    int n = 0;
    for (int b = 0; b < LENGTHS_BUCKETS; b++)
        for (int row = 0; l->part[b].items && row < l->whole->n_rows; row++)
            n += isnan(cell_of(&l->part[b], row, -1)->score.mean);
    return n;
}

static void put_group_notes(const struct lengths *l, int left_out, struct doc *d)
{
    const int without = count_without(l);
    for (int b = 0; b < LENGTHS_BUCKETS; b++)
        if (l->part[b].items)
            doc_note(d, "%s: %d item%s of %d task%s, mean length %.0f.", lengths_name[b],
                     l->part[b].items, l->part[b].items == 1 ? "" : "s", l->part[b].t.n_tasks,
                     l->part[b].t.n_tasks == 1 ? "" : "s", l->part[b].length);
        else
            doc_note(d, "%s: no items.", lengths_name[b]);
    if (without)
        doc_note(d, "%d mean%s not there (-): one of the bucket's tasks has no score.", without,
                 without == 1 ? " is" : "s are");
    if (l->n_by_prompt)
        doc_note(d,
                 "%d of %d tasks go by the prompt's tokens: their records say no length. These are "
                 "not LongBench-E's buckets.",
                 l->n_by_prompt, l->whole->n_tasks);
    if (l->unknown)
        doc_note(d, "%d item%s left out: no length is known before a setting is done with it.",
                 l->unknown, l->unknown == 1 ? " is" : "s are");
    if (left_out)
        doc_note(d, "%d more setting%s not in the plots; naming settings draws those.", left_out,
                 left_out == 1 ? " is" : "s are");
    doc_notes_end(d);
}

static void put_notes(const struct report_request *r, struct doc *d)
{
    doc_note(
        d,
        "Lengths below 4000, below 8000, and from there, as in LongBench-E. Scores are means, not "
        "rounded. kvlab export RUN DIR -e writes a run's answers, and kvlab score DIR -e -o "
        "result.json the official file of them, which rounds to two decimals (numpy's, half to "
        "even).");
    doc_note(d,
             "Differences are to %s under the same protocol, paired by item; intervals: %g %%, "
             "bootstrap over items (%d resamples, seed %llu). A dagger: the interval does not "
             "hold 0.",
             r->baseline ? r->baseline : "the full cache", r->level, r->resamples,
             (unsigned long long)r->seed);
}

/* ---- the report ---- */

static int add_table(struct store *s, const struct frame *f, int at, const struct report_request *r,
                     struct grid *data, struct doc *d, struct err *e)
{
    struct lengths l;
    const struct frame_table *t = &f->table[at];
    int rc = lengths_load(&l, s, t->scores, r, e);
    if (!rc) {
        struct buf heading = frame_heading_new(f, (struct frame_group){at, at + 1});
        doc_heading(d, "%s", heading.s);
        int left_out = add_plot(&l, r, heading.s, false, d);
        add_plot(&l, r, heading.s, true, d);
        add_mean(&l, d);
        put_group_notes(&l, left_out, d);
        add_tasks(&l, d);
        add_data(&l, t, data);
        buf_release(&heading);
    }
    lengths_release(&l);
    return rc;
}

static int check_names(struct store *s, const struct frame *f, const struct report_request *r,
                       struct err *e)
{
    for (int i = 0; i < r->n_args; i++)
        if (report_has_setting(s, f->scores.experiment, r->arg[i], e))
            return -1;
    return 0;
}

static int build_lengths(struct store *s, const struct report_request *r, struct doc *d,
                         struct err *e)
{
    struct frame f;
    if (frame_load(&f, s, r, FRAME_MEASURES, e))
        return -1;
    int rc = check_names(s, &f, r, e);
    if (!rc) {
        frame_put_head(&f, "scores by length", d);
        struct grid *data = data_grid(d);
        for (int i = 0; i < f.n_tables && !rc; i++)
            rc = add_table(s, &f, i, r, data, d, e);
        put_notes(r, d);
    }
    frame_release(&f);
    return rc;
}
