/* The paper's table: a row a setting, a column a task, then the mean and what it costs. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "reports/report.h"
#include "reports/table_csv.h"
#include "reports/table_data.h"

static int build(struct store *s, const struct report_request *r, struct doc *d, struct err *e);

const struct report report_table = {
    .name = "table",
    .summary = "scores of every setting by task, with the mean, KV bytes and speed",
    .help =
        "Rows are settings in the configuration's order, the full cache first; columns are tasks "
        "by category, their mean, KV bytes held and read as shares of a full f16 cache, and "
        "decoded tokens a second. A block for each model and protocol.",
    .takes = REPORT_EXPERIMENT | REPORT_MODEL,
    .build = build,
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

static void add_task_column(struct grid *g, const struct table_task *t, size_t cut)
{
    const bool long_ = !strcmp(t->category, "summarization");
    grid_column(g, t->category, t->name, GRID_RIGHT);
    grid_short(g, long_ ? "summary" : t->category, t->name + cut);
}

static void add_columns(struct grid *g, const struct table *t)
{
    char mean[64];
    size_t cut = common_prefix(t);
    snprintf(mean, sizeof mean, "mean of %d task%s", t->n_tasks, t->n_tasks == 1 ? "" : "s");
    grid_column(g, "", "setting", GRID_LEFT);
    if (table_has_weights(t))
        grid_column(g, "", "weights", GRID_LEFT);
    for (int i = 0; i < t->n_tasks; i++)
        add_task_column(g, &t->task[i], cut);
    grid_column(g, "", mean, GRID_RIGHT);
    grid_column(g, "", "KV %", GRID_RIGHT);
    grid_column(g, "", "read %", GRID_RIGHT);
    grid_column(g, "", "tok/s", GRID_RIGHT);
}

/* ---- cells ---- */

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
    grid_number(g, c->n ? c->score : NAN, 1);
    if (table_cell_partial(c, &t->task[task]))
        grid_mark(g, GRID_STAR);
    if (c->n && !table_row_is_reference(&t->row[row]) && c->score == best_of(t, task))
        grid_bold(g);
}

static void add_mean(struct grid *g, const struct table *t, int row)
{
    struct table_mean m = table_row_mean(t, &t->row[row]);
    if (isnan(m.stderr_))
        grid_number(g, m.mean, 1);
    else
        grid_value(g, m.mean, "%.1f ±%.1f", m.mean, m.stderr_);
    if (m.partial)
        grid_mark(g, GRID_STAR);
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
    grid_number(g, 100 * r->kv_ratio, 1);
    grid_number(g, 100 * r->read_ratio, 1);
    grid_number(g, r->decode_tps, 1);
}

static void add_items(struct grid *g, const struct table *t)
{
    grid_rule(g);
    grid_cell(g, text_of("items"));
    if (table_has_weights(t))
        grid_blank(g);
    for (int i = 0; i < t->n_tasks; i++)
        grid_number(g, t->task[i].items, 0);
    for (int i = 0; i < 4; i++)
        grid_blank(g);
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

/* What the numbers are. */
static void add_meanings(const struct table_data *d, struct doc *doc)
{
    doc_note(doc, "Scores 0-100, the mean over the items.%s",
             has_stderr(d)
                 ? " ±: standard error of the mean of tasks, by the chance of items; it is "
                   "not that of a difference between rows, which share items."
                 : "");
    doc_note(doc,
             "KV %%: bytes of the cache a token at the end, %s, as a share of a full f16 cache. "
             "read %%: bytes of it read by a decode step, as a share of the same. tok/s: decoding. "
             "All three over all finished items.",
             basis_words(d));
    if (table_data_has_weights(d))
        doc_note(doc, "weights: bits and group of the layers' matrices, packed by rounding to "
                      "nearest; embedding, head and norms are as stored.");
}

static void add_missing(const struct table *t, struct doc *doc)
{
    struct buf b;
    buf_init(&b);
    if (missing_note(t, &b))
        doc_note(doc, "%s", b.s);
    buf_release(&b);
}

/* What else to know of this database. */
static void add_remarks(const struct table_data *d, struct doc *doc)
{
    if (d->builds > 1)
        doc_note(doc, "The items were computed by several builds or machines, see table build.");
    if (d->mixed_scores)
        doc_note(doc, "Some cells mix versions of a metric, see metric_version in view result.");
    if (*d->others)
        doc_note(doc, "Other experiments here: %s (--experiment NAME).", d->others);
}

/* ---- a block for each variant, what they share below the last ---- */

static void add_heading(const struct table_data *d, const struct table *t, struct doc *doc)
{
    struct buf b;
    buf_init(&b);
    buf_printf(&b, "%s: %s%s%s", d->name, t->model_name, *t->protocol_name ? ", protocol " : "",
               t->protocol_name);
    for (int i = 0; i < d->n_differing; i++)
        buf_printf(&b, ", %s=%s", d->differing[i], t->differs[i]);
    doc_heading(doc, "%s, %d setting%s", b.s, t->n_rows, t->n_rows == 1 ? "" : "s");
    buf_release(&b);
}

static void add_table(const struct table_data *d, const struct table *t, struct doc *doc)
{
    add_heading(d, t, doc);
    struct grid *g = doc_grid(doc, DOC_SHOWN, "table", NULL);
    add_columns(g, t);
    for (int i = 0; i < t->n_rows; i++)
        add_row(g, t, i);
    add_items(g, t);
}

static void add_blocks(const struct table_data *d, struct doc *doc)
{
    for (int i = 0; i < d->n_tables; i++) {
        add_table(d, &d->table[i], doc);
        if (d->n_tables > 1)
            add_missing(&d->table[i], doc);
        doc_notes_end(doc);
    }
    add_meanings(d, doc);
    if (d->n_tables == 1)
        add_missing(&d->table[0], doc);
    add_remarks(d, doc);
}

static int build(struct store *s, const struct report_request *r, struct doc *doc, struct err *e)
{
    struct table_data d;
    if (table_data_load(&d, s, r, e))
        return -1;
    doc_title(doc, "Scores of experiment %s", d.name);
    doc_field(doc, "experiment", d.name);
    add_blocks(&d, doc);
    table_csv_fill(&d, doc_grid(doc, DOC_DATA, "results", NULL));
    table_data_release(&d);
    return 0;
}
