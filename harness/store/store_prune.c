/* Removing what is named, and making the file small again. */
#include "harness/store/store_care.h"

#include <string.h>
#include <sys/stat.h>

#include "harness/store/store_int.h"

/* ---- what goes: temporary tables gone_experiment, gone_run, gone_job of ids ---- */

/* Jobs and runs go with an experiment where no other one asks for them. */
static const char experiment_sql[] =
    "INSERT INTO temp.gone_job SELECT job FROM experiment_job"
    " WHERE experiment IN (SELECT id FROM temp.gone_experiment)"
    " EXCEPT SELECT job FROM experiment_job"
    " WHERE experiment NOT IN (SELECT id FROM temp.gone_experiment);"
    "INSERT INTO temp.gone_run SELECT run FROM experiment_run"
    " WHERE experiment IN (SELECT id FROM temp.gone_experiment)"
    " EXCEPT SELECT run FROM experiment_run"
    " WHERE experiment NOT IN (SELECT id FROM temp.gone_experiment)";

static const char runs_sql[] =
    "INSERT OR IGNORE INTO temp.gone_run SELECT id FROM run"
    " WHERE id NOT IN (SELECT run FROM experiment_run);"
    "INSERT OR IGNORE INTO temp.gone_job SELECT id FROM job INDEXED BY job_cell"
    " WHERE run NOT IN (SELECT run FROM experiment_run)"
    " AND id NOT IN (SELECT job FROM experiment_job)";

/* A run with an item that stays, or that is another's base, stays. */
static const char keep_sql[] =
    "DELETE FROM temp.gone_run WHERE EXISTS (SELECT 1 FROM job j INDEXED BY job_cell"
    " WHERE j.run = temp.gone_run.id AND j.id NOT IN (SELECT id FROM temp.gone_job));"
    "DELETE FROM temp.gone_run WHERE id IN (SELECT base FROM experiment_factor"
    " WHERE run NOT IN (SELECT id FROM temp.gone_run)"
    " AND experiment NOT IN (SELECT id FROM temp.gone_experiment))";

static int mark_experiment(struct db *db, const char *name, struct err *e)
{
    struct db_val v = val_str(name);
    int64_t n = 0;
    if (db_run(db, "INSERT INTO temp.gone_experiment SELECT id FROM experiment WHERE name = ?1", &v,
               1, &n, e))
        return -1;
    return n ? db_exec(db, experiment_sql, e) : err_user(e, "there is no experiment '%s'", name);
}

static int mark(struct db *db, const struct store_prune *w, struct err *e)
{
    if (db_exec(db,
                "DROP TABLE IF EXISTS temp.gone_experiment; DROP TABLE IF EXISTS temp.gone_run;"
                "DROP TABLE IF EXISTS temp.gone_job;"
                "CREATE TEMP TABLE gone_experiment (id INTEGER PRIMARY KEY);"
                "CREATE TEMP TABLE gone_run (id INTEGER PRIMARY KEY);"
                "CREATE TEMP TABLE gone_job (id INTEGER PRIMARY KEY)",
                e))
        return -1;
    if (w->experiment && mark_experiment(db, w->experiment, e))
        return -1;
    if (w->runs_without_experiment && db_exec(db, runs_sql, e))
        return -1;
    if (w->failed && db_exec(db,
                             "INSERT OR IGNORE INTO temp.gone_job SELECT id FROM job"
                             " INDEXED BY job_cell WHERE state = 'failed'",
                             e))
        return -1;
    if (w->published && db_exec(db,
                                "INSERT OR IGNORE INTO temp.gone_run SELECT id FROM run"
                                " WHERE origin = 'published'",
                                e))
        return -1;
    return db_exec(db, keep_sql, e);
}

static int count_marked(struct db *db, struct store_pruned *out, struct err *e)
{
    struct stmt *q;
    const char *sql = "SELECT (SELECT count(*) FROM temp.gone_experiment),"
                      " (SELECT count(*) FROM temp.gone_run), count(*), total(j.state = 'done')"
                      " FROM temp.gone_job g JOIN job j ON j.id = g.id";
    if (stmt_open(db, sql, NULL, 0, &q, e))
        return -1;
    int rc = stmt_step(q, e);
    if (rc == 1)
        *out =
            (struct store_pruned){stmt_int(q, 0), stmt_int(q, 1), stmt_int(q, 2), stmt_int(q, 3)};
    stmt_close(q);
    return rc == 1 ? 0 : -1;
}

/* ---- who is at work ---- */

/* Running jobs of processes that may live, of those that sql lists. */
static int check_owners(struct db *db, const char *sql, const char *what, struct err *e)
{
    struct stmt *q;
    long long n = 0;
    int rc;
    if (stmt_open(db, sql, NULL, 0, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1)
        n += !store_owner_is_dead(stmt_text(q, 0).s);
    stmt_close(q);
    if (!rc && n)
        rc = err_user(e, "%s: %lld of its items are being worked on; %s when they are done",
                      db_path(db), n, what);
    return rc;
}

/* ---- going ---- */

/* Children first; then what nothing refers to any more. Builds are few and stay. */
static const char remove_sql[] =
    "DELETE FROM experiment_job WHERE job IN (SELECT id FROM temp.gone_job)"
    " OR experiment IN (SELECT id FROM temp.gone_experiment);"
    "DELETE FROM score WHERE job IN (SELECT id FROM temp.gone_job);"
    "DELETE FROM item_ledger WHERE job IN (SELECT id FROM temp.gone_job);"
    "DELETE FROM layer_error WHERE job IN (SELECT id FROM temp.gone_job);"
    "DELETE FROM failure WHERE job IN (SELECT id FROM temp.gone_job);"
    "DELETE FROM job WHERE id IN (SELECT id FROM temp.gone_job);"
    "DELETE FROM experiment_factor WHERE run IN (SELECT id FROM temp.gone_run)"
    " OR experiment IN (SELECT id FROM temp.gone_experiment);"
    "DELETE FROM experiment_run WHERE run IN (SELECT id FROM temp.gone_run)"
    " OR experiment IN (SELECT id FROM temp.gone_experiment);"
    "DELETE FROM published WHERE run IN (SELECT id FROM temp.gone_run);"
    "DELETE FROM run WHERE id IN (SELECT id FROM temp.gone_run);"
    "DELETE FROM experiment WHERE id IN (SELECT id FROM temp.gone_experiment);"
    "DELETE FROM setting_option WHERE setting NOT IN (SELECT setting FROM run);"
    "DELETE FROM setting WHERE id NOT IN (SELECT setting FROM run);"
    "DELETE FROM protocol_option WHERE protocol NOT IN (SELECT protocol FROM run);"
    "DELETE FROM protocol WHERE id NOT IN (SELECT protocol FROM run);"
    "DELETE FROM model WHERE id NOT IN (SELECT model FROM run);"
    "DELETE FROM task WHERE NOT EXISTS (SELECT 1 FROM job WHERE job.task = task.id)"
    " AND id NOT IN (SELECT task FROM published);"
    "DELETE FROM sample WHERE hash NOT IN (SELECT sample_hash FROM job)";

static int prune(struct db *db, const struct store_prune *what, bool dry, struct store_pruned *out,
                 struct err *e)
{
    if (mark(db, what, e) || count_marked(db, out, e))
        return -1;
    if (dry || !(out->experiments + out->runs + out->jobs))
        return 0;
    if (check_owners(db,
                     "SELECT owner FROM job WHERE state = 'running'"
                     " AND id IN (SELECT id FROM temp.gone_job)",
                     "prune", e))
        return -1;
    return db_exec(db, remove_sql, e);
}

int store_prune(struct store *s, const struct store_prune *what, bool dry, struct store_pruned *out,
                struct err *e)
{
    if (db_begin(s->db, e))
        return -1;
    if (prune(s->db, what, dry, out, e) || (!dry && db_commit(s->db, e))) {
        db_rollback(s->db);
        return -1;
    }
    db_rollback(s->db); // after a commit nothing is open
    return 0;
}

/* ---- vacuum ---- */

static int64_t file_bytes(const char *path)
{
    struct stat st;
    return stat(path, &st) ? 0 : (int64_t)st.st_size;
}

/* A checkpoint before and after: what lies in the log is part of the size. */
int store_vacuum(struct store *s, int64_t *before, int64_t *after, struct err *e)
{
    int64_t busy;
    if (check_owners(s->db, "SELECT owner FROM job WHERE state = 'running'", "vacuum", e) ||
        db_get_int(s->db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, 0, &busy, e) < 0)
        return -1;
    *before = file_bytes(db_path(s->db));
    if (db_exec(s->db, "VACUUM", e) || db_exec(s->db, "ANALYZE", e) ||
        db_get_int(s->db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, 0, &busy, e) < 0)
        return -1;
    *after = file_bytes(db_path(s->db));
    return 0;
}
