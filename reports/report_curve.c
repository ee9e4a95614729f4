/* Score against a number of the settings: a line for each combination of what else differs. */
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/base/near.h"
#include "reports/fields.h"

static int build_curve(struct store *s, const struct report_request *r, struct doc *d,
                       struct err *e);

const struct report report_curve = {
    .name = "curve",
    .summary = "score against any number of the settings, and its difference to the full cache",
    .help =
        "--x: a column of table setting (key_bits, token_budget, ...), an option "
        "(kvo.token_budget), or with --mix-protocols a column of table protocol "
        "(max_prompt_tokens). Without it the field that varies most. Settings that differ in "
        "something else as well stand on different lines, named by that. --y: tasks (their mean; "
        "the default), categories, a category, or a task.",
    .takes = REPORT_EXPERIMENT | REPORT_MODEL | REPORT_BASELINE | REPORT_X | REPORT_Y |
             REPORT_RESAMPLING | REPORT_MIX_PROTOCOLS | REPORT_PLOT,
    .build = build_curve,
};

/* ---- the axis ---- */

static void list_fields(const struct fields *l, bool protocols, struct buf *out)
{
    for (int i = 0; i < l->n_fields; i++) {
        const struct field *f = &l->field[i];
        if (f->distinct > 1 && (protocols || !f->protocol) && !fields_is_told(l, i))
            buf_printf(out, "%s%s (%d values)", out->n ? ", " : "", f->name, f->distinct);
    }
}

static int none_varies(const struct frame *f, struct err *e)
{
    return err_user(
        e,
        "experiment %s has no settings that differ in a number: there is nothing for an "
        "x axis",
        f->scores.name);
}

static int unknown_field(const struct frame *f, const struct fields *l, const char *wanted,
                         bool mixed, struct err *e)
{
    char hint[128];
    struct buf list;
    const char **names = xcalloc((size_t)l->n_fields + 1, sizeof *names);
    for (int i = 0; i < l->n_fields; i++)
        names[i] = l->field[i].name;
    buf_init(&list);
    list_fields(l, mixed, &list);
    err_user(e, "--x '%s' is no field of experiment %s's settings%s; these vary: %s", wanted,
             f->scores.name, near_hint(hint, wanted, names, (size_t)l->n_fields),
             list.n ? list.s : "none");
    buf_release(&list);
    free(names);
    return -1;
}

static int useless_field(const struct frame *f, const struct fields *l, const struct field *x,
                         bool mixed, struct err *e)
{
    struct buf list;
    buf_init(&list);
    list_fields(l, mixed, &list);
    if (x->protocol && !mixed && f->scores.n_tables > 1)
        err_user(
            e,
            "--x %s is the protocol's: several protocols in one plot want --mix-protocols (they "
            "answer different prompts)",
            x->name);
    else if (!x->distinct)
        err_user(e, "--x %s is no number in experiment %s; these vary: %s", x->name, f->scores.name,
                 list.n ? list.s : "none");
    else
        err_user(e, "--x %s is the same in all settings of experiment %s; these vary: %s", x->name,
                 f->scores.name, list.n ? list.s : "none");
    buf_release(&list);
    return -1;
}

static const struct field *choose_x(const struct frame *f, const struct fields *l,
                                    const struct report_request *r, struct err *e)
{
    const struct field *x = r->x ? fields_find(l, r->x) : fields_widest(l);
    if (!x && r->x)
        unknown_field(f, l, r->x, r->mix_protocols, e);
    else if (!x)
        none_varies(f, e);
    else if (x->distinct < 2) {
        useless_field(f, l, x, r->mix_protocols, e);
        x = NULL;
    }
    return x;
}

/* ---- a group's settings ---- */

struct group {
    const struct frame *f;
    struct frame_group g;
    struct fields fields;
    const struct field *x;
    int *series, *order;              // [n]; settings on lines by line, then by x
    const struct frame_table **table; // [n]
    int *row;                         // [n]
    char **label;                     // [lines]
    int n, lines, on_lines;
};

/* Lines in the order of their first setting; stable. */
static void sort_settings(struct group *g)
{
    for (int i = 0; i < g->n; i++) {
        int at = g->on_lines;
        if (g->series[i] < 0)
            continue;
        for (; at; at--) {
            int k = g->order[at - 1];
            if (g->series[k] < g->series[i] ||
                (g->series[k] == g->series[i] && g->x->value[k] <= g->x->value[i]))
                break;
            g->order[at] = k;
        }
        g->order[at] = i;
        g->on_lines++;
    }
}

/* Different numbers on a line. */
static int length_of(const struct group *g, int line)
{
    int n = 0, before = -1;
    for (int at = 0; at < g->on_lines; at++) {
        int i = g->order[at];
        if (g->series[i] != line)
            continue;
        n += before < 0 || g->x->value[before] != g->x->value[i];
        before = i;
    }
    return n;
}

/* Lines of one number say nothing of x where others have more. */
static int shortest_line(const struct group *g)
{
    for (int line = 0; line < g->lines; line++)
        if (length_of(g, line) > 1)
            return 2;
    return 1;
}

/* A line of one setting, where others have more, is called as the setting. */
static void add_labels(struct group *g)
{
    const int shortest = shortest_line(g);
    int *told = xcalloc((size_t)g->n + 1, sizeof *told);
    g->label = xcalloc((size_t)g->lines + 1, sizeof *g->label);
    for (int i = 0; i < g->n; i++)
        told[i] = g->series[i] >= 0 && length_of(g, g->series[i]) >= shortest ? g->series[i] : -1;
    for (int i = 0; i < g->n; i++) {
        if (g->series[i] < 0 || g->label[g->series[i]])
            continue;
        g->label[g->series[i]] = told[i] >= 0 ? fields_label_dup(&g->fields, g->x, told, i)
                                              : frame_name_dup(g->g, g->table[i], g->row[i]);
    }
    free(told);
}

/* g: f and g; the rest is filled. To be released also after an error. */
static int group_load(struct group *g, struct store *s, const struct report_request *r,
                      struct err *e)
{
    int at = 0;
    if (fields_load(&g->fields, s, g->f, g->g, e))
        return -1;
    g->n = g->fields.n;
    if (!(g->x = choose_x(g->f, &g->fields, r, e)))
        return -1;
    g->series = xcalloc((size_t)g->n + 1, sizeof *g->series);
    g->order = xcalloc((size_t)g->n + 1, sizeof *g->order);
    g->table = xcalloc((size_t)g->n + 1, sizeof *g->table);
    g->row = xcalloc((size_t)g->n + 1, sizeof *g->row);
    for (int i = g->g.from; i < g->g.to; i++)
        for (int row = 0; row < g->f->table[i].scores->n_rows; row++, at++) {
            g->table[at] = &g->f->table[i];
            g->row[at] = row;
        }
    g->lines = fields_series(&g->fields, g->x, g->series);
    sort_settings(g);
    add_labels(g);
    return 0;
}

static void group_release(struct group *g)
{
    for (int i = 0; g->label && i < g->lines; i++)
        free(g->label[i]);
    free(g->label);
    free(g->series);
    free(g->order);
    free(g->table);
    free(g->row);
    fields_release(&g->fields);
}

static const struct comparison_cell *cell_of(const struct group *g, int i)
{
    return frame_cell(g->f, g->table[i], g->row[i]);
}

/* ---- plots ---- */

static bool is_power_of_two(double x)
{
    int exponent;
    return x > 0 && frexp(x, &exponent) == 0.5;
}

/* Doubling is even on a log scale. */
static enum plot_scale scale_of(const struct group *g)
{
    for (int at = 0; at < g->on_lines; at++)
        if (!is_power_of_two(g->x->value[g->order[at]]))
            return PLOT_LINEAR;
    return PLOT_LOG;
}

enum { BANDS = 2, LINES = 12 };

static int count_drawn(const struct group *g, int shortest)
{
    int n = 0;
    for (int line = 0; line < g->lines; line++)
        n += length_of(g, line) >= shortest;
    return n;
}

static void add_line(const struct group *g, int line, bool difference, int drawn, struct plot *p)
{
    plot_series(p, g->label[line], drawn > BANDS ? PLOT_BARS : PLOT_BAND);
    for (int at = 0; at < g->on_lines; at++) {
        const int i = g->order[at];
        if (g->series[i] != line)
            continue;
        const struct comparison_cell *c = cell_of(g, i);
        struct stats_interval v = difference ? c->difference.interval : c->score.interval;
        double y = difference ? c->difference.paired.difference : c->score.mean;
        plot_point(p, g->x->value[i], y, v.lo, v.hi);
    }
}

static void add_references(const struct group *g, struct plot *p)
{
    for (int i = 0; i < g->n; i++) {
        const struct scores_row *row = &g->table[i]->scores->row[g->row[i]];
        const struct comparison_mean *m = &cell_of(g, i)->score;
        if (!scores_row_is_reference(row))
            continue;
        char *name = frame_name_dup(g->g, g->table[i], g->row[i]);
        if (!g->x->protocol)
            plot_reference(p, name, m->mean, m->interval.lo, m->interval.hi);
        free(name);
    }
}

/* Lines left out of the plot because there are too many of them. */
static int add_plot(const struct group *g, const char *title, bool difference, struct doc *d)
{
    struct plot *p = doc_plot(d, difference ? "curve_difference" : "curve", title);
    const int shortest = shortest_line(g), lines = count_drawn(g, shortest);
    int drawn = 0;
    plot_x(p, g->x->name, scale_of(g));
    plot_y(p, difference ? "difference to the baseline, points" : g->f->y_label, PLOT_LINEAR);
    plot_is_told(p);
    for (int line = 0; line < g->lines && drawn < LINES; line++)
        if (length_of(g, line) >= shortest) {
            add_line(g, line, difference, lines, p);
            drawn++;
        }
    if (difference)
        plot_reference(p, "no difference", 0, NAN, NAN);
    else
        add_references(g, p);
    return lines - drawn;
}

/* ---- tables ---- */

static void put_x(const struct group *g, int i, struct grid *t)
{
    grid_value(t, g->x->value[i], "%.6g", g->x->value[i]);
}

static void add_shown(const struct group *g, struct doc *d)
{
    struct grid *t = doc_grid(d, DOC_SHOWN, "settings", NULL);
    int line = -1;
    grid_column(t, "", "line", GRID_LEFT);
    grid_column(t, "", g->x->name, GRID_RIGHT);
    grid_column(t, "", "n", GRID_RIGHT);
    frame_score_columns(t);
    for (int at = 0; at < g->on_lines; at++) {
        const int i = g->order[at];
        if (line >= 0 && g->series[i] != line && length_of(g, line) > 1)
            grid_rule(t);
        grid_cell(t, text_of(g->label[g->series[i]]));
        if (g->series[i] == line)
            grid_repeated(t);
        line = g->series[i];
        put_x(g, i, t);
        grid_value(t, cell_of(g, i)->score.n, "%d", cell_of(g, i)->score.n);
        frame_score_cells(cell_of(g, i), t);
    }
}

static struct grid *data_grid(struct doc *d)
{
    static const char *const words[] = {"model", "protocol", "variant", "field", "line", "setting"};
    struct grid *t = doc_grid(d, DOC_DATA, "curve_data", NULL);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        grid_column(t, "", words[i], GRID_LEFT);
    grid_column(t, "", "x", GRID_RIGHT);
    frame_score_data_columns(t);
    doc_main(d, t);
    return t;
}

/* Settings without x, such as the full cache, have no line. */
static void add_data(const struct group *g, struct grid *t)
{
    for (int i = 0; i < g->n; i++) {
        const struct scores_table *s = g->table[i]->scores;
        grid_cell(t, text_of(s->model_name));
        grid_cell(t, text_of(s->protocol_name));
        grid_cell(t, text_of(g->table[i]->variant));
        grid_cell(t, text_of(g->x->name));
        if (g->series[i] < 0)
            grid_blank(t);
        else
            grid_cell(t, text_of(g->label[g->series[i]]));
        grid_cell(t, text_of(s->row[g->row[i]].name));
        put_x(g, i, t);
        frame_score_data_cells(cell_of(g, i), t);
    }
}

/* ---- the report ---- */

static void put_choice(const struct group *g, bool mixed, struct doc *d)
{
    struct buf others;
    buf_init(&others);
    list_fields(&g->fields, mixed, &others);
    doc_para(d, "x is %s, which varies most; --x takes any of: %s.", g->x->name, others.s);
    buf_release(&others);
}

static void put_group_notes(const struct group *g, int left_out, struct doc *d)
{
    const int shortest = shortest_line(g), single = g->lines - count_drawn(g, shortest);
    if (single)
        doc_note(
            d, "%d setting%s that %s no line with others over %s: in the table, not in the plots.",
            single, single == 1 ? "" : "s", single == 1 ? "makes" : "make", g->x->name);
    if (left_out)
        doc_note(d, "%d more line%s than a plot can show: in the table.", left_out,
                 left_out == 1 ? "" : "s");
    doc_notes_end(d);
}

static int add_group(struct store *s, struct group *g, const struct report_request *r,
                     struct grid *data, struct doc *d, struct err *e)
{
    if (group_load(g, s, r, e))
        return -1;
    struct buf heading = frame_heading_new(g->f, g->g);
    if (!r->x && !g->g.from)
        put_choice(g, r->mix_protocols, d);
    doc_heading(d, "%s", heading.s);
    int left_out = add_plot(g, heading.s, false, d);
    add_plot(g, heading.s, true, d);
    add_shown(g, d);
    put_group_notes(g, left_out, d);
    add_data(g, data);
    buf_release(&heading);
    return 0;
}

static int build_curve(struct store *s, const struct report_request *r, struct doc *d,
                       struct err *e)
{
    struct frame f;
    int rc = 0;
    if (frame_load(&f, s, r, FRAME_COMPARISONS, e))
        return -1;
    frame_put_head(&f, "score against a number of the settings", d);
    struct grid *data = data_grid(d);
    for (int i = 0; i < f.n_groups && !rc; i++) {
        struct group g = {.f = &f, .g = f.group[i]};
        rc = add_group(s, &g, r, data, d, e);
        group_release(&g);
    }
    if (!rc)
        frame_put_notes(&f, d);
    frame_release(&f);
    return rc;
}
