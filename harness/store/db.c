#include "harness/store/db.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "harness/base/file.h"
#include "harness/base/mem.h"
#include "harness/base/regex.h"
#include "harness/base/utf8.h"

enum { BUSY_MS = 30000 };

struct db {
    sqlite3 *h;
    char *path;
    enum db_mode mode;
    dev_t device; // the file, however it may be called
    ino_t inode;
    char word[32];     // first word of the statement last prepared
    char refused[128]; // what the authorizer said no to in it
    bool tidy;         // see tidy_up()
};

struct stmt {
    sqlite3_stmt *h;
    struct db *db;
};

/* ---- errors ---- */

static int db_error(struct db *db, int rc, struct err *e)
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
                          BUSY_MS / 1000);
    case SQLITE_IOERR:
        return err_system(e, "%s: %s (code %d); nothing stored is lost", path, why, rc);
    case SQLITE_NOMEM:
        die("%s: out of memory", path);
    case SQLITE_AUTH:
        return err_user(e, "%s is refused: this only reads",
                        *db->refused ? db->refused : "that statement");
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

/* As a URI: the only way to say immutable. */
static char *frozen_uri_dup(const char *path)
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
    buf_str(&b, "?immutable=1");
    return b.s;
}

static int connect(struct db *db)
{
    int flags = db->mode == DB_READONLY    ? SQLITE_OPEN_READONLY
                : db->mode == DB_READWRITE ? SQLITE_OPEN_READWRITE
                                           : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    char *name = db->mode == DB_READONLY && is_frozen(db->path) ? frozen_uri_dup(db->path)
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

static int open_connection(struct db *db, struct err *e)
{
    int rc = connect(db);
    if (!db->h)
        die("%s: out of memory", db->path);
    if (rc == SQLITE_OK) {
        sqlite3_extended_result_codes(db->h, 1);
        sqlite3_busy_timeout(db->h, BUSY_MS);
        sqlite3_create_function(db->h, "regexp", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                sql_regexp, NULL, NULL);
        rc = sqlite3_exec(db->h,
                          "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; "
                          "PRAGMA synchronous = FULL",
                          NULL, NULL, NULL);
    }
    return rc == SQLITE_OK ? 0 : db_error(db, rc, e);
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

void db_close(struct db *db)
{
    if (!db)
        return;
    db_let_go(db);
    if (db->tidy)
        tidy_up(db->path);
    free(db->path);
    free(db);
}

const char *db_path(const struct db *db)
{
    return db->path;
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

/* ---- only reading ---- */

static const char *const harmless_pragmas[] = {"table_info",        "table_xinfo",
                                               "table_list",        "index_list",
                                               "index_info",        "index_xinfo",
                                               "database_list",     "foreign_key_list",
                                               "function_list",     "compile_options",
                                               "quick_check",       "integrity_check",
                                               "foreign_key_check", NULL};

/* These read without a value and write with one. */
static const char *const harmless_settings[] = {"user_version",   "application_id", "journal_mode",
                                                "page_count",     "page_size",      "encoding",
                                                "freelist_count", "foreign_keys",   NULL};

static bool among(const char *const *names, const char *name)
{
    for (; *names; names++)
        if (!strcasecmp(*names, name))
            return true;
    return false;
}

/* The statement's first word: a CREATE, asked of the authorizer, is an INSERT into the schema. */
static void first_word(const char *sql, char out[32])
{
    size_t n = 0;
    sql += strspn(sql, " \t\r\n;(");
    for (; n < 31 && isalpha((unsigned char)sql[n]); n++)
        out[n] = (char)toupper((unsigned char)sql[n]);
    out[n] = 0;
}

static const char *statement_name(const char *word, int action)
{
    if (*word && strcmp(word, "SELECT") && strcmp(word, "WITH") && strcmp(word, "EXPLAIN"))
        return word;
    return action == SQLITE_INSERT   ? "INSERT"
           : action == SQLITE_UPDATE ? "UPDATE"
           : action == SQLITE_DELETE ? "DELETE"
                                     : "that statement";
}

static bool may_read(int action, const char *first, const char *second)
{
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return true;
    case SQLITE_FUNCTION:
        return strcasecmp(second, "load_extension") != 0;
    case SQLITE_PRAGMA:
        return among(harmless_pragmas, first) || (!second && among(harmless_settings, first));
    default:
        return false;
    }
}

static int authorize(void *arg, int action, const char *first, const char *second,
                     const char *schema, const char *trigger)
{
    struct db *db = arg;
    (void)schema, (void)trigger;
    if (may_read(action, first, second))
        return SQLITE_OK;
    if (action == SQLITE_PRAGMA)
        snprintf(db->refused, sizeof db->refused, "PRAGMA %.60s%s", first,
                 second ? " with a value" : "");
    else
        snprintf(db->refused, sizeof db->refused, "%s", statement_name(db->word, action));
    return SQLITE_DENY;
}

/* A table-valued function declares its table at its first use, in statements that the authorizer
 * would refuse: it is used once before. */
static void meet_functions(struct db *db)
{
    static const char *const first_use[] = {
        "SELECT 1 FROM json_each('[]')",
        "SELECT 1 FROM json_tree('[]')",
        "SELECT 1 FROM pragma_table_info('docs')",
        "SELECT 1 FROM pragma_table_xinfo('docs')",
        "SELECT 1 FROM pragma_table_list",
        "SELECT 1 FROM pragma_index_list('docs')",
        "SELECT 1 FROM pragma_foreign_key_list('docs')",
        "SELECT 1 FROM pragma_function_list",
    };
    for (size_t i = 0; i < sizeof first_use / sizeof *first_use; i++)
        sqlite3_exec(db->h, first_use[i], NULL, NULL, NULL);
}

void db_only_read(struct db *db)
{
    meet_functions(db);
    sqlite3_db_config(db->h, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_set_authorizer(db->h, authorize, db);
}

/* ---- statements ---- */

struct db_val val_int(int64_t i)
{
    return (struct db_val){.type = VAL_INT, .i = i};
}

struct db_val val_int_or_null(int64_t i)
{
    return (struct db_val){.type = i < 0 ? VAL_NULL : VAL_INT, .i = i};
}

struct db_val val_num(double x)
{
    return (struct db_val){.type = isnan(x) ? VAL_NULL : VAL_NUM, .x = x};
}

struct db_val val_text(struct text t)
{
    return (struct db_val){.type = t.s ? VAL_TEXT : VAL_NULL, .t = t};
}

struct db_val val_str(const char *s)
{
    return val_text(s ? text_of(s) : (struct text){NULL, 0});
}

static int bind(sqlite3_stmt *h, int i, const struct db_val *v)
{
    switch (v->type) {
    case VAL_INT:
        return sqlite3_bind_int64(h, i, v->i);
    case VAL_NUM:
        return sqlite3_bind_double(h, i, v->x);
    case VAL_TEXT:
        return sqlite3_bind_text64(h, i, v->t.s, v->t.n, SQLITE_TRANSIENT, SQLITE_UTF8);
    case VAL_NULL:
        break;
    }
    return sqlite3_bind_null(h, i);
}

/* Comments and spaces may follow a statement, another statement may not. */
static int check_tail(struct db *db, const char *tail, struct err *e)
{
    sqlite3_stmt *more = NULL;
    int rc = sqlite3_prepare_v2(db->h, tail, -1, &more, NULL);
    bool nothing = rc == SQLITE_OK && !more;
    sqlite3_finalize(more);
    return nothing ? 0 : err_user(e, "one statement at a time: what is '%.40s'?", tail);
}

static int prepare(struct db *db, const char *sql, sqlite3_stmt **h, struct err *e)
{
    const char *tail = NULL;
    *db->refused = 0;
    first_word(sql, db->word);
    int rc = sqlite3_prepare_v2(db->h, sql, -1, h, &tail);
    if (rc != SQLITE_OK)
        return db_error(db, rc, e);
    if (!*h)
        return err_user(e, "there is no statement in '%.40s'", sql);
    return check_tail(db, tail, e);
}

int stmt_open(struct db *db, const char *sql, const struct db_val *v, int n, struct stmt **out,
              struct err *e)
{
    struct stmt *s = xcalloc(1, sizeof *s);
    s->db = db;
    if (prepare(db, sql, &s->h, e)) {
        stmt_close(s);
        return -1;
    }
    assert(sqlite3_bind_parameter_count(s->h) == n || !n); // unbound ones are NULL
    for (int i = 0; i < n; i++) {
        int rc = bind(s->h, i + 1, &v[i]);
        if (rc != SQLITE_OK) {
            db_error(db, rc, e);
            stmt_close(s);
            return -1;
        }
    }
    *out = s;
    return 0;
}

int stmt_step(struct stmt *s, struct err *e)
{
    int rc = sqlite3_step(s->h);
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : db_error(s->db, rc, e);
}

void stmt_close(struct stmt *s)
{
    if (!s)
        return;
    sqlite3_finalize(s->h);
    free(s);
}

int stmt_columns(const struct stmt *s)
{
    return sqlite3_column_count(s->h);
}

const char *stmt_name(const struct stmt *s, int column)
{
    const char *name = sqlite3_column_name(s->h, column);
    return name ? name : "";
}

enum col_type stmt_type(const struct stmt *s, int column)
{
    switch (sqlite3_column_type(s->h, column)) {
    case SQLITE_INTEGER:
        return COL_INT;
    case SQLITE_FLOAT:
        return COL_NUM;
    case SQLITE_TEXT:
        return COL_TEXT;
    case SQLITE_BLOB:
        return COL_BLOB;
    default:
        return COL_NULL;
    }
}

int64_t stmt_int(const struct stmt *s, int column)
{
    return sqlite3_column_int64(s->h, column);
}

double stmt_num(const struct stmt *s, int column)
{
    bool null = sqlite3_column_type(s->h, column) == SQLITE_NULL;
    return null ? NAN : sqlite3_column_double(s->h, column);
}

struct text stmt_text(const struct stmt *s, int column)
{
    /* An empty BLOB has no address either, and is not NULL. */
    if (sqlite3_column_type(s->h, column) == SQLITE_NULL)
        return (struct text){NULL, 0};
    const void *p = sqlite3_column_type(s->h, column) == SQLITE_BLOB
                        ? sqlite3_column_blob(s->h, column)
                        : sqlite3_column_text(s->h, column);
    return (struct text){p ? p : "", (size_t)sqlite3_column_bytes(s->h, column)};
}

char *stmt_str_dup(const struct stmt *s, int column)
{
    struct text t = stmt_text(s, column);
    return xstrndup(t.s ? t.s : "", t.n);
}

int db_run(struct db *db, const char *sql, const struct db_val *v, int n, int64_t *changes,
           struct err *e)
{
    struct stmt *s;
    if (stmt_open(db, sql, v, n, &s, e))
        return -1;
    int rc = stmt_step(s, e);
    assert(rc <= 0); // a statement with rows belongs elsewhere
    if (!rc && changes)
        *changes = sqlite3_changes(db->h);
    stmt_close(s);
    return rc;
}

int db_get_int(struct db *db, const char *sql, const struct db_val *v, int n, int64_t *out,
               struct err *e)
{
    struct stmt *s;
    if (stmt_open(db, sql, v, n, &s, e))
        return -1;
    int rc = stmt_step(s, e);
    if (rc == 1)
        *out = stmt_int(s, 0);
    stmt_close(s);
    return rc;
}
