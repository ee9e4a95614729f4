#include "reports/table_data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/base/near.h"
#include "reports/table_differences.h"

/* ---- loading: one function a query ---- */

/* Room for one more; zeroed. */
static void *grow(void *list, int n, size_t size)
{
    char *p = xrealloc(list, mem_size((size_t)n + 1, size));
    memset(p + (size_t)n * size, 0, size);
    return p;
}

/* Categories and their tasks in the order in which they were planned. One of several of its name is
 * called by its data, too: by the words before a comma where these tell it from the others. */
static const char tasks_sql[] =
    "WITH t AS (SELECT k.id, k.name, k.category, f.first, replace(k.data, 'generated: ', '') AS "
    "data,"
    "   substr(replace(k.data, 'generated: ', ''), 1,"
    "          instr(replace(k.data, 'generated: ', '') || ',', ',') - 1) AS brief"
    " FROM (SELECT j.task AS task, min(j.id) AS first FROM experiment_job x"
    "   JOIN job j ON j.id = x.job JOIN run r ON r.id = j.run"
    "   WHERE x.experiment = ?1 AND r.model = ?2 AND r.protocol = ?3 GROUP BY j.task) f"
    " JOIN task k ON k.id = f.task)"
    "SELECT id, name || CASE WHEN data IS NULL OR count(*) OVER (PARTITION BY name) = 1 THEN ''"
    "   WHEN count(*) OVER (PARTITION BY name, brief) = 1 THEN ' ' || brief"
    "   ELSE ' ' || data END, category"
    " FROM t ORDER BY min(first) OVER (PARTITION BY category), first";

static int load_tasks(const struct table_data *d, struct table *t, struct db *db, struct err *e)
{
    struct stmt *q;
    struct db_val v[] = {val_int(d->experiment), val_int(t->model), val_int(t->protocol)};
    int rc;
    if (stmt_open(db, tasks_sql, v, 3, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        t->task = grow(t->task, t->n_tasks, sizeof *t->task);
        struct table_task *k = &t->task[t->n_tasks++];
        k->id = stmt_int(q, 0);
        k->name = stmt_str_dup(q, 1);
        k->category = stmt_str_dup(q, 2);
    }
    stmt_close(q);
    return rc;
}

static const char tables_sql[] =
    "SELECT r.model, r.protocol, m.name, coalesce(p.preset, ''), p.json FROM experiment_run x"
    " JOIN run r ON r.id = x.run JOIN model m ON m.id = r.model"
    " JOIN protocol p ON p.id = r.protocol"
    " WHERE x.experiment = ?1 AND (?2 IS NULL OR m.name = ?2) AND EXISTS (SELECT 1 FROM job j"
    "   JOIN experiment_job k ON k.job = j.id AND k.experiment = ?1 WHERE j.run = x.run)"
    " GROUP BY r.model, r.protocol ORDER BY min(x.position), min(r.id)";

static int load_tables(struct table_data *d, struct db *db, const char *model, struct err *e)
{
    struct stmt *q;
    struct db_val v[] = {val_int(d->experiment), val_str(model)};
    int rc;
    if (stmt_open(db, tables_sql, v, 2, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        d->table = grow(d->table, d->n_tables, sizeof *d->table);
        struct table *t = &d->table[d->n_tables++];
        t->model = stmt_int(q, 0);
        t->protocol = stmt_int(q, 1);
        t->model_name = stmt_str_dup(q, 2);
        t->protocol_name = stmt_str_dup(q, 3);
        t->protocol_json = stmt_str_dup(q, 4);
    }
    stmt_close(q);
    return rc;
}

/* The full cache with the stored weights first, then the configuration's order. */
static const char rows_sql[] =
    "SELECT x.run, x.name, c.method, coalesce(c.weights, '') FROM experiment_run x JOIN run r ON "
    "r.id = x.run"
    " JOIN setting c ON c.id = r.setting"
    " WHERE x.experiment = ?1 AND r.model = ?2 AND r.protocol = ?3"
    " ORDER BY c.method <> 'full' OR c.weights IS NOT NULL, x.position, x.run";

static int load_rows(const struct table_data *d, struct table *t, struct db *db, struct err *e)
{
    struct stmt *q;
    struct db_val v[] = {val_int(d->experiment), val_int(t->model), val_int(t->protocol)};
    int rc;
    if (stmt_open(db, rows_sql, v, 3, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        t->row = grow(t->row, t->n_rows, sizeof *t->row);
        struct table_row *r = &t->row[t->n_rows++];
        *r = (struct table_row){.run = stmt_int(q, 0),
                                .kv_ratio = NAN,
                                .read_ratio = NAN,
                                .decode_tps = NAN,
                                .name = stmt_str_dup(q, 1),
                                .method = stmt_str_dup(q, 2),
                                .weights = stmt_str_dup(q, 3),
                                .kv_basis = xstrdup(""),
                                .cell = xcalloc((size_t)t->n_tasks + 1, sizeof *r->cell)};
    }
    stmt_close(q);
    return rc;
}

/* *table (or NULL): whose row it is. */
static struct table_row *find_row(struct table_data *d, int64_t run, struct table **table)
{
    for (int i = 0; i < d->n_tables; i++)
        for (int k = 0; k < d->table[i].n_rows; k++)
            if (d->table[i].row[k].run == run) {
                if (table)
                    *table = &d->table[i];
                return &d->table[i].row[k];
            }
    return NULL;
}

static int find_task(const struct table *t, int64_t id)
{
    int i = 0;
    while (t->task[i].id != id)
        i++;
    return i;
}

static void read_cell(struct table_data *d, const struct stmt *q)
{
    struct table *t;
    struct table_row *r = find_row(d, stmt_int(q, 0), &t);
    if (!r)
        return; // of a model that was not asked for
    int task = find_task(t, stmt_int(q, 1));
    struct table_cell *c = &r->cell[task];
    *c = (struct table_cell){
        .planned = (int)stmt_int(q, 2),
        .n = (int)stmt_int(q, 3),
        .done = (int)stmt_int(q, 4),
        .failed = (int)stmt_int(q, 5),
        .left = (int)stmt_int(q, 6),
        .score = stmt_num(q, 7),
        .stderr_ = stmt_num(q, 8),
    };
    if (c->planned > t->task[task].items)
        t->task[task].items = c->planned;
    d->mixed_scores += text_is(stmt_text(q, 9), "mixed");
}

static int load_cells(struct table_data *d, struct db *db, struct err *e)
{
    struct stmt *q;
    struct db_val v = val_int(d->experiment);
    int rc;
    const char *sql = "SELECT run, task_id, planned, n, done, failed, \"left\", score, stderr,"
                      " metric_version FROM experiment_cell WHERE experiment = ?1";
    if (stmt_open(db, sql, &v, 1, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1)
        read_cell(d, q);
    stmt_close(q);
    return rc;
}

/* Sums over all items of a row: a mean of the cells' ratios would weigh short tasks as long ones.
 */
static const char costs_sql[] =
    "SELECT i.run, 1.0 * sum(i.kv_bytes) / sum(i.kv_full_bytes),"
    " 1.0 * sum(i.kv_read_bytes) / sum(i.kv_read_full_bytes),"
    " sum(i.new_tokens) / sum(iif(i.new_tokens IS NULL, NULL, i.decode_seconds)),"
    " iif(min(i.kv_basis) = max(i.kv_basis), min(i.kv_basis),"
    "     iif(min(i.kv_basis) IS NULL, '', 'mixed'))"
    " FROM experiment_job x JOIN item i ON i.job = x.job WHERE x.experiment = ?1 GROUP BY i.run";

static int load_costs(struct table_data *d, struct db *db, struct err *e)
{
    struct stmt *q;
    struct db_val v = val_int(d->experiment);
    int rc;
    if (stmt_open(db, costs_sql, &v, 1, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        struct table_row *r = find_row(d, stmt_int(q, 0), NULL);
        if (!r)
            continue;
        r->kv_ratio = stmt_num(q, 1);
        r->read_ratio = stmt_num(q, 2);
        r->decode_tps = stmt_num(q, 3);
        free(r->kv_basis);
        r->kv_basis = stmt_str_dup(q, 4);
    }
    stmt_close(q);
    return rc;
}

static int load_others(struct table_data *d, struct db *db, struct err *e)
{
    struct stmt *q;
    struct db_val v[] = {val_int(d->experiment), val_str(d->name)};
    int64_t builds = 0;
    const char *sql = "SELECT group_concat(name, ', ') FROM (SELECT DISTINCT name FROM experiment"
                      " WHERE name <> ?1 ORDER BY name)";
    if (stmt_open(db, sql, &v[1], 1, &q, e))
        return -1;
    int rc = stmt_step(q, e);
    if (rc == 1)
        d->others = stmt_str_dup(q, 0);
    stmt_close(q);
    sql = "SELECT count(DISTINCT j.build) FROM experiment_job x JOIN job j ON j.id = x.job"
          " WHERE x.experiment = ?1";
    if (rc != 1 || db_get_int(db, sql, v, 1, &builds, e) < 0)
        return -1;
    d->builds = (int)builds;
    return 0;
}

static int unknown_model(const struct table_data *d, struct db *db, const char *model,
                         struct err *e)
{
    struct stmt *q;
    struct db_val v = val_int(d->experiment);
    const char *sql = "SELECT group_concat(DISTINCT m.name) FROM experiment_run x"
                      " JOIN run r ON r.id = x.run JOIN model m ON m.id = r.model"
                      " WHERE x.experiment = ?1";
    if (stmt_open(db, sql, &v, 1, &q, e))
        return -1;
    int rc = stmt_step(q, e);
    if (rc == 1) {
        char *names = stmt_str_dup(q, 0);
        err_user(e, "experiment %s has no model '%s'; it has: %s", d->name, model, names);
        free(names);
    }
    stmt_close(q);
    return -1;
}

static int load(struct table_data *d, struct db *db, const struct report_request *r, struct err *e)
{
    if (load_tables(d, db, r->model, e))
        return -1;
    if (r->model && !d->n_tables)
        return unknown_model(d, db, r->model, e);
    if (!d->n_tables)
        return err_user(e, "experiment %s holds no jobs", d->name);
    for (int i = 0; i < d->n_tables; i++)
        if (load_tasks(d, &d->table[i], db, e) || load_rows(d, &d->table[i], db, e))
            return -1;
    if (table_differences(d, e))
        return -1;
    return load_cells(d, db, e) || load_costs(d, db, e) || load_others(d, db, e) ? -1 : 0;
}

int table_data_load(struct table_data *d, struct store *s, const struct report_request *r,
                    struct err *e)
{
    struct db *db = store_db(s);
    *d = (struct table_data){0};
    if (report_experiment(s, r->experiment, &d->experiment, &d->name, e))
        return -1;
    if (!load(d, db, r, e))
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
