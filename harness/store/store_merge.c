/*
 * One database into another, by identity. Numbers of rows (ids) differ between files, so each table
 * with an id gets a temporary table map_NAME from theirs to ours.
 *
 * A file is merged in pieces of a second, a transaction each, so that others who write get their
 * turn and none waits longer. Each piece stands by itself: it begins with the rows that items refer
 * to (others may have pruned meanwhile) and has its items whole, with scores and ledgers. What
 * experiments show comes last and at once, so that of a merge that was stopped no experiment looks
 * complete that is not.
 */
#include "harness/store/store_care.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "harness/base/clock.h"
#include "harness/store/store_merge_int.h"

/* Those that others refer to go first. */
static const struct merged_table frame[] = {
    {"model", "identity", true, NULL, MERGE_COLUMNS, NULL, NULL},
    {"task", "identity", true, NULL, MERGE_COLUMNS, NULL, NULL},
    {"setting", "identity", true, NULL, MERGE_COLUMNS, NULL, NULL},
    {"setting_option", "setting, method, name", false, NULL, MERGE_COLUMNS, NULL, NULL},
    {"protocol", "identity", true, NULL, MERGE_COLUMNS, NULL, NULL},
    {"protocol_option", "protocol, name", false, NULL, MERGE_COLUMNS, NULL, NULL},
    {"build", "identity", true, NULL, MERGE_COLUMNS, NULL, NULL},
    {"run", "identity", true, NULL, MERGE_COLUMNS, NULL, NULL},
    {"published", "run, task", false, NULL, MERGE_WHOLE, NULL, NULL},
};
static const struct merged_table shown[] = {
    {"experiment", "name, config_hash", true, NULL, MERGE_COLUMNS, "planned", "plans"},
    {"experiment_run", "experiment, run", false, NULL, MERGE_COLUMNS, NULL, NULL},
    {"experiment_factor", "experiment, run, ablation, factor", false, NULL, MERGE_COLUMNS, NULL,
     NULL},
    {"experiment_job", "experiment, job", false, "s.job > ?1 AND s.job <= ?2", MERGE_NEITHER, NULL,
     NULL},
};

static int copy_tables(struct merge *m, const struct merged_table *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (merge_copy(m, &list[i]))
            return -1;
    return 0;
}

/* ---- a piece ---- */

/* Conflicts are told the first time: then ours is what is kept. */
static int copy_frame(struct merge *m)
{
    if (!m->told_published && merge_tell_published(m))
        return -1;
    m->told_published = true;
    return copy_tables(m, frame, sizeof frame / sizeof *frame);
}

static int merge_piece(struct merge *m)
{
    return copy_frame(m) || merge_jobs(m) ? -1 : 0;
}

/* ---- what experiments show ---- */

static int map_all_jobs(struct merge *m)
{
    struct db_val v = val_int(m->to);
    int64_t found = 0, all = 0;
    if (db_exec(m->db,
                "DROP TABLE IF EXISTS temp.map_job; CREATE TEMP TABLE map_job (src INTEGER PRIMARY"
                " KEY, dst INTEGER NOT NULL)",
                m->e) ||
        db_run(m->db,
               "INSERT INTO temp.map_job SELECT s.id, d.id FROM source.job s CROSS JOIN main.job d"
               " ON d.identity = s.identity WHERE s.id <= ?1",
               &v, 1, &found, m->e) ||
        db_get_int(m->db, "SELECT count(*) FROM source.job WHERE id <= ?1", &v, 1, &all, m->e) < 0)
        return -1;
    if (found == all)
        return 0;
    return err_user(m->e, "%lld items are gone again: somebody removed them meanwhile; merge again",
                    (long long)(all - found));
}

/* The counter puts all in the order of the last planning, as if they had been planned here; of one
 * second by name. */
static int order_experiments(struct merge *m)
{
    return merge_run(m,
                     "UPDATE main.experiment AS d SET plans = r.place FROM (SELECT id, row_number()"
                     " OVER (ORDER BY planned, name, config_hash) AS place FROM main.experiment) r"
                     " WHERE r.id = d.id AND d.plans <> r.place"
                     " AND EXISTS (SELECT 1 FROM source.experiment)",
                     NULL, 0, NULL);
}

static int merge_shown(struct merge *m)
{
    m->from = 0;
    return copy_frame(m) || map_all_jobs(m) ||
                   copy_tables(m, shown, sizeof shown / sizeof *shown) || order_experiments(m)
               ? -1
               : 0;
}

/* ---- the file ---- */

static int in_transaction(struct merge *m, int (*part)(struct merge *))
{
    if (db_begin(m->db, m->e))
        return -1;
    m->began = clock_seconds();
    if (part(m) || db_commit(m->db, m->e)) {
        db_rollback(m->db);
        return -1;
    }
    return 0;
}

/* PAUSE: who waits for the lock looks every tenth of a second. */
enum { PIECE = 5000, PIECE_MIN = 500, PAUSE_MS = 120 };
static const double piece_seconds = 1;

static void pause_for_others(void)
{
    const struct timespec wait = {0, PAUSE_MS * 1000000L};
    nanosleep(&wait, NULL);
}

/* Jobs of the next piece: as many as take a second, by how long the last one held the lock. */
static int64_t next_piece(int64_t piece, double seconds)
{
    double best = (double)piece * piece_seconds / (seconds > 0.01 ? seconds : 0.01);
    double most = 4.0 * (double)piece;
    best = best < most ? best : most;
    return best > PIECE_MIN ? (int64_t)best : PIECE_MIN;
}

/* Jobs by their numbers, which may have gaps. What is planned there from now on is left. */
static int merge_all(struct merge *m)
{
    int64_t last = 0, piece = PIECE;
    if (db_get_int(m->db, "SELECT coalesce(max(id), 0) FROM source.job", NULL, 0, &last, m->e) < 0)
        return -1;
    for (m->from = 0; m->from < last; m->from = m->to) {
        m->to = m->from + piece < last ? m->from + piece : last;
        if (in_transaction(m, merge_piece))
            return -1;
        piece = next_piece(piece, clock_seconds() - m->began);
        pause_for_others();
    }
    m->to = last;
    return in_transaction(m, merge_shown);
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
    struct merge m = {.db = s->db, .out = out, .tell = tell, .arg = arg, .e = e};
    *out = (struct store_merged){.items = 0};
    if (check_other(s, path, e) || store_source_open(path, &source, e))
        return -1;
    db_bulk(s->db); // rows come in no order of their identities
    int rc = db_attach(s->db, source.path, e);
    if (!rc) {
        rc = check_source(&m, path, "PRAGMA source.quick_check(1)", "ok") ||
                     check_source(&m, path, "PRAGMA source.foreign_key_check", "") || merge_all(&m)
                 ? -1
                 : 0;
        db_detach(s->db);
    }
    store_source_close(&source);
    return rc ? err_in(e, "merging %s", path) : 0;
}
