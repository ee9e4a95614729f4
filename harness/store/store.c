#include "harness/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/mem.h"
#include "harness/store/store_int.h"

/* ---- versions ---- */

/* Line by line: one string of this length is more than C promises to take. */
static const char *const version_1[] = {
#include "schema.inc"
    NULL};
static const char *const version_2[] = {
#include "schema_2.inc"
    NULL};
static const char *const version_3[] = {
#include "schema_3.inc"
    NULL};
static const char *const version_4[] = {
#include "schema_4.inc"
    NULL};
static const char *const version_5[] = {
#include "schema_5.inc"
    NULL};
static const char *const version_6[] = {
#include "schema_6.inc"
    NULL};

/* steps[v] leads from version v to v + 1. To change the schema add a step; never change one that
 * was released. A new database takes all of them. */
static const char *const *const steps[] = {version_1, version_2, version_3,
                                           version_4, version_5, version_6};

enum { STORE_VERSION = sizeof steps / sizeof *steps };

/* What the file says it is. */
struct stamp {
    int64_t application, version, objects;
};

/* In one statement, so that it is of one moment: another process may be making the file. */
static int read_stamp(struct db *db, struct stamp *s, struct err *e)
{
    struct stmt *q;
    *s = (struct stamp){0, 0, 0};
    if (stmt_open(db,
                  "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)"
                  " FROM pragma_application_id, pragma_user_version",
                  NULL, 0, &q, e))
        return -1;
    int rc = stmt_step(q, e);
    if (rc == 1)
        *s = (struct stamp){stmt_int(q, 0), stmt_int(q, 1), stmt_int(q, 2)};
    stmt_close(q);
    return rc < 0 ? -1 : 0;
}

static bool is_blank(const struct stamp *s)
{
    return !s->application && !s->version && !s->objects;
}

static int apply_steps(struct db *db, struct store_steps list, struct err *e)
{
    struct stamp now; // read again: another process may have been here while we waited
    char sql[128];
    if (read_stamp(db, &now, e))
        return -1;
    for (int64_t v = now.version; v < list.n; v++)
        if (db_exec(db, list.sql[v], e))
            return err_in(e, "bringing %s from version %d to %d", db_path(db), (int)v, (int)v + 1);
    snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             STORE_APPLICATION_ID, list.n);
    return now.version < list.n ? db_exec(db, sql, e) : 0;
}

/* Keys are off while a step makes a table anew: here it shows whether all of them lead somewhere.
 */
static int check_keys(struct db *db, struct err *e)
{
    int64_t lost = 0;
    if (db_get_int(db, "SELECT count(*) FROM pragma_foreign_key_check", NULL, 0, &lost, e) < 0)
        return -1;
    return lost ? err_user(e,
                           "%s is damaged: %d of its rows refer to rows that are missing; take a "
                           "copy of it from before",
                           db_path(db), (int)lost)
                : 0;
}

static int migrate(struct db *db, struct store_steps list, struct err *e)
{
    if (db_begin(db, e))
        return -1;
    if (!apply_steps(db, list, e) && !check_keys(db, e) && !db_commit(db, e))
        return 0;
    db_rollback(db);
    return -1;
}

int store_migrate(struct db *db, struct store_steps list, struct err *e)
{
    struct err ignored;
    if (db_exec(db, "PRAGMA foreign_keys = OFF", e)) // inside a transaction it does nothing
        return -1;
    int rc = migrate(db, list, e);
    return db_exec(db, "PRAGMA foreign_keys = ON", rc ? &ignored : e) ? -1 : rc;
}

static char *step_dup(const char *const *lines)
{
    struct buf b;
    buf_init(&b);
    while (*lines)
        buf_str(&b, *lines++);
    return b.s;
}

static int to_this_version(struct db *db, struct err *e)
{
    char *sql[STORE_VERSION];
    for (int v = 0; v < STORE_VERSION; v++)
        sql[v] = step_dup(steps[v]);
    int rc = store_migrate(db, (struct store_steps){(const char *const *)sql, STORE_VERSION}, e);
    for (int v = 0; v < STORE_VERSION; v++)
        free(sql[v]);
    return rc;
}

/* ---- opening ---- */

static int check_ours(const struct db *db, const struct stamp *s, struct err *e)
{
    if (s->application != STORE_APPLICATION_ID)
        return err_user(e,
                        "%s is another program's database (application_id 0x%llx, kvlab's is "
                        "0x%x); name another with --db",
                        db_path(db), (unsigned long long)s->application, STORE_APPLICATION_ID);
    if (s->version < 1)
        return err_user(e, "%s is damaged: it says to be of version %d", db_path(db),
                        (int)s->version);
    if (s->version > STORE_VERSION)
        return err_user(e,
                        "%s is of version %d and this kvlab knows up to %d; use a newer kvlab, or "
                        "name another with --db",
                        db_path(db), (int)s->version, STORE_VERSION);
    return 0;
}

/* Looks at every page of a file that is small enough to read at once; of a larger one the damage
 * shows where it is read. */
enum { CHECK_MAX_BYTES = 32 << 20 };

static int check_whole(struct db *db, struct err *e)
{
    struct stat st;
    struct stmt *s;
    if (stat(db_path(db), &st) || st.st_size > CHECK_MAX_BYTES)
        return 0;
    if (stmt_open(db, "PRAGMA quick_check(1)", NULL, 0, &s, e))
        return -1;
    int rc = stmt_step(s, e);
    if (rc == 1 && !text_is(stmt_text(s, 0), "ok")) {
        struct text t = stmt_text(s, 0);
        rc = err_user(e,
                      "%s is damaged (%.*s); take a copy of it from before, or save what is left "
                      "with: sqlite3 FILE .recover",
                      db_path(db), (int)t.n, t.s);
    }
    stmt_close(s);
    return rc < 0 ? -1 : 0;
}

/* Tables that were dropped by hand, say. */
static int check_tables(struct db *db, struct err *e)
{
    int64_t missing = 0;
    const char *sql = "SELECT count(*) FROM docs WHERE \"column\" = '' AND object NOT IN "
                      "(SELECT name FROM sqlite_schema)";
    if (db_get_int(db, sql, NULL, 0, &missing, e) < 0)
        return err_in(e, "%s is damaged", db_path(db));
    if (missing)
        return err_user(e,
                        "%s is damaged: %d of its tables and views are missing; take a copy of "
                        "it from before",
                        db_path(db), (int)missing);
    return 0;
}

enum { LOG_TRIES = 100, LOG_WAIT_MS = 20 };

/* SQLite does not wait for others when it changes this mode: two that make a file at once. */
static int set_log(struct db *db, struct err *e)
{
    const struct timespec wait = {0, LOG_WAIT_MS * 1000000L};
    int rc = -1;
    for (int i = 0; rc && i < LOG_TRIES; i++) {
        if (i)
            nanosleep(&wait, NULL);
        rc = db_exec(db, "PRAGMA journal_mode = WAL", e);
    }
    return rc;
}

/* A new file gets its write-ahead log before the schema: the mode cannot change in a transaction.
 */
static int make_new(struct db *db, struct err *e)
{
    return set_log(db, e) || to_this_version(db, e) ? -1 : 0;
}

int store_stamp(struct db *db, bool *older, struct err *e)
{
    struct stamp s;
    if (read_stamp(db, &s, e))
        return -1;
    *older = s.version < STORE_VERSION;
    return is_blank(&s) ? err_user(e, "%s is empty", db_path(db)) : check_ours(db, &s, e);
}

static int prepare(struct db *db, enum store_mode mode, bool *older, struct err *e)
{
    struct stamp s;
    *older = false;
    if (read_stamp(db, &s, e))
        return -1;
    if (is_blank(&s)) {
        if (mode == STORE_CREATE)
            return make_new(db, e);
        return err_user(e, "%s is empty; kvlab run fills it, --db names another", db_path(db));
    }
    if (check_ours(db, &s, e) || check_whole(db, e))
        return -1;
    *older = s.version < STORE_VERSION;
    if (*older && mode != STORE_READONLY)
        return to_this_version(db, e);
    return *older ? 0 : check_tables(db, e);
}

static int open_db(const char *path, enum store_mode mode, struct db **db, bool *older,
                   struct err *e)
{
    static const enum db_mode modes[] = {[STORE_READONLY] = DB_READONLY,
                                         [STORE_READWRITE] = DB_READWRITE,
                                         [STORE_CREATE] = DB_CREATE};
    if (db_open(path, modes[mode], db, e))
        return -1;
    if (prepare(*db, mode, older, e)) {
        db_close(*db);
        return -1;
    }
    return 0;
}

int store_open(const char *path, enum store_mode mode, struct store **out, struct err *e)
{
    struct db *db;
    bool older;
    if (open_db(path, mode, &db, &older, e))
        return -1;
    if (older && mode == STORE_READONLY) { // brought up to date by a connection that can write
        db_close(db);
        if (open_db(path, STORE_READWRITE, &db, &older, e))
            return -1;
        db_close(db);
        if (open_db(path, mode, &db, &older, e))
            return -1;
    }
    struct store *s = xcalloc(1, sizeof *s);
    s->db = db;
    store_owner_of((long)getpid(), s->owner);
    *out = s;
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    db_close(s->db);
    store_forget(s);
    free(s);
}

void store_let_go(struct store *s)
{
    db_let_go(s->db);
}

int store_take_up(struct store *s, struct err *e)
{
    return db_take_up(s->db, e);
}

struct db *store_db(struct store *s)
{
    return s->db;
}

int store_begin(struct store *s, struct err *e)
{
    return db_begin(s->db, e);
}

int store_commit(struct store *s, struct err *e)
{
    if (!db_commit(s->db, e))
        return 0;
    store_rollback(s);
    return -1;
}

void store_rollback(struct store *s)
{
    db_rollback(s->db);
    store_forget(s);
}
