/*
 * One database into another, by identity. Numbers of rows (ids) differ between files, so each table
 * with an id gets a temporary table map_NAME from theirs to ours; the statements are made from the
 * tables' own columns and foreign keys, a whole table at a time.
 */
#include "harness/store/store_care.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/store/store_int.h"

/* Those that others refer to go first. key: what makes a row the same in both. map: others refer to
 * its id. where: which rows, as a condition on s (theirs) and the maps. */
static const struct merged_table {
    const char *name, *key;
    bool map;
    const char *where;
} tables[] = {
    {"model", "identity", true, NULL},
    {"task", "identity", true, NULL},
    {"setting", "identity", true, NULL},
    {"setting_option", "setting, method, name", false, NULL},
    {"protocol", "identity", true, NULL},
    {"protocol_option", "protocol, name", false, NULL},
    {"build", "identity", true, NULL},
    {"experiment", "name, config_hash", true, NULL},
    {"run", "identity", true, NULL},
    {"published", "run, task", false, NULL},
    {"experiment_run", "experiment, run", false, NULL},
    {"experiment_factor", "experiment, run, ablation, factor", false, NULL},
    {"sample", "hash", false, NULL},
    {"job", "identity", false, NULL}, // its map says more: see map_jobs
    {"experiment_job", "experiment, job", false, NULL},
    {"score", "job, metric, metric_version", false, "map_job.how IN ('added', 'better', 'same')"},
    {"item_ledger", "job, class", false, "map_job.how IN ('added', 'better')"},
};

struct merge {
    struct db *db;
    struct store_merged *out;
    int64_t last_job; // largest id before
    struct err *e;
};

static int run_sql(struct merge *m, const char *sql, int64_t *changes)
{
    int64_t n = 0;
    if (db_run(m->db, sql, NULL, 0, &n, m->e))
        return -1;
    m->out->rows += n;
    if (changes)
        *changes = n;
    return 0;
}

/* ---- statements from a table's columns ---- */

/* What runs there is ready here. */
static const char *value_of(const char *table, const char *column)
{
    if (strcmp(table, "job"))
        return NULL;
    if (!strcmp(column, "state"))
        return "iif(s.state = 'running', 'ready', s.state)";
    if (!strcmp(column, "owner"))
        return "NULL";
    return strcmp(column, "claimed_at") ? NULL : "iif(s.state = 'running', NULL, s.claimed_at)";
}

/* Three lists side by side: columns, their values, and the maps that these are found by. A column
 * that refers to a table is found in that one's map. */
struct lists {
    struct buf columns, values, joins;
};

static void add_column(struct lists *l, const char *table, const char *column, const char *refers)
{
    const char *comma = l->columns.n ? ", " : "", *value = value_of(table, column);
    buf_printf(&l->columns, "%s\"%s\"", comma, column);
    if (value)
        buf_printf(&l->values, "%s%s", comma, value);
    else if (*refers) {
        const char *alias = strcmp(column, "base") ? refers : "base";
        buf_printf(&l->values, "%smap_%s.dst", comma, alias);
        buf_printf(&l->joins, " LEFT JOIN temp.map_%s AS map_%s ON map_%s.src = s.\"%s\"", refers,
                   alias, alias, column);
    } else
        buf_printf(&l->values, "%ss.\"%s\"", comma, column);
}

static int read_columns(struct merge *m, const char *table, struct lists *l)
{
    struct stmt *q;
    struct db_val v = val_str(table);
    const char *sql = "SELECT i.name, coalesce(f.\"table\", '') FROM pragma_table_info(?1) i"
                      " LEFT JOIN pragma_foreign_key_list(?1) f ON f.\"from\" = i.name"
                      " WHERE i.name <> 'id' ORDER BY i.cid";
    int rc;
    if (stmt_open(m->db, sql, &v, 1, &q, m->e))
        return -1;
    while ((rc = stmt_step(q, m->e)) == 1)
        add_column(l, table, stmt_text(q, 0).s, stmt_text(q, 1).s);
    stmt_close(q);
    return rc;
}

static void init_lists(struct lists *l)
{
    buf_init(&l->columns);
    buf_init(&l->values);
    buf_init(&l->joins);
}

static void release_lists(struct lists *l)
{
    buf_release(&l->columns);
    buf_release(&l->values);
    buf_release(&l->joins);
}

/* In their order: jobs are claimed in the order of their ids. */
static int copy_rows(struct merge *m, const struct merged_table *t, int64_t *changes)
{
    struct lists l;
    struct buf sql;
    init_lists(&l);
    buf_init(&sql);
    int rc = read_columns(m, t->name, &l);
    buf_printf(&sql,
               "INSERT INTO main.%s (%s) SELECT %s FROM source.%s AS s%s WHERE %s ORDER BY %s"
               " ON CONFLICT (%s) DO NOTHING",
               t->name, l.columns.s, l.values.s, t->name, l.joins.s, t->where ? t->where : "true",
               t->map || !strcmp(t->name, "job") ? "s.id" : "1, 2", t->key);
    if (!rc)
        rc = run_sql(m, sql.s, changes);
    buf_release(&sql);
    release_lists(&l);
    return rc ? err_in(m->e, "table %s", t->name) : 0;
}

static int map_rows(struct merge *m, const struct merged_table *t)
{
    struct buf sql;
    buf_init(&sql);
    buf_printf(
        &sql,
        "DROP TABLE IF EXISTS temp.map_%s; CREATE TEMP TABLE map_%s (src INTEGER PRIMARY KEY,"
        " dst INTEGER NOT NULL); INSERT INTO temp.map_%s SELECT s.id, d.id FROM source.%s s"
        " JOIN main.%s d USING (%s)",
        t->name, t->name, t->name, t->name, t->name, t->key);
    int rc = db_exec(m->db, sql.s, m->e);
    buf_release(&sql);
    return rc;
}

/* ---- jobs ---- */

/* What becomes of each of theirs. A job that runs here is left to its process unless it is done
 * there. */
static int map_jobs(struct merge *m)
{
    struct db_val v = val_int(m->last_job);
    if (db_exec(m->db,
                "DROP TABLE IF EXISTS temp.map_job; CREATE TEMP TABLE map_job (src INTEGER PRIMARY"
                " KEY, dst INTEGER NOT NULL, how TEXT NOT NULL)",
                m->e))
        return -1;
    return db_run(m->db,
                  "INSERT INTO temp.map_job SELECT s.id, d.id, CASE WHEN d.id > ?1 THEN 'added'"
                  " WHEN s.state = 'done' AND d.state = 'done'"
                  "   THEN iif(s.prediction = d.prediction, 'same', 'conflict')"
                  " WHEN s.state = 'done' OR s.state = 'failed' AND d.state = 'ready' THEN 'better'"
                  " ELSE 'kept' END FROM source.job s JOIN main.job d ON d.identity = s.identity",
                  &v, 1, NULL, m->e);
}

/* The columns of a result, from theirs: all but those that make its identity and its place. */
static int take_better(struct merge *m)
{
    return run_sql(
        m,
        "UPDATE main.job AS d SET state = s.state, owner = NULL, claimed_at = s.claimed_at,"
        " finished_at = s.finished_at, build = b.dst, prediction = s.prediction, error = s.error,"
        " prompt_tokens = s.prompt_tokens, prompt_tokens_before_cut = s.prompt_tokens_before_cut,"
        " new_tokens = s.new_tokens, stop = s.stop, new_ids = s.new_ids,"
        " prefill_seconds = s.prefill_seconds, decode_seconds = s.decode_seconds,"
        " kv_bytes = s.kv_bytes, kv_full_bytes = s.kv_full_bytes, kv_basis = s.kv_basis,"
        " kv_read_bytes = s.kv_read_bytes, kv_read_full_bytes = s.kv_read_full_bytes,"
        " crashes = s.crashes, shared_tokens = s.shared_tokens, decode_batch = s.decode_batch"
        " FROM temp.map_job k JOIN source.job s ON s.id = k.src"
        " LEFT JOIN temp.map_build b ON b.src = s.build"
        " WHERE k.how = 'better' AND d.id = k.dst",
        &m->out->better);
}

static int count_jobs(struct merge *m)
{
    struct stmt *q;
    const char *sql = "SELECT count(*), total(how = 'added'), total(how = 'same'),"
                      " total(how = 'conflict') FROM temp.map_job";
    if (stmt_open(m->db, sql, NULL, 0, &q, m->e))
        return -1;
    int rc = stmt_step(q, m->e);
    m->out->items = stmt_int(q, 0);
    m->out->added = stmt_int(q, 1);
    m->out->same = stmt_int(q, 2);
    m->out->conflicts = stmt_int(q, 3);
    stmt_close(q);
    return rc == 1 ? 0 : -1;
}

static int merge_jobs(struct merge *m, const struct merged_table *t)
{
    *m->out = (struct store_merged){.rows = m->out->rows};
    if (db_get_int(m->db, "SELECT coalesce(max(id), 0) FROM main.job", NULL, 0, &m->last_job,
                   m->e) < 0)
        return -1;
    return copy_rows(m, t, NULL) || map_jobs(m) || count_jobs(m) || take_better(m) ? -1 : 0;
}

/* ---- what has no key of its own ---- */

/* Every failure once, whoever brings it. */
static int merge_failures(struct merge *m)
{
    return run_sql(m,
                   "INSERT INTO main.failure (job, finished_at, build, error)"
                   " SELECT k.dst, f.finished_at, b.dst, f.error FROM source.failure f"
                   " JOIN temp.map_job k ON k.src = f.job"
                   " LEFT JOIN temp.map_build b ON b.src = f.build"
                   " EXCEPT SELECT job, finished_at, build, error FROM main.failure ORDER BY 2, 1",
                   NULL);
}

/* Times from both: planned first, planned last. The counter puts all in the order of the last
 * planning, as if they had been planned here; an experiment that is not new keeps its number. */
static int merge_times(struct merge *m, int64_t new_experiments)
{
    int64_t changed = 0;
    if (run_sql(m,
                "UPDATE main.run AS d SET created = s.created FROM source.run s"
                " WHERE s.identity = d.identity AND s.created < d.created",
                NULL) ||
        run_sql(m,
                "UPDATE main.experiment AS d SET created = min(d.created, s.created),"
                " planned = max(d.planned, s.planned), plans = max(d.plans, s.plans)"
                " FROM source.experiment s WHERE s.name = d.name AND s.config_hash = d.config_hash"
                " AND (s.created < d.created OR s.planned > d.planned)",
                &changed))
        return -1;
    if (!changed && !new_experiments)
        return 0;
    return run_sql(m,
                   "UPDATE main.experiment AS d SET plans = r.place FROM (SELECT id, row_number()"
                   " OVER (ORDER BY planned, plans, name, config_hash) AS place"
                   " FROM main.experiment) r WHERE r.id = d.id",
                   NULL);
}

/* ---- the file ---- */

static int merge_all(struct merge *m)
{
    int64_t experiments = 0, changes = 0;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        const struct merged_table *t = &tables[i];
        if (!strcmp(t->name, "job") ? merge_jobs(m, t) : copy_rows(m, t, &changes))
            return -1;
        if (t->map && map_rows(m, t))
            return -1;
        if (!strcmp(t->name, "experiment"))
            experiments = changes;
    }
    return merge_failures(m) || merge_times(m, experiments) ? -1 : 0;
}

static int tell_conflicts(struct merge *m, store_conflict_told *tell, void *arg)
{
    struct stmt *q;
    int rc;
#define BUILD(b)                                                                                   \
    "trim(coalesce(" b ".version, '') || ' ' || coalesce(" b ".\"commit\", '') || ' '"             \
    " || coalesce(" b ".host, ''))"
    const char *sql = "SELECT i.name, c.name, t.name, d.sample, " BUILD("x") ", " BUILD(
        "y") " FROM temp.map_job k JOIN main.job d ON d.id = k.dst JOIN source.job s ON s.id = "
             "k.src"
             " JOIN main.run r ON r.id = d.run JOIN main.model i ON i.id = r.model"
             " JOIN main.setting c ON c.id = r.setting JOIN main.task t ON t.id = d.task"
             " LEFT JOIN main.build x ON x.id = d.build LEFT JOIN source.build y ON y.id = s.build"
             " WHERE k.how = 'conflict' ORDER BY 1, 2, 3, d.sample_index";
#undef BUILD
    if (stmt_open(m->db, sql, NULL, 0, &q, m->e))
        return -1;
    while ((rc = stmt_step(q, m->e)) == 1) {
        struct store_conflict c = {stmt_text(q, 0).s, stmt_text(q, 1).s, stmt_text(q, 2).s,
                                   stmt_text(q, 3).s, stmt_text(q, 4).s, stmt_text(q, 5).s};
        tell(arg, &c);
    }
    stmt_close(q);
    return rc;
}

/* A file that is damaged would lend us its damage. good: what the PRAGMA says of a sound one, ""
 * for no row. */
static int check_source(struct merge *m, const char *path, const char *pragma, const char *good)
{
    struct stmt *q;
    char found[200] = "";
    if (stmt_open(m->db, pragma, NULL, 0, &q, m->e))
        return -1;
    int rc = stmt_step(q, m->e);
    if (rc == 1)
        snprintf(found, sizeof found, "%s", stmt_text(q, 0).s);
    stmt_close(q);
    if (rc >= 0 && strcmp(found, good))
        rc = err_user(m->e, "%s is damaged (%s); kvlab db check says more", path,
                      *good ? found : "rows refer to others that are missing");
    return rc < 0 ? -1 : 0;
}

static int merge_attached(struct store *s, struct merge *m, store_conflict_told *tell, void *arg)
{
    if (db_begin(s->db, m->e))
        return -1;
    if (merge_all(m) || tell_conflicts(m, tell, arg) || db_commit(s->db, m->e)) {
        db_rollback(s->db);
        return -1;
    }
    return 0;
}

static int check_other(struct store *s, const char *path, struct err *e)
{
    struct stat ours, theirs;
    if (!stat(db_path(s->db), &ours) && !stat(path, &theirs) && ours.st_dev == theirs.st_dev &&
        ours.st_ino == theirs.st_ino)
        return err_user(e, "%s is the database that others are merged into", path);
    return 0;
}

int store_merge(struct store *s, const char *path, struct store_merged *out,
                store_conflict_told *tell, void *arg, struct err *e)
{
    struct store_source source;
    struct merge m = {.db = s->db, .out = out, .e = e};
    *out = (struct store_merged){.items = 0};
    if (check_other(s, path, e) || store_source_open(path, &source, e))
        return -1;
    db_bulk(s->db); // rows come in no order of their identities
    int rc = db_attach(s->db, source.path, e);
    if (!rc) {
        rc = check_source(&m, path, "PRAGMA source.quick_check(1)", "ok") ||
                     check_source(&m, path, "PRAGMA source.foreign_key_check", "") ||
                     merge_attached(s, &m, tell, arg)
                 ? -1
                 : 0;
        db_detach(s->db);
    }
    store_source_close(&source);
    return rc ? err_in(e, "merging %s", path) : 0;
}
