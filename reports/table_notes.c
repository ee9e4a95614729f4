#include "reports/table_notes.h"

#include <math.h>
#include <string.h>

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
        buf_str(b, ". kvlab report failures says why.");
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

static bool has_categories(const struct table_data *d)
{
    bool any = false;
    for (int i = 0; i < d->n_tables; i++)
        any |= table_has_categories(&d->table[i]);
    return any;
}

static bool has_nats(const struct table_data *d, bool nats)
{
    bool any = false;
    for (int i = 0; i < d->scores.n_tables; i++)
        any |= scores_in_nats(&d->scores.table[i]) == nats;
    return any;
}

void table_note_meanings(const struct table_data *d, struct doc *doc)
{
    if (has_nats(d, true))
        doc_note(doc, "Metrics nll and kl: hundredths of a nat a token, the less the better.");
    doc_note(doc, "%s the mean over the items.%s%s",
             has_nats(d, false) ? "Scores 0-100," : "Scores are",
             has_stderr(d) ? " ±: standard error of the average, by the chance of items; it is not "
                             "that of a difference between rows, which share items."
                           : "",
             has_categories(d) ? " The mean of categories weighs their means alike, as LongBench's "
                                 "leaderboard does."
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

/* Rows of all tables with items that were to be compressed and were not. */
static int unchanged_note(const struct table_data *d, struct buf *b)
{
    int n = 0;
    for (int i = 0; i < d->n_tables; i++)
        for (int k = 0; k < d->table[i].n_rows; k++) {
            const struct table_row *r = &d->table[i].row[k];
            if (r->unchanged && n++ < MAX_NOTED)
                buf_printf(b, "%s%s %d of %d", n > 1 ? "; " : "", r->name, r->unchanged,
                           r->measured);
        }
    if (n > MAX_NOTED)
        buf_printf(b, "; and %d more rows", n - MAX_NOTED);
    return n;
}

void table_note_unchanged(const struct table_data *d, struct doc *doc)
{
    struct buf b;
    buf_init(&b);
    if (unchanged_note(d, &b))
        doc_note(doc,
                 "‡ compression was asked for, but items held and read as many bytes as with a "
                 "full cache, as when the budget or a window is as long as the prompt: %s.",
                 b.s);
    buf_release(&b);
}

void table_note_missing(const struct table *t, struct doc *doc)
{
    struct buf b;
    buf_init(&b);
    if (missing_note(t, &b))
        doc_note(doc, "%s", b.s);
    buf_release(&b);
}

void table_note_remarks(const struct table_data *d, struct doc *doc)
{
    if (d->builds > 1)
        doc_note(doc, "The items were computed by several builds or machines, see table build.");
    if (d->mixed_scores)
        doc_note(doc, "Some cells mix versions of a metric, see metric_version in view result.");
    if (*d->others)
        doc_note(doc, "Other experiments here: %s (--experiment NAME).", d->others);
}
