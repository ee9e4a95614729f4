/* The paper's table: a row a setting, a column a task, then the mean and what it costs. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "reports/grid.h"
#include "reports/table_csv.h"
#include "reports/table_data.h"
#include "reports/visible.h"

static int write_table(struct store *s, const struct report_request *r, struct buf *out,
                       struct err *e);

const struct report report_table = {
    .name = "table",
    .summary = "scores of every setting by task, with the mean, KV bytes and speed",
    .write = write_table,
};

/* ---- columns ---- */

/* What all task names start with ("mini_"), which a narrow head can do without. */
static size_t common_prefix(const struct table *t)
{
    const char *first = t->task[0].name, *end = strchr(first, '_');
    size_t n = end ? (size_t)(end - first) + 1 : 0;
    for (int i = 1; i < t->n_tasks; i++)
        if (strncmp(first, t->task[i].name, n))
            return 0;
    return t->n_tasks > 1 ? n : 0;
}

/* Columns of a text table are narrow. */
static const char *category_head(const char *category, bool text)
{
    return text && !strcmp(category, "summarization") ? "summary" : category;
}

static void add_columns(struct grid *g, const struct table *t, bool text)
{
    char mean[64];
    size_t cut = text ? common_prefix(t) : 0;
    snprintf(mean, sizeof mean, "mean of %d task%s", t->n_tasks, t->n_tasks == 1 ? "" : "s");
    grid_column(g, "", "setting", GRID_LEFT);
    if (table_has_weights(t))
        grid_column(g, "", "weights", GRID_LEFT);
    for (int i = 0; i < t->n_tasks; i++)
        grid_column(g, category_head(t->task[i].category, text), t->task[i].name + cut, GRID_RIGHT);
    grid_column(g, "", mean, GRID_RIGHT);
    grid_column(g, "", "KV %", GRID_RIGHT);
    grid_column(g, "", "read %", GRID_RIGHT);
    grid_column(g, "", "tok/s", GRID_RIGHT);
}

/* ---- cells ---- */

/* The mark's place is kept in the other rows, so that the points stand below each other. */
static const char *mark(bool marked, bool room)
{
    return marked ? "*" : room ? " " : "";
}

static void add_number(struct grid *g, double x)
{
    if (isnan(x))
        grid_cell(g, text_of("-"));
    else
        grid_printf(g, "%.1f", x);
}

static bool column_marked(const struct table *t, int task)
{
    bool any = false;
    for (int i = 0; i < t->n_rows; i++)
        any |= table_cell_partial(&t->row[i].cell[task], &t->task[task]);
    return any;
}

/* The best of the compressed settings, when there are several to choose from; task -1: the mean. */
static double best_of(const struct table *t, int task)
{
    double best = -1;
    int n = 0;
    for (int i = 0; i < t->n_rows; i++) {
        const struct table_row *r = &t->row[i];
        double x = task < 0          ? table_row_mean(t, r).mean
                   : r->cell[task].n ? r->cell[task].score
                                     : NAN;
        if (table_row_is_reference(r) || isnan(x))
            continue;
        best = x > best ? x : best;
        n++;
    }
    return n > 1 ? best : INFINITY;
}

static void add_score(struct grid *g, const struct table *t, int row, int task)
{
    const struct table_cell *c = &t->row[row].cell[task];
    const char *m = mark(table_cell_partial(c, &t->task[task]), column_marked(t, task));
    if (!c->n)
        grid_printf(g, "-%s", m);
    else
        grid_printf(g, "%.1f%s", c->score, m);
    if (c->n && !table_row_is_reference(&t->row[row]) && c->score == best_of(t, task))
        grid_bold(g);
}

static bool any_partial(const struct table *t)
{
    bool any = false;
    for (int i = 0; i < t->n_rows; i++)
        any |= table_row_mean(t, &t->row[i]).partial;
    return any;
}

static void add_mean(struct grid *g, const struct table *t, int row)
{
    struct table_mean m = table_row_mean(t, &t->row[row]);
    const char *marked = mark(m.partial, any_partial(t));
    if (isnan(m.mean))
        grid_printf(g, "-%s", marked);
    else if (isnan(m.stderr_))
        grid_printf(g, "%.1f%s", m.mean, marked);
    else
        grid_printf(g, "%.1f ±%.1f%s", m.mean, m.stderr_, marked);
    if (!table_row_is_reference(&t->row[row]) && m.mean == best_of(t, -1))
        grid_bold(g);
}

static void add_row(struct grid *g, const struct table *t, int row)
{
    const struct table_row *r = &t->row[row];
    grid_cell(g, text_of(r->name));
    if (table_has_weights(t))
        grid_cell(g, text_of(*r->weights ? r->weights : "as stored"));
    for (int i = 0; i < t->n_tasks; i++)
        add_score(g, t, row, i);
    add_mean(g, t, row);
    add_number(g, 100 * r->kv_ratio);
    add_number(g, 100 * r->read_ratio);
    add_number(g, r->decode_tps);
}

static void add_items(struct grid *g, const struct table *t)
{
    grid_rule(g);
    grid_cell(g, text_of("items"));
    if (table_has_weights(t))
        grid_cell(g, text_of(""));
    for (int i = 0; i < t->n_tasks; i++)
        grid_printf(g, "%d%s", t->task[i].items, mark(false, column_marked(t, i)));
    for (int i = 0; i < 4; i++)
        grid_cell(g, text_of(""));
}

/* ---- notes ---- */

enum { MAX_NOTED = 8 };

static void note_cell(struct buf *b, const char *setting, const struct table_task *t,
                      const struct table_cell *c)
{
    buf_printf(b, "%s %s %d of %d (", setting, t->name, c->n,
               c->planned > t->items ? c->planned : t->items);
    const char *comma = "";
    const struct {
        int n;
        const char *what;
    } why[] = {{c->failed, "failed"},
               {c->left, "left"},
               {c->done - c->n, "without a score"},
               {t->items - c->planned, "not planned"}};
    for (size_t i = 0; i < sizeof why / sizeof *why; i++)
        if (why[i].n > 0) {
            buf_printf(b, "%s%d %s", comma, why[i].n, why[i].what);
            comma = ", ";
        }
    buf_char(b, ')');
}

/* Which items are missing where: nothing is averaged silently. */
static int missing_note(const struct table *t, struct buf *b)
{
    int n = 0;
    for (int i = 0; i < t->n_rows; i++)
        for (int k = 0; k < t->n_tasks; k++) {
            if (!table_cell_partial(&t->row[i].cell[k], &t->task[k]))
                continue;
            if (n++ >= MAX_NOTED)
                continue;
            buf_str(b, n > 1 ? "; " : "* of fewer items, so not comparable: ");
            note_cell(b, t->row[i].name, &t->task[k], &t->row[i].cell[k]);
        }
    if (n > MAX_NOTED)
        buf_printf(b, "; and %d more cells", n - MAX_NOTED);
    if (n)
        buf_str(b, ". kvlab status says why.");
    return n;
}

/* Words for the rows of all tables; "" none has one yet. */
static const char *basis_words(const struct table_data *d)
{
    const char *basis = "";
    for (int i = 0; i < d->n_tables; i++)
        for (int k = 0; k < d->table[i].n_rows; k++) {
            const char *other = d->table[i].row[k].kv_basis;
            if (*other && *basis && strcmp(basis, other))
                return "partly counted from the packed records, partly as held in memory";
            basis = *other ? other : basis;
        }
    return !strcmp(basis, "counted") ? "counted from the packed records"
           : !strcmp(basis, "held")  ? "as held in memory"
           : *basis                  ? "partly counted from the packed records, partly as held"
                                     : "not recorded";
}

static bool has_stderr(const struct table_data *d)
{
    for (int i = 0; i < d->n_tables; i++)
        for (int k = 0; k < d->table[i].n_rows; k++)
            if (!isnan(table_row_mean(&d->table[i], &d->table[i].row[k]).stderr_))
                return true;
    return false;
}

/* How notes are written. */
struct noting {
    bool markdown;
    int width;
    struct buf *out;
};

static void put_note(const struct noting *w, const char *note)
{
    if (w->markdown)
        buf_printf(w->out, "- %s%s\n", *note == '*' ? "\\" : "", note);
    else
        visible_put_wrapped(note, w->width, 2, w->out);
}

/* What the numbers are. */
static void put_meanings(const struct table_data *d, const struct noting *w)
{
    struct buf b;
    buf_init(&b);
    buf_printf(&b, "Scores 0-100, the mean over the items.%s",
               has_stderr(d) ? " ±: standard error of the mean of tasks, by the chance of items; "
                               "it is not that of a difference between rows, which share items."
                             : "");
    put_note(w, b.s);
    buf_reset(&b);
    buf_printf(
        &b,
        "KV %%: bytes of the cache a token at the end, %s, as a share of a full f16 cache. "
        "read %%: bytes of it read by a decode step, as a share of the same. tok/s: decoding. "
        "All three over all finished items.",
        basis_words(d));
    put_note(w, b.s);
    if (table_data_has_weights(d))
        put_note(w, "weights: bits and group of the layers' matrices, packed by rounding to "
                    "nearest; embedding, head and norms are as stored.");
    buf_release(&b);
}

static void put_missing(const struct table *t, const struct noting *w)
{
    struct buf b;
    buf_init(&b);
    if (missing_note(t, &b))
        put_note(w, b.s);
    buf_release(&b);
}

/* What else to know of this database. */
static void put_remarks(const struct table_data *d, const struct noting *w)
{
    struct buf b;
    buf_init(&b);
    if (d->builds > 1)
        put_note(w, "The items were computed by several builds or machines, see table build.");
    if (d->mixed_scores)
        put_note(w, "Some cells mix versions of a metric, see metric_version in view result.");
    if (*d->others) {
        buf_printf(&b, "Other experiments here: %s (--experiment NAME).", d->others);
        put_note(w, b.s);
    }
    buf_release(&b);
}

/* ---- text and Markdown: a block for each variant, what they share below the last ---- */

static void put_title(const struct table_data *d, const struct table *t, const struct noting *w)
{
    buf_printf(w->out, "%s%s: %s%s%s", w->markdown ? "### " : "", d->name, t->model_name,
               *t->protocol_name ? ", protocol " : "", t->protocol_name);
    for (int i = 0; i < d->n_differing; i++)
        buf_printf(w->out, ", %s=%s", d->differing[i], t->differs[i]);
    buf_printf(w->out, ", %d setting%s\n\n", t->n_rows, t->n_rows == 1 ? "" : "s");
}

static void put_table(const struct table_data *d, const struct table *t,
                      const struct report_request *r, const struct noting *w)
{
    struct grid *g = grid_new();
    add_columns(g, t, !w->markdown);
    for (int i = 0; i < t->n_rows; i++)
        add_row(g, t, i);
    add_items(g, t);
    put_title(d, t, w);
    if (w->markdown)
        grid_put_markdown(g, w->out);
    else
        grid_put_text(g, (struct grid_look){.width = r->width, .colour = r->colour}, w->out);
    buf_char(w->out, '\n');
    grid_free(g);
}

static void put_blocks(const struct table_data *d, const struct report_request *r, struct buf *out)
{
    const struct noting w = {r->format == REPORT_MARKDOWN, r->width, out};
    for (int i = 0; i < d->n_tables; i++) {
        size_t before;
        put_table(d, &d->table[i], r, &w);
        before = out->n;
        if (d->n_tables > 1)
            put_missing(&d->table[i], &w);
        if (out->n > before)
            buf_char(out, '\n');
    }
    put_meanings(d, &w);
    if (d->n_tables == 1)
        put_missing(&d->table[0], &w);
    put_remarks(d, &w);
}

static int write_table(struct store *s, const struct report_request *r, struct buf *out,
                       struct err *e)
{
    struct table_data d;
    if (table_data_load(&d, s, r, e))
        return -1;
    if (r->format == REPORT_CSV)
        table_csv_put(&d, out);
    else
        put_blocks(&d, r, out);
    table_data_release(&d);
    return 0;
}
