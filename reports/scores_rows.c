#include "reports/scores_int.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"

#define ROW_COLUMNS                                                                                \
    " r.id, r.model, r.protocol, r.setting, c.method, coalesce(c.weights, ''), m.name,"            \
    " coalesce(p.preset, '') || iif(p.compress_at = 'context', ', compress_at context', '') ||"    \
    " iif(p.decode_tail > 0, ', decode_tail ' || p.decode_tail, '') ||"                            \
    " coalesce((SELECT ', metric ' || value FROM protocol_option WHERE protocol = p.id"            \
    "           AND name = 'metric' AND value <> 'task'), '') ||"                                  \
    " coalesce((SELECT ', layers' FROM protocol_option WHERE protocol = p.id"                      \
    "           AND name = 'layers' AND value = 'true'), ''), p.json"
#define ROW_TABLES                                                                                 \
    " JOIN setting c ON c.id = r.setting JOIN model m ON m.id = r.model"                           \
    " JOIN protocol p ON p.id = r.protocol"

static const char experiment_sql[] =
    "SELECT x.name," ROW_COLUMNS " FROM experiment_run x JOIN run r ON r.id = x.run" ROW_TABLES
    " WHERE x.experiment = ?1 AND (?2 IS NULL OR m.name = ?2) ORDER BY x.position, r.id";

static const char run_sql[] = "SELECT c.name," ROW_COLUMNS " FROM run r" ROW_TABLES
                              " WHERE r.id = ?1 AND (?2 IS NULL OR m.name = ?2)";

/* The table that takes runs of that model and protocol; a new one at the end. */
static struct scores_table *table_of(struct scores *s, const struct stmt *q,
                                     enum scores_tables tables)
{
    int64_t model = stmt_int(q, 2), protocol = stmt_int(q, 3);
    for (int i = 0; i < s->n_tables; i++) {
        struct scores_table *t = &s->table[i];
        if (tables == SCORES_TOGETHER ||
            (t->model == model && (tables == SCORES_BY_MODEL || t->protocol == protocol)))
            return t;
    }
    s->table = xrealloc(s->table, mem_size((size_t)s->n_tables + 1, sizeof *s->table));
    struct scores_table *t = &s->table[s->n_tables++];
    *t = (struct scores_table){.model = model,
                               .protocol = protocol,
                               .model_name = stmt_str_dup(q, 7),
                               .protocol_name = stmt_str_dup(q, 8),
                               .protocol_json = stmt_str_dup(q, 9)};
    return t;
}

/* References of an experiment go before all others. */
static int place_of(const struct scores_table *t, const struct scores_row *r, bool named)
{
    int at = t->n_rows;
    while (!named && at && scores_row_is_reference(r) && !scores_row_is_reference(&t->row[at - 1]))
        at--;
    return at;
}

static void add_row(struct scores *s, const struct stmt *q, const struct scores_request *r)
{
    struct scores_table *t = table_of(s, q, r->tables);
    struct scores_row row = {.run = stmt_int(q, 1),
                             .model = stmt_int(q, 2),
                             .protocol = stmt_int(q, 3),
                             .setting = stmt_int(q, 4),
                             .name = stmt_str_dup(q, 0),
                             .method = stmt_str_dup(q, 5),
                             .weights = stmt_str_dup(q, 6)};
    int at = place_of(t, &row, r->n_runs > 0);
    t->row = xrealloc(t->row, mem_size((size_t)t->n_rows + 1, sizeof *t->row));
    memmove(&t->row[at + 1], &t->row[at], (size_t)(t->n_rows - at) * sizeof *t->row);
    t->row[at] = row;
    t->n_rows++;
}

/* *found: rows. */
static int load(struct scores *s, struct db *db, const char *sql, int64_t id,
                const struct scores_request *r, int *found, struct err *e)
{
    struct stmt *q;
    struct db_val v[] = {val_int(id), val_str(r->model)};
    int rc;
    if (stmt_open(db, sql, v, 2, &q, e))
        return -1;
    for (*found = 0; (rc = stmt_step(q, e)) == 1; ++*found)
        add_row(s, q, r);
    stmt_close(q);
    return rc;
}

static int unknown_model(const struct scores *s, struct db *db, const char *model, struct err *e)
{
    struct stmt *q;
    struct db_val v = val_int(s->experiment);
    const char *sql = "SELECT group_concat(DISTINCT m.name) FROM experiment_run x"
                      " JOIN run r ON r.id = x.run JOIN model m ON m.id = r.model"
                      " WHERE x.experiment = ?1";
    if (stmt_open(db, sql, &v, 1, &q, e))
        return -1;
    int rc = stmt_step(q, e);
    if (rc == 1) {
        char *names = stmt_str_dup(q, 0);
        err_user(e, "experiment %s has no model '%s'; it has: %s", s->name, model, names);
        free(names);
    }
    stmt_close(q);
    return -1;
}

static int load_named(struct scores *s, struct db *db, const struct scores_request *r,
                      struct err *e)
{
    int found;
    s->name = xstrdup("");
    for (int i = 0; i < r->n_runs; i++) {
        if (load(s, db, run_sql, r->run[i], r, &found, e))
            return -1;
        if (!found && !r->model)
            return err_user(e, "%s has no run %lld", db_path(db), (long long)r->run[i]);
    }
    return 0;
}

int scores_load_rows(struct scores *s, struct db *db, const struct scores_request *r, struct err *e)
{
    int found;
    if (r->n_runs)
        return load_named(s, db, r, e);
    if (load(s, db, experiment_sql, s->experiment, r, &found, e))
        return -1;
    return r->model && !found ? unknown_model(s, db, r->model, e) : 0;
}
