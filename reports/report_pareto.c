/* Score against the bytes that the cache was measured to take, and which settings nothing beats. */
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/base/near.h"
#include "reports/fields.h"
#include "reports/front.h"

static int build_pareto(struct store *s, const struct report_request *r, struct doc *d,
                        struct err *e);

const struct report report_pareto = {
    .name = "pareto",
    .summary = "score against measured bytes of the cache, with the Pareto front",
    .help =
        "--x: held (bytes held a token at the end; the default), read (bytes read a decode "
        "step), ratio or read_ratio (the same as a share of a full f16 cache). --y: tasks (their "
        "mean; the default), categories (the mean of their means), a category, or a task. "
        "Bytes are those of the same tasks, as counted while the items were answered.",
    .takes = REPORT_EXPERIMENT | REPORT_MODEL | REPORT_BASELINE | REPORT_X | REPORT_Y |
             REPORT_RESAMPLING | REPORT_MIX_PROTOCOLS | REPORT_PLOT,
    .build = build_pareto,
};

/* ---- the axis ---- */

static double held_token(const struct front_bytes *b)
{
    return b->held_token;
}

static double read_step(const struct front_bytes *b)
{
    return b->read_step;
}

static double held_share(const struct front_bytes *b)
{
    return 100 * b->held_share;
}

static double read_share(const struct front_bytes *b)
{
    return 100 * b->read_share;
}

struct axis {
    const char *name, *label;
    double unit; // how many bytes the label's unit has
    const char *unit_name;
    int digits;
    double (*of)(const struct front_bytes *b);
};

static const struct axis axes[] = {
    {"held", "KV cache held a token, bytes", 1, "bytes", 0, held_token},
    {"read", "KV cache read a decode step, MB", 1e6, "MB", 2, read_step},
    {"ratio", "KV cache held, % of a full f16 cache", 1, "%", 0, held_share},
    {"read_ratio", "KV cache read a decode step, % of a full f16 cache", 1, "%", 0, read_share},
};
enum { N_AXES = sizeof axes / sizeof *axes };

static const struct axis *axis_find(const char *name, struct err *e)
{
    const char *names[N_AXES];
    char hint[128];
    for (int i = 0; i < N_AXES; i++) {
        names[i] = axes[i].name;
        if (!strcmp(name ? name : "held", names[i]))
            return &axes[i];
    }
    err_user(e, "report pareto: --x '%s' must be held, read, ratio or read_ratio%s", name,
             near_hint(hint, name, names, N_AXES));
    return NULL;
}

/* ---- a plot's settings ---- */

struct setting {
    const struct frame_table *table;
    int row;
    char *name;         // as shown
    const char *family; // of the plot's series, borrowed
    struct front_bytes bytes;
};

struct group {
    const struct frame *f;
    const struct axis *x;
    struct frame_group g;
    struct fields fields;
    char **ablation; // [n]: name of the first that a setting is in, or NULL
    struct setting *setting;
    struct front_point *point;
    int n;
};

/* The ablation that a run is a variant in; a base belongs to all and has none. */
static int load_ablation(struct group *g, struct store *s, const struct scores_row *r, char **out,
                         struct err *e)
{
    struct stmt *q;
    const struct db_val v[] = {val_int(g->f->scores.experiment), val_int(r->run)};
    const char *sql = "SELECT ablation FROM experiment_factor WHERE experiment = ?1 AND run = ?2"
                      " AND NOT EXISTS (SELECT 1 FROM experiment_factor WHERE experiment = ?1"
                      " AND base = ?2) ORDER BY ablation LIMIT 1";
    if (stmt_open(store_db(s), sql, v, 2, &q, e))
        return -1;
    int rc = stmt_step(q, e);
    *out = rc == 1 ? stmt_str_dup(q, 0) : NULL;
    stmt_close(q);
    return rc < 0 ? -1 : 0;
}

static int load_setting(struct group *g, struct store *s, const struct frame_table *t, int row,
                        int at, struct err *e)
{
    struct setting *c = &g->setting[at];
    if (load_ablation(g, s, &t->scores->row[row], &g->ablation[at], e))
        return -1;
    *c = (struct setting){.table = t,
                          .row = row,
                          .name = frame_name_dup(g->g, t, row),
                          .family = g->ablation[at] ? g->ablation[at] : g->fields.family[at],
                          .bytes = front_bytes(t, row)};
    g->point[at] =
        (struct front_point){g->x->of(&c->bytes), frame_cell(g->f, t, row)->score.mean, false, -1};
    return 0;
}

/* g: f, x, g; the rest is filled. To be released also after an error. */
static int group_load(struct group *g, struct store *s, struct err *e)
{
    const struct frame *f = g->f;
    int at = 0;
    if (fields_load(&g->fields, s, f, g->g, e))
        return -1;
    g->n = g->fields.n;
    g->ablation = xcalloc((size_t)g->n + 1, sizeof *g->ablation);
    g->setting = xcalloc((size_t)g->n + 1, sizeof *g->setting);
    g->point = xcalloc((size_t)g->n + 1, sizeof *g->point);
    for (int i = g->g.from; i < g->g.to; i++)
        for (int row = 0; row < f->table[i].scores->n_rows; row++)
            if (load_setting(g, s, &f->table[i], row, at++, e))
                return -1;
    front_find(g->point, g->n, scores_in_nats(f->table[g->g.from].scores) ? -1 : 1);
    return 0;
}

static void group_release(struct group *g)
{
    for (int i = 0; i < g->n; i++) {
        free(g->ablation[i]);
        free(g->setting[i].name);
    }
    free(g->ablation);
    free(g->setting);
    free(g->point);
    fields_release(&g->fields);
}

static bool has_point(const struct group *g, int i)
{
    return !isnan(g->point[i].x) && !isnan(g->point[i].y);
}

static bool is_reference(const struct setting *c)
{
    return scores_row_is_reference(&c->table->scores->row[c->row]);
}

/* ---- the plot ---- */

static const struct comparison_mean *score_of(const struct group *g, int i)
{
    return &frame_cell(g->f, g->setting[i].table, g->setting[i].row)->score;
}

static bool is_first_of_family(const struct group *g, int at)
{
    for (int i = 0; i < at; i++)
        if (has_point(g, i) && !is_reference(&g->setting[i]) &&
            !strcmp(g->setting[i].family, g->setting[at].family))
            return false;
    return has_point(g, at) && !is_reference(&g->setting[at]);
}

/* Bars of more points than these hide one another: then only the front's are drawn. */
enum { BARS = 40 };

static bool has_bar(const struct group *g, int i)
{
    return g->n <= BARS || g->point[i].front;
}

static void add_family(const struct group *g, const char *family, struct plot *p)
{
    plot_series(p, family, PLOT_SCATTER);
    for (int i = 0; i < g->n; i++)
        if (has_point(g, i) && !is_reference(&g->setting[i]) &&
            !strcmp(g->setting[i].family, family)) {
            const struct comparison_mean *m = score_of(g, i);
            const bool bar = has_bar(g, i);
            plot_point(p, g->point[i].x / g->x->unit, m->mean, bar ? m->interval.lo : NAN,
                       bar ? m->interval.hi : NAN);
        }
}

static void add_front(const struct group *g, struct plot *p)
{
    plot_series(p, "Pareto front", PLOT_FRONT);
    for (int i = 0; i < g->n; i++)
        if (g->point[i].front && !is_reference(&g->setting[i])) {
            plot_point(p, g->point[i].x / g->x->unit, g->point[i].y, NAN, NAN);
            plot_point_name(p, g->setting[i].name);
        }
}

/* The full cache is a line, not a point: far to the right of the others it would press them
 * together. Its name has its bytes. */
static void add_reference(const struct group *g, int i, struct plot *p)
{
    const struct comparison_mean *m = score_of(g, i);
    struct buf b;
    buf_init(&b);
    buf_str(&b, g->setting[i].name);
    if (has_point(g, i))
        buf_printf(&b, " (%.*f %s)", g->x->digits, g->point[i].x / g->x->unit, g->x->unit_name);
    plot_reference(p, b.s, m->mean, m->interval.lo, m->interval.hi);
    buf_release(&b);
}

/* Bytes over more than a decade are seen better on a log scale. */
static enum plot_scale scale_of(const struct group *g)
{
    double least = INFINITY, most = 0;
    for (int i = 0; i < g->n; i++)
        if (has_point(g, i) && !is_reference(&g->setting[i])) {
            least = fmin(least, g->point[i].x);
            most = fmax(most, g->point[i].x);
        }
    return least > 0 && most > 8 * least ? PLOT_LOG : PLOT_LINEAR;
}

static void add_plot(const struct group *g, const char *title, struct doc *d)
{
    struct plot *p = doc_plot(d, "pareto", title);
    plot_x(p, g->x->label, scale_of(g));
    plot_y(p, g->f->y_label, PLOT_LINEAR);
    plot_is_told(p);
    for (int i = 0; i < g->n; i++)
        if (is_reference(&g->setting[i]))
            add_reference(g, i, p);
    for (int i = 0; i < g->n; i++)
        if (is_first_of_family(g, i))
            add_family(g, g->setting[i].family, p);
    add_front(g, p);
}

/* ---- tables ---- */

static void add_shown(const struct group *g, struct doc *d)
{
    struct grid *t = doc_grid(d, DOC_SHOWN, "settings", NULL);
    grid_column(t, "", "setting", GRID_LEFT);
    grid_column(t, "KV bytes", "held a token", GRID_RIGHT);
    grid_column(t, "KV bytes", "read a step", GRID_RIGHT);
    grid_column(t, "% of full f16", "held", GRID_RIGHT);
    grid_column(t, "% of full f16", "read", GRID_RIGHT);
    frame_score_columns(t);
    for (int i = 0; i < g->n; i++) {
        const struct front_bytes *b = &g->setting[i].bytes;
        grid_cell(t, text_of(g->setting[i].name));
        if (g->point[i].front)
            grid_mark(t, GRID_STAR);
        frame_put_bytes(t, b->held_token);
        frame_put_bytes(t, b->read_step);
        grid_number(t, 100 * b->held_share, 2);
        grid_number(t, 100 * b->read_share, 2);
        frame_score_cells(frame_cell(g->f, g->setting[i].table, g->setting[i].row), t);
    }
}

static struct grid *data_grid(struct doc *d)
{
    static const char *const words[] = {"model",   "protocol", "variant",
                                        "setting", "method",   "series"};
    static const struct {
        const char *head, *unit;
    } numbers[] = {{"bytes_items", "items"},     {"held_bytes_token", "bytes"},
                   {"read_bytes_step", "bytes"}, {"held_share", "percent"},
                   {"read_share", "percent"},    {"front", NULL}};
    struct grid *t = doc_grid(d, DOC_DATA, "pareto_data", NULL);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        grid_column(t, "", words[i], GRID_LEFT);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        grid_column(t, "", numbers[i].head, GRID_RIGHT);
        if (numbers[i].unit)
            grid_unit(t, numbers[i].unit);
    }
    grid_column(t, "", "dominated_by", GRID_LEFT);
    frame_score_data_columns(t);
    doc_main(d, t);
    return t;
}

static void add_data(const struct group *g, struct grid *t)
{
    for (int i = 0; i < g->n; i++) {
        const struct setting *c = &g->setting[i];
        const struct scores_table *s = c->table->scores;
        const double number[] = {c->bytes.items, c->bytes.held_token, c->bytes.read_step,
                                 100 * c->bytes.held_share, 100 * c->bytes.read_share};
        grid_cell(t, text_of(s->model_name));
        grid_cell(t, text_of(s->protocol_name));
        grid_cell(t, text_of(c->table->variant));
        grid_cell(t, text_of(s->row[c->row].name));
        grid_cell(t, text_of(s->row[c->row].method));
        grid_cell(t, text_of(c->family));
        for (size_t k = 0; k < sizeof number / sizeof *number; k++)
            grid_value(t, number[k], "%.6g", number[k]);
        grid_value(t, has_point(g, i) ? g->point[i].front : NAN, "%d", g->point[i].front);
        if (g->point[i].beaten_by < 0)
            grid_blank(t);
        else
            grid_cell(t, text_of(g->setting[g->point[i].beaten_by].name));
        frame_score_data_cells(frame_cell(g->f, c->table, c->row), t);
    }
}

/* ---- notes ---- */

struct left_out {
    int without, mixed, no_point, points;
    bool no_bars; // of some points
};

static void count(const struct group *g, struct left_out *n)
{
    for (int i = 0; i < g->n; i++) {
        n->without += g->setting[i].bytes.without;
        n->mixed += g->setting[i].bytes.mixed;
        n->no_point += isnan(g->point[i].x);
        n->points += !isnan(g->point[i].x);
        n->no_bars |= has_point(g, i) && !has_bar(g, i);
    }
}

static void put_notes(const struct frame *f, const struct axis *x, const struct left_out *n,
                      struct doc *d)
{
    doc_note(
        d,
        "* on the Pareto front: no other setting has no more bytes (--x %s) and no worse score, "
        "and is better in one.",
        x->name);
    doc_note(d, "Bytes are measured over the items of the same tasks: held at the end, read by the "
                "decode steps; k, M: 1000, 1000000 bytes.");
    frame_put_notes(f, d);
    if (n->without)
        doc_note(d, "%d finished item%s without measured bytes: not among the bytes.", n->without,
                 n->without == 1 ? " is" : "s are");
    if (n->mixed)
        doc_note(d,
                 "%d setting%s of which some items have bytes counted by records and others of "
                 "memory held.",
                 n->mixed, n->mixed == 1 ? "" : "s");
    if (n->no_bars)
        doc_note(
            d,
            "The plot has intervals of the front alone: with all of them nothing would be seen.");
    if (n->no_point)
        doc_note(d, "%d setting%s without measured bytes: not in the plot.", n->no_point,
                 n->no_point == 1 ? " is" : "s are");
}

/* ---- the report ---- */

static int add_group(struct store *s, struct group *g, struct left_out *n, struct grid *data,
                     struct doc *d, struct err *e)
{
    if (group_load(g, s, e))
        return -1;
    struct buf heading = frame_heading_new(g->f, g->g);
    count(g, n);
    doc_heading(d, "%s", heading.s);
    add_plot(g, heading.s, d);
    add_shown(g, d);
    add_data(g, data);
    buf_release(&heading);
    return 0;
}

static int add_groups(struct store *s, const struct frame *f, const struct axis *x,
                      struct left_out *n, struct doc *d, struct err *e)
{
    struct grid *data = data_grid(d);
    int rc = 0;
    for (int i = 0; i < f->n_groups && !rc; i++) {
        struct group g = {.f = f, .x = x, .g = f->group[i]};
        rc = add_group(s, &g, n, data, d, e);
        group_release(&g);
    }
    return rc;
}

static int build(struct store *s, const struct frame *f, const struct axis *x, struct doc *d,
                 struct err *e)
{
    struct left_out n = {0};
    frame_put_head(f, "score against bytes of the cache", d);
    doc_field(d, "x", x->name);
    if (add_groups(s, f, x, &n, d, e))
        return -1;
    if (!n.points)
        return err_user(
            e,
            "experiment %s has no measured bytes for --x %s: imported answers have none, "
            "and unfinished or failed items (kvlab report failures)",
            f->scores.name, x->name);
    put_notes(f, x, &n, d);
    return 0;
}

static int build_pareto(struct store *s, const struct report_request *r, struct doc *d,
                        struct err *e)
{
    struct frame f;
    const struct axis *x = axis_find(r->x, e);
    if (!x || frame_load(&f, s, r, FRAME_MEASURES | FRAME_COMPARISONS, e))
        return -1;
    int rc = build(s, &f, x, d, e);
    frame_release(&f);
    return rc;
}
