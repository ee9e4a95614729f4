#include "reports/table_data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "reports/loaded.h"
#include "reports/protocol_names.h"
#include "reports/stats.h"
#include "reports/table_differences.h"

/* ---- from the scores of items ---- */

/* Sums over all items of a row: a mean of the cells' ratios would weigh short tasks as long ones.
 * What is not known of an item is left out; a sum of nothing is NaN. */
struct costs {
    double kv, kv_full, read, read_full, tokens, seconds;
    bool counted, held;
    int measured, unchanged;
};

static void add(double *sum, double x, bool known)
{
    if (known)
        *sum = isnan(*sum) ? x : *sum + x;
}

static void add_item(struct costs *c, const struct scores_item *i)
{
    c->measured += scores_is_measured(i);
    c->unchanged += scores_is_unchanged(i);
    add(&c->kv, (double)i->kv_bytes, i->kv_bytes >= 0);
    add(&c->kv_full, (double)i->kv_full_bytes, i->kv_full_bytes >= 0);
    add(&c->read, (double)i->kv_read_bytes, i->kv_read_bytes >= 0);
    add(&c->read_full, (double)i->kv_read_full_bytes, i->kv_read_full_bytes >= 0);
    add(&c->tokens, i->new_tokens, i->new_tokens >= 0);
    add(&c->seconds, i->decode_seconds, i->new_tokens >= 0 && !isnan(i->decode_seconds));
    c->counted |= i->basis == SCORES_COUNTED;
    c->held |= i->basis == SCORES_HELD;
}

static double ratio(double a, double b)
{
    return b != 0 ? a / b : NAN;
}

static void fill_costs(struct table_row *to, const struct scores_row *from,
                       const struct scores_table *t)
{
    struct costs c = {NAN, NAN, NAN, NAN, NAN, NAN, false, false, 0, 0};
    for (int k = 0; k < t->n_tasks; k++)
        for (int i = 0; i < t->task[k].n_items; i++)
            add_item(&c, &from->cell[k].item[i]);
    to->kv_ratio = ratio(c.kv, c.kv_full);
    to->read_ratio = ratio(c.read, c.read_full);
    to->decode_tps = ratio(c.tokens, c.seconds);
    to->measured = c.measured;
    to->unchanged = strcmp(to->method, "full") ? c.unchanged : 0;
    to->kv_basis = xstrdup(c.counted && c.held ? "mixed"
                           : c.counted         ? "counted"
                           : c.held            ? "held"
                                               : "");
}

static struct table_cell cell_of(const struct scores_cell *from, int n_items)
{
    double *x = xcalloc((size_t)n_items + 1, sizeof *x);
    for (int i = 0; i < n_items; i++)
        x[i] = from->item[i].score;
    struct stats_mean m = stats_mean(x, n_items);
    free(x);
    return (struct table_cell){.planned = from->planned,
                               .n = from->n,
                               .done = from->done,
                               .failed = from->failed,
                               .left = from->left,
                               .score = m.mean,
                               .stderr_ = m.stderr_};
}

static void fill_row(struct table_data *d, struct table *t, int row,
                     const struct scores_table *from)
{
    const struct scores_row *r = &from->row[row];
    struct table_row *to = &t->row[row];
    *to = (struct table_row){.run = r->run,
                             .name = xstrdup(r->name),
                             .method = xstrdup(r->method),
                             .weights = xstrdup(r->weights),
                             .cell = xcalloc((size_t)t->n_tasks + 1, sizeof *to->cell)};
    for (int k = 0; k < t->n_tasks; k++) {
        to->cell[k] = cell_of(&r->cell[k], from->task[k].n_items);
        if (to->cell[k].planned > t->task[k].items)
            t->task[k].items = to->cell[k].planned;
        d->mixed_scores += r->cell[k].version < 0;
    }
    fill_costs(to, r, from);
}

static void fill_table(struct table_data *d, struct table *t, const struct scores_table *from)
{
    *t = (struct table){.model = from->model,
                        .protocol = from->protocol,
                        .model_name = xstrdup(from->model_name),
                        .protocol_name = xstrdup(from->protocol_name),
                        .protocol_json = xstrdup(from->protocol_json),
                        .task = xcalloc((size_t)from->n_tasks + 1, sizeof *t->task),
                        .n_tasks = from->n_tasks,
                        .row = xcalloc((size_t)from->n_rows + 1, sizeof *t->row),
                        .n_rows = from->n_rows};
    for (int k = 0; k < t->n_tasks; k++)
        t->task[k] = (struct table_task){.id = from->task[k].id,
                                         .name = xstrdup(from->task[k].name),
                                         .category = xstrdup(from->task[k].category)};
    for (int i = 0; i < t->n_rows; i++)
        fill_row(d, t, i, from);
}

static int load_others(struct table_data *d, struct db *db, struct err *e)
{
    struct stmt *q;
    struct db_val v = val_str(d->name);
    const char *sql = "SELECT group_concat(name, ', ') FROM (SELECT DISTINCT name FROM experiment"
                      " WHERE name <> ?1 ORDER BY name)";
    if (stmt_open(db, sql, &v, 1, &q, e))
        return -1;
    int rc = stmt_step(q, e);
    if (rc == 1)
        d->others = stmt_str_dup(q, 0);
    stmt_close(q);
    return rc == 1 ? 0 : -1;
}

int table_data_load(struct table_data *d, struct store *s, const struct report_request *r,
                    struct err *e)
{
    struct scores_request wanted = {.experiment = r->experiment,
                                    .model = r->model,
                                    .measures = true,
                                    .loaded = loaded_scores(r->loaded),
                                    .tables =
                                        r->mix_protocols ? SCORES_BY_MODEL : SCORES_BY_PROTOCOL};
    *d = (struct table_data){0};
    if (scores_load(&d->scores, s, &wanted, e))
        return -1;
    if (r->mix_protocols && protocol_names(&d->scores, s, e)) {
        scores_release(&d->scores);
        return -1;
    }
    d->experiment = d->scores.experiment;
    d->name = xstrdup(d->scores.name);
    d->builds = scores_builds(&d->scores);
    d->n_tables = d->scores.n_tables;
    d->table = xcalloc((size_t)d->n_tables, sizeof *d->table);
    for (int i = 0; i < d->n_tables; i++)
        fill_table(d, &d->table[i], &d->scores.table[i]);
    if (!table_differences(d, e) && !load_others(d, store_db(s), e))
        return 0;
    table_data_release(d);
    return -1;
}

static void release_rows(struct table *t)
{
    for (int i = 0; i < t->n_rows; i++) {
        free(t->row[i].name);
        free(t->row[i].method);
        free(t->row[i].weights);
        free(t->row[i].kv_basis);
        free(t->row[i].cell);
    }
    free(t->row);
}

static void release_table(struct table *t, int n_differing)
{
    release_rows(t);
    for (int i = 0; i < t->n_tasks; i++) {
        free(t->task[i].name);
        free(t->task[i].category);
    }
    for (int i = 0; i < n_differing && t->differs; i++)
        free(t->differs[i]);
    free(t->differs);
    free(t->task);
    free(t->model_name);
    free(t->protocol_name);
    free(t->protocol_json);
}

void table_data_release(struct table_data *d)
{
    for (int i = 0; i < d->n_tables; i++)
        release_table(&d->table[i], d->n_differing);
    for (int i = 0; i < d->n_differing; i++)
        free(d->differing[i]);
    free(d->differing);
    free(d->table);
    free(d->name);
    free(d->others);
    scores_release(&d->scores);
    *d = (struct table_data){0};
}

/* ---- what follows from the numbers ---- */

bool table_row_is_reference(const struct table_row *r)
{
    return !strcmp(r->method, "full") && !*r->weights;
}

bool table_has_weights(const struct table *t)
{
    bool any = false;
    for (int i = 0; i < t->n_rows; i++)
        any |= *t->row[i].weights != 0;
    return any;
}

bool table_data_has_weights(const struct table_data *d)
{
    bool any = false;
    for (int i = 0; i < d->n_tables; i++)
        any |= table_has_weights(&d->table[i]);
    return any;
}

bool table_has_categories(const struct table *t)
{
    int n = 0;
    for (int k = 0; k < t->n_tasks; k++)
        n += !k || strcmp(t->task[k].category, t->task[k - 1].category);
    return n > 1 && n < t->n_tasks;
}

size_t table_common_prefix(const struct table *t)
{
    const char *first = t->task[0].name, *end = strchr(first, '_');
    size_t n = end ? (size_t)(end - first) + 1 : 0;
    for (int i = 1; i < t->n_tasks; i++)
        if (strncmp(first, t->task[i].name, n))
            return 0;
    return t->n_tasks > 1 ? n : 0;
}

bool table_cell_partial(const struct table_cell *c, const struct table_task *t)
{
    return c->n < c->planned || c->n < t->items;
}

struct table_mean table_row_mean(const struct table *t, const struct table_row *r)
{
    struct table_mean m = {0, 0, false};
    for (int i = 0; i < t->n_tasks; i++) {
        const struct table_cell *c = &r->cell[i];
        m.partial |= table_cell_partial(c, &t->task[i]);
        m.mean += c->n ? c->score : NAN;
        m.stderr_ += c->n ? c->stderr_ * c->stderr_ : NAN;
    }
    m.mean /= t->n_tasks;
    m.stderr_ = sqrt(m.stderr_) / t->n_tasks;
    return m;
}
