#include "reports/ema_data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "reports/ledger_read.h"
#include "reports/loaded.h"

const char *ema_class_name(enum ema_class c)
{
    static const char *const names[EMA_CLASSES] = {
        [EMA_ROWS] = "rows",      [EMA_RECENT] = "recent", [EMA_BASES] = "bases",
        [EMA_DIFFS] = "diffs",    [EMA_VALUES] = "values", [EMA_PAIRS] = "pairs",
        [EMA_MASKS] = "masks",    [EMA_INDEX] = "index",   [EMA_SUMS] = "sums",
        [EMA_WEIGHTS] = "weights"};
    return names[c];
}

/* ---- loading ---- */

/* The whole number next to log2(context). */
static int bin_of(double context)
{
    int k = 0;
    while (k < EMA_BINS - 1 && context >= exp2(k + 0.5))
        k++;
    return k;
}

/* Tokens in the cache before a step, the mean over the steps. */
static double context_of(const struct scores_item *i)
{
    return i->prompt_tokens - scores_tail(i) + (scores_steps(i) - 1) / 2.0;
}

/* Of the full cache's bytes those of layers that the setting leaves as they are. */
static int load_dense_share(double *share, struct db *db, int64_t run, struct err *e)
{
    static const char sql[] =
        "SELECT CASE WHEN m.layers > 0 THEN 1.0 * min(coalesce(c.first_layer, 0), m.layers)"
        " / m.layers ELSE 0.0 END FROM run r JOIN model m ON m.id = r.model"
        " JOIN setting c ON c.id = r.setting WHERE r.id = ?1";
    const struct db_val v = val_int(run);
    struct stmt *q;
    if (stmt_open(db, sql, &v, 1, &q, e))
        return -1;
    int rc = stmt_step(q, e);
    *share = rc == 1 ? stmt_num(q, 0) : 0;
    stmt_close(q);
    return rc < 0 ? -1 : 0;
}

static void add_ledger(const struct ledger_item *i, const struct ledger_row *l)
{
    const struct scores_item *item = i->item;
    struct ema_bin *b = i->to;
    if (l->first) {
        b->items++;
        b->steps += scores_steps(item);
        b->context += scores_steps(item) * context_of(item);
        b->tokens += item->prompt_tokens - scores_tail(item) + scores_steps(item);
        b->held.full += (double)item->kv_full_bytes;
        b->read.full += (double)item->kv_read_full_bytes;
    }
    b->held.of[l->class] += l->held;
    b->read.of[l->class] += l->read;
    b->written.of[l->class] += l->written;
}

/* Finished items; what comes of them is taken off later. */
struct wanted {
    struct ledger_item *v;
    size_t n;
};

static void want_row(struct ema_data *d, struct wanted *w, const struct scores_table *t, int row,
                     struct ema_row *to)
{
    const struct scores_row *from = &t->row[row];
    *to = (struct ema_row){
        .run = from->run, .name = xstrdup(from->name), .method = xstrdup(from->method)};
    for (int k = 0; k < t->n_tasks; k++)
        for (int at = 0; at < t->task[k].n_items; at++) {
            const struct scores_item *i = &from->cell[k].item[at];
            d->left_out += i->state == SCORES_DONE;
            if (i->state == SCORES_DONE && scores_steps(i) > 0 && i->prompt_tokens >= 0)
                w->v[w->n++] = (struct ledger_item){i, &to->bin[bin_of(context_of(i))]};
        }
}

static size_t count_items(const struct scores *s)
{
    size_t n = 0;
    for (int i = 0; i < s->n_tables; i++)
        for (int k = 0; k < s->table[i].n_tasks; k++)
            n += (size_t)s->table[i].n_rows * (size_t)s->table[i].task[k].n_items;
    return n;
}

static void want_tables(struct ema_data *d, struct wanted *w, const struct scores *s)
{
    w->v = xcalloc(count_items(s) + 1, sizeof *w->v);
    d->table = xcalloc((size_t)s->n_tables + 1, sizeof *d->table);
    d->n_tables = s->n_tables;
    for (int i = 0; i < s->n_tables; i++) {
        const struct scores_table *from = &s->table[i];
        struct ema_table *t = &d->table[i];
        *t = (struct ema_table){.model = from->model,
                                .protocol = from->protocol,
                                .model_name = xstrdup(from->model_name),
                                .protocol_name = xstrdup(from->protocol_name),
                                .row = xcalloc((size_t)from->n_rows + 1, sizeof *t->row),
                                .n_rows = from->n_rows};
        for (int row = 0; row < t->n_rows; row++)
            want_row(d, w, from, row, &t->row[row]);
    }
}

/* ---- what is shown ---- */

static int end_row(struct ema_row *r, struct db *db, int *items, struct err *e)
{
    double dense;
    if (load_dense_share(&dense, db, r->run, e))
        return -1;
    for (int k = 0; k < EMA_BINS; k++) {
        struct ema_bin *b = &r->bin[k];
        *items += b->items;
        b->held.dense_full = dense * b->held.full;
        b->read.dense_full = dense * b->read.full;
    }
    return 0;
}

static void find_classes(struct ema_table *t)
{
    for (int i = 0; i < t->n_rows; i++)
        for (int k = 0; k < EMA_BINS; k++)
            for (int c = 0; c < EMA_CLASSES; c++) {
                const struct ema_bin *b = &t->row[i].bin[k];
                t->has[c] |= b->read.of[c] + b->held.of[c] > 0;
            }
}

static void release_row(struct ema_row *r)
{
    free(r->name);
    free(r->method);
}

static void release_table(struct ema_table *t)
{
    for (int i = 0; i < t->n_rows; i++)
        release_row(&t->row[i]);
    free(t->row);
    free(t->model_name);
    free(t->protocol_name);
}

/* Settings of which no item is shown do not stand in the table. */
static int end_table(struct ema_data *d, struct ema_table *t, struct db *db, struct err *e)
{
    int kept = 0, rc = 0;
    for (int i = 0; i < t->n_rows; i++) {
        int items = 0;
        rc = rc || end_row(&t->row[i], db, &items, e);
        d->left_out -= items;
        if (items)
            t->row[kept++] = t->row[i];
        else
            release_row(&t->row[i]);
    }
    t->n_rows = kept;
    find_classes(t);
    return rc ? -1 : 0;
}

static int end_tables(struct ema_data *d, struct db *db, struct err *e)
{
    int kept = 0, rc = 0;
    for (int i = 0; i < d->n_tables; i++) {
        rc = rc || end_table(d, &d->table[i], db, e);
        if (d->table[i].n_rows)
            d->table[kept++] = d->table[i];
        else
            release_table(&d->table[i]);
    }
    d->n_tables = kept;
    return rc ? -1 : 0;
}

static int load_scores(struct scores *scores, struct store *s, const struct report_request *r,
                       struct err *e)
{
    const struct scores_request q = {.experiment = r->experiment,
                                     .model = r->model,
                                     .measures = true,
                                     .loaded = loaded_scores(r->loaded)};
    return scores_load(scores, s, &q, e);
}

static int load_bytes(struct ema_data *d, struct store *s, const struct scores *scores,
                      struct err *e)
{
    struct wanted w = {0};
    d->name = xstrdup(scores->name);
    want_tables(d, &w, scores);
    int rc = ledger_read(s, w.v, w.n, add_ledger, e) || end_tables(d, store_db(s), e) ? -1 : 0;
    free(w.v);
    return rc;
}

static int nothing_there(const struct ema_data *d, const char *model, struct err *e)
{
    if (!d->left_out)
        return err_user(e, "experiment %s has no finished item%s%s yet", d->name,
                        model ? " of model " : "", model ? model : "");
    return err_user(e,
                    "none of the %d finished items of experiment %s has bytes by class: they are "
                    "imported, of one token, or of a kvlab before version 2 of the database, which "
                    "a run into another --db mends",
                    d->left_out, d->name);
}

int ema_data_load(struct ema_data *d, struct store *s, const struct report_request *r,
                  struct err *e)
{
    struct scores scores;
    *d = (struct ema_data){0};
    if (load_scores(&scores, s, r, e))
        return -1;
    int rc = load_bytes(d, s, &scores, e);
    scores_release(&scores);
    if (!rc && (d->n_tables || !nothing_there(d, r->model, e)))
        return 0;
    ema_data_release(d);
    return -1;
}

void ema_data_release(struct ema_data *d)
{
    for (int i = 0; i < d->n_tables; i++)
        release_table(&d->table[i]);
    free(d->table);
    free(d->name);
    *d = (struct ema_data){0};
}

/* ---- what follows from the numbers ---- */

double ema_sum(const struct ema_bytes *b)
{
    double sum = 0;
    for (int c = 0; c < EMA_CACHE_CLASSES; c++)
        sum += b->of[c];
    return sum;
}

/* Uncompressed layers hold class rows; where a setting has none, rows are its own packing. */
static double packed_less(const struct ema_bytes *b)
{
    double rows = b->dense_full > 0 ? b->of[EMA_ROWS] : 0, full = b->full - b->dense_full;
    if (full <= 0 || ema_sum(b) <= b->of[EMA_ROWS])
        return NAN;
    return 1 - (ema_sum(b) - rows) / full;
}

double ema_less(const struct ema_bytes *b, enum ema_view view)
{
    double metadata = b->of[EMA_PAIRS] + b->of[EMA_MASKS] + b->of[EMA_INDEX];
    if (b->full <= 0)
        return NAN;
    switch (view) {
    case EMA_NO_METADATA:
        return 1 - (ema_sum(b) - metadata) / b->full;
    case EMA_PACKED:
        return packed_less(b);
    case EMA_COMPOSED:
        return packed_less(b) * 30 / 32;
    default:
        return 1 - ema_sum(b) / b->full;
    }
}
