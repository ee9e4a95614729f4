#include "reports/ema_data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"

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

/* A row an item and class, items together, the full cache first. */
static const char bytes_sql[] =
    "SELECT r.model, r.protocol, m.name, coalesce(p.preset, ''), x.run, x.name, c.method, t.job,"
    " t.context, t.steps, t.prompt_tokens + t.steps, t.full_bytes, t.read_full_bytes,"
    " t.dense_share, l.class, l.held_bytes, l.read_bytes, l.written_bytes"
    " FROM experiment_job e JOIN traffic t ON t.job = e.job JOIN item_ledger l ON l.job = t.job"
    " JOIN experiment_run x ON x.experiment = e.experiment AND x.run = t.run"
    " JOIN run r ON r.id = x.run JOIN model m ON m.id = r.model"
    " JOIN protocol p ON p.id = r.protocol JOIN setting c ON c.id = r.setting"
    " WHERE e.experiment = ?1 AND (?2 IS NULL OR m.name = ?2) AND t.steps > 0"
    " ORDER BY r.model, r.protocol, c.method <> 'full', x.position, x.run, t.job";

enum column {
    Q_MODEL,
    Q_PROTOCOL,
    Q_MODEL_NAME,
    Q_PROTOCOL_NAME,
    Q_RUN,
    Q_NAME,
    Q_METHOD,
    Q_JOB,
    Q_CONTEXT,
    Q_STEPS,
    Q_TOKENS,
    Q_FULL,
    Q_READ_FULL,
    Q_DENSE_SHARE,
    Q_CLASS,
    Q_HELD,
    Q_READ,
    Q_WRITTEN
};

static struct ema_table *table_of(struct ema_data *d, const struct stmt *q)
{
    struct ema_table *t = d->n_tables ? &d->table[d->n_tables - 1] : NULL;
    if (t && t->model == stmt_int(q, Q_MODEL) && t->protocol == stmt_int(q, Q_PROTOCOL))
        return t;
    d->table = xrealloc(d->table, mem_size((size_t)d->n_tables + 1, sizeof *d->table));
    t = &d->table[d->n_tables++];
    *t = (struct ema_table){.model = stmt_int(q, Q_MODEL),
                            .protocol = stmt_int(q, Q_PROTOCOL),
                            .model_name = stmt_str_dup(q, Q_MODEL_NAME),
                            .protocol_name = stmt_str_dup(q, Q_PROTOCOL_NAME)};
    return t;
}

static struct ema_row *row_of(struct ema_table *t, const struct stmt *q)
{
    struct ema_row *r = t->n_rows ? &t->row[t->n_rows - 1] : NULL;
    if (r && r->run == stmt_int(q, Q_RUN))
        return r;
    t->row = xrealloc(t->row, mem_size((size_t)t->n_rows + 1, sizeof *t->row));
    r = &t->row[t->n_rows++];
    *r = (struct ema_row){.run = stmt_int(q, Q_RUN),
                          .name = stmt_str_dup(q, Q_NAME),
                          .method = stmt_str_dup(q, Q_METHOD)};
    return r;
}

/* The whole number next to log2(context). */
static int bin_of(double context)
{
    int k = 0;
    while (k < EMA_BINS - 1 && context >= exp2(k + 0.5))
        k++;
    return k;
}

static void add_item(struct ema_bin *b, const struct stmt *q)
{
    double steps = stmt_num(q, Q_STEPS), full = stmt_num(q, Q_FULL),
           read_full = stmt_num(q, Q_READ_FULL), dense = stmt_num(q, Q_DENSE_SHARE);
    b->items++;
    b->steps += steps;
    b->context += steps * stmt_num(q, Q_CONTEXT);
    b->tokens += stmt_num(q, Q_TOKENS);
    b->held.full += full;
    b->held.dense_full += dense * full;
    b->read.full += read_full;
    b->read.dense_full += dense * read_full;
}

static void add_class(struct ema_bin *b, const struct stmt *q)
{
    for (int c = 0; c < EMA_CLASSES; c++)
        if (text_is(stmt_text(q, Q_CLASS), ema_class_name((enum ema_class)c))) {
            b->held.of[c] += stmt_num(q, Q_HELD);
            b->read.of[c] += stmt_num(q, Q_READ);
            b->written.of[c] += stmt_num(q, Q_WRITTEN);
        }
}

static int load_bytes(struct ema_data *d, struct db *db, const struct db_val v[2], struct err *e)
{
    struct stmt *q;
    int64_t job = 0;
    int rc;
    if (stmt_open(db, bytes_sql, v, 2, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        struct ema_row *r = row_of(table_of(d, q), q);
        struct ema_bin *b = &r->bin[bin_of(stmt_num(q, Q_CONTEXT))];
        if (stmt_int(q, Q_JOB) != job) {
            add_item(b, q);
            d->left_out--;
        }
        job = stmt_int(q, Q_JOB);
        add_class(b, q);
    }
    stmt_close(q);
    return rc;
}

/* Finished items; those that are shown are taken off as they come. */
static int load_done(struct ema_data *d, struct db *db, const struct db_val v[2], struct err *e)
{
    int64_t n = 0;
    const char *sql = "SELECT count(*) FROM experiment_job e JOIN job j ON j.id = e.job"
                      " JOIN run r ON r.id = j.run JOIN model m ON m.id = r.model"
                      " WHERE e.experiment = ?1 AND (?2 IS NULL OR m.name = ?2)"
                      " AND j.state = 'done'";
    if (db_get_int(db, sql, v, 2, &n, e) < 0)
        return -1;
    d->left_out = (int)n;
    return 0;
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
    int64_t experiment;
    *d = (struct ema_data){0};
    if (report_experiment(s, r->experiment, &experiment, &d->name, e))
        return -1;
    struct db_val v[] = {val_int(experiment), val_str(r->model)};
    if (!load_done(d, store_db(s), v, e) && !load_bytes(d, store_db(s), v, e) &&
        (d->n_tables || nothing_there(d, r->model, e) == 0))
        return 0;
    ema_data_release(d);
    return -1;
}

static void release_table(struct ema_table *t)
{
    for (int i = 0; i < t->n_rows; i++) {
        free(t->row[i].name);
        free(t->row[i].method);
    }
    free(t->row);
    free(t->model_name);
    free(t->protocol_name);
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
