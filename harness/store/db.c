#include "harness/store/db.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/file.h"
#include "harness/base/mem.h"
#include "harness/base/regex.h"
#include "harness/base/utf8.h"
#include "harness/store/db_int.h"

/* ---- errors ---- */

int db_error(struct db *db, int rc, struct err *e)
{
    const char *why = sqlite3_errmsg(db->h), *path = db->path;
    switch (rc & 0xFF) {
    case SQLITE_NOTADB:
        return err_user(e, "%s is not a kvlab database (not SQLite); name another with --db", path);
    case SQLITE_CORRUPT:
        return err_user(e,
                        "%s is damaged (%s); take a copy of it from before, or save what is "
                        "left with: sqlite3 FILE .recover",
                        path, why);
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return err_user(e, "%s: %s; is its folder there and writable?", path, why);
    case SQLITE_FULL:
        return err_system(e, "%s: %s; nothing stored is lost: free some space and run again", path,
                          why);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_system(e, "%s is in use: another program has held its lock for %d s", path,
                          DB_BUSY_MS / 1000);
    case SQLITE_IOERR:
        return err_system(e, "%s: %s (code %d); nothing stored is lost", path, why, rc);
    case SQLITE_NOMEM:
        die("%s: out of memory", path);
    case SQLITE_AUTH:
        return err_user(e, "%s is refused: this only reads",
                        *db->refused ? db->refused : "that statement");
    case SQLITE_INTERRUPT:
        return err_user(e, "stopped");
    case SQLITE_ERROR:
        return err_user(e, "%s", why);
    default:
        return err_system(e, "%s: %s (code %d)", path, why, rc);
    }
}

/* ---- connection ---- */

/* What sqlite3_open would only say in the vaguest words, or only at the first statement. */
static int check_path(const char *path, enum db_mode mode, struct err *e)
{
    if (!*path)
        return err_user(e, "the database's path is empty; name a file with --db");
    if (file_is_dir(path))
        return err_user(e, "%s is a folder, not a database; name a file with --db", path);
    if (mode != DB_CREATE && !file_exists(path))
        return err_user(e, "there is no database %s; kvlab run makes one, --db names another",
                        path);
    if (file_exists(path) && access(path, mode == DB_READONLY ? R_OK : R_OK | W_OK))
        return err_user(e, "no permission to %s %s", mode == DB_READONLY ? "read" : "write", path);
    return 0;
}

static char *suffixed_dup(const char *path, const char *suffix)
{
    struct buf b;
    buf_init(&b);
    buf_printf(&b, "%s%s", path, suffix);
    return b.s;
}

static bool folder_writable(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
    bool yes = !access(folder, W_OK);
    free(folder);
    return yes;
}

static bool has_log(const char *path)
{
    char *wal = suffixed_dup(path, "-wal");
    bool yes = file_exists(wal);
    free(wal);
    return yes;
}

/* A reader of a WAL database needs its -shm file. Where that can neither be found nor made (a
 * read-only folder) and no log is left to apply, nobody can be writing: read the file as it is. */
static bool is_frozen(const char *path)
{
    return !has_log(path) && !folder_writable(path);
}

/* A read-only connection makes an empty log and cannot remove it; one that can write removes it as
 * it closes, unless somebody else has come to use it. */
static void tidy_up(const char *path)
{
    sqlite3 *h = NULL;
    if (!has_log(path))
        return;
    if (sqlite3_open_v2(path, &h, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
        sqlite3_exec(h, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
    sqlite3_close(h);
}

/* As a URI: the only way to say immutable, or read-only of a second file. */
static char *uri_dup(const char *path, const char *how)
{
    struct buf b;
    buf_init(&b);
    buf_str(&b, "file:");
    for (const char *p = path; *p; p++) {
        if (strchr("?#%", *p))
            buf_printf(&b, "%%%02X", (unsigned char)*p);
        else
            buf_char(&b, *p);
    }
    buf_printf(&b, "?%s", how);
    return b.s;
}

static int connect(struct db *db)
{
    int flags = db->mode == DB_READONLY    ? SQLITE_OPEN_READONLY
                : db->mode == DB_READWRITE ? SQLITE_OPEN_READWRITE
                                           : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    char *name = db->mode == DB_READONLY && is_frozen(db->path) ? uri_dup(db->path, "immutable=1")
                 : !strncmp(db->path, "file:", 5) || *db->path == ':'
                     ? suffixed_dup("./", db->path) // a file of that name, not SQLite's meaning
                     : xstrdup(db->path);
    /* One thread's: a lock around every column read is a fifth of a long scan. */
    flags |= SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;
    int rc = sqlite3_open_v2(name, &db->h, flags, NULL);
    free(name);
    return rc;
}

static void free_regex(void *r)
{
    regex_free(r);
}

/* text REGEXP pattern, which SQLite has the syntax for but no function: PCRE2 in UTF mode. */
static void sql_regexp(sqlite3_context *c, int n, sqlite3_value **v)
{
    struct regex *r = sqlite3_get_auxdata(c, 0);
    const char *pattern = (const char *)sqlite3_value_text(v[0]);
    struct text t = {(const char *)sqlite3_value_text(v[1]), (size_t)sqlite3_value_bytes(v[1])};
    struct regex_match m;
    struct err e;
    bool made = !r;
    (void)n;
    if (!pattern || !t.s)
        return; // NULL
    if (made && !(r = regex_new(pattern, &e))) {
        sqlite3_result_error(c, e.msg, -1);
        return;
    }
    int found = utf8_invalid_at(t) < t.n ? -1 : regex_find(r, t, 0, &m);
    if (found < 0)
        sqlite3_result_error(c, "REGEXP: text that is not UTF-8, or a search that takes too long",
                             -1);
    else
        sqlite3_result_int(c, found);
    if (made) // kept for the other rows; SQLite frees it
        sqlite3_set_auxdata(c, 0, r, free_regex);
}

/* Readers look at pages where the system has them, and keep none of their own. */
static const char read_pragmas[] = "PRAGMA mmap_size = 2147418112; PRAGMA cache_size = -16384";

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Counting bytes costs a lock for each piece of memory. */
static void configure(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int open_connection(struct db *db, struct err *e)
{
    pthread_once(&once, configure);
    int rc = connect(db);
    if (!db->h)
        die("%s: out of memory", db->path);
    if (rc == SQLITE_OK) {
        sqlite3_extended_result_codes(db->h, 1);
        sqlite3_busy_timeout(db->h, DB_BUSY_MS);
        sqlite3_create_function(db->h, "regexp", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                sql_regexp, NULL, NULL);
        rc = sqlite3_exec(db->h,
                          "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; "
                          "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY",
                          NULL, NULL, NULL);
        if (rc == SQLITE_OK && db->mode == DB_READONLY)
            rc = sqlite3_exec(db->h, read_pragmas, NULL, NULL, NULL);
    }
    return rc == SQLITE_OK ? 0 : db_error(db, rc, e);
}

enum { BULK_KIB = 262144 };

void db_bulk(struct db *db)
{
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA cache_size = -%d", BULK_KIB);
    sqlite3_exec(db->h, sql, NULL, NULL, NULL);
}

/* Which file it is now that it is open. */
static void remember_file(struct db *db)
{
    struct stat st;
    if (!stat(db->path, &st)) {
        db->device = st.st_dev;
        db->inode = st.st_ino;
    }
}

/* SQLite would go on with a file that has no name any more, and all of it would be lost. */
static int check_same_file(const struct db *db, struct err *e)
{
    struct stat st;
    if (!stat(db->path, &st) && st.st_dev == db->device && st.st_ino == db->inode)
        return 0;
    return err_system(e,
                      "%s is not the file any more that it was: deleted, moved or replaced while "
                      "in use; put it back, or begin a new one, and run again",
                      db->path);
}

int db_open(const char *path, enum db_mode mode, struct db **out, struct err *e)
{
    if (check_path(path, mode, e))
        return -1;
    struct db *db = xcalloc(1, sizeof *db);
    db->path = xstrdup(path);
    db->mode = mode;
    db->tidy = mode == DB_READONLY && !has_log(path) && !access(path, W_OK);
    if (open_connection(db, e)) {
        db_close(db);
        return -1;
    }
    remember_file(db);
    *out = db;
    return 0;
}

void db_let_go(struct db *db)
{
    db_drop_kept(db);
    int rc = sqlite3_close(db->h);
    assert(rc == SQLITE_OK); // else a statement is still open
    (void)rc;
    db->h = NULL;
}

int db_take_up(struct db *db, struct err *e)
{
    assert(!db->h);
    return check_same_file(db, e) || open_connection(db, e) ? -1 : 0;
}

static void forget_attached(struct db *db)
{
    if (db->tidy_attached)
        tidy_up(db->attached);
    free(db->attached);
    db->attached = NULL;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    db_let_go(db);
    if (db->attached)
        forget_attached(db);
    if (db->tidy)
        tidy_up(db->path);
    free(db->path);
    free(db);
}

const char *db_path(const struct db *db)
{
    return db->path;
}

int db_attach(struct db *db, const char *path, struct err *e)
{
    assert(!db->attached && !db_in_transaction(db));
    if (check_path(path, DB_READONLY, e))
        return -1;
    char *uri = uri_dup(path, is_frozen(path) ? "immutable=1" : "mode=ro");
    struct db_val v = val_str(uri);
    db->tidy_attached = !has_log(path) && !access(path, W_OK);
    int rc = db_run(db, "ATTACH ?1 AS source", &v, 1, NULL, e);
    free(uri);
    if (!rc)
        db->attached = xstrdup(path);
    return rc ? err_in(e, "opening %s", path) : 0;
}

void db_detach(struct db *db)
{
    assert(db->attached && !db_in_transaction(db));
    db_drop_kept(db); // a statement that reads it would hold it
    sqlite3_exec(db->h, "DETACH source", NULL, NULL, NULL);
    forget_attached(db);
}

int db_exec(struct db *db, const char *sql, struct err *e)
{
    int rc = sqlite3_exec(db->h, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : db_error(db, rc, e);
}

int db_begin(struct db *db, struct err *e)
{
    assert(!db_in_transaction(db));
    return check_same_file(db, e) ? -1 : db_exec(db, "BEGIN IMMEDIATE", e);
}

int db_commit(struct db *db, struct err *e)
{
    assert(db_in_transaction(db));
    return db_exec(db, "COMMIT", e);
}

void db_rollback(struct db *db)
{
    if (db_in_transaction(db))
        sqlite3_exec(db->h, "ROLLBACK", NULL, NULL, NULL);
}

bool db_in_transaction(const struct db *db)
{
    return !sqlite3_get_autocommit(db->h);
}
