/* Statements: typed values in and out; those that come again and again are kept. */
#include "harness/store/db.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/store/db_int.h"

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

/* keeps: the text stays where it is until the statement is closed, and need not be copied. */
static int bind(sqlite3_stmt *h, int i, const struct db_val *v, bool keeps)
{
    switch (v->type) {
    case VAL_INT:
        return sqlite3_bind_int64(h, i, v->i);
    case VAL_NUM:
        return sqlite3_bind_double(h, i, v->x);
    case VAL_TEXT:
        return sqlite3_bind_text64(h, i, v->t.s, v->t.n, keeps ? SQLITE_STATIC : SQLITE_TRANSIENT,
                                   SQLITE_UTF8);
    case VAL_NULL:
        break;
    }
    return sqlite3_bind_null(h, i);
}

/* Comments and spaces may follow a statement, another statement may not. */
static int check_tail(struct db *db, const char *sql, const char *tail, struct err *e)
{
    sqlite3_stmt *more = NULL;
    int rc = sqlite3_prepare_v2(db->h, tail, -1, &more, NULL);
    bool nothing = rc == SQLITE_OK && !more;
    sqlite3_finalize(more);
    if (nothing)
        return 0;
    db->error_at = (int)(tail - sql) + (int)strspn(tail, " \t\r\n");
    return err_user(e, "one statement at a time: what is '%.40s'?", sql + db->error_at);
}

static int prepare(struct db *db, const char *sql, sqlite3_stmt **h, struct err *e)
{
    const char *tail = NULL;
    *db->refused = 0;
    db->error_at = -1;
    db_first_word(sql, db->word);
    int rc = sqlite3_prepare_v3(db->h, sql, -1, SQLITE_PREPARE_PERSISTENT, h, &tail);
    if (rc != SQLITE_OK) {
        db->error_at = sqlite3_error_offset(db->h);
        return db_error(db, rc, e);
    }
    if (!*h)
        return err_user(e, "there is no statement in '%.40s'", sql);
    return check_tail(db, sql, tail, e);
}

int db_error_at(const struct db *db)
{
    return db->error_at;
}

/* ---- statements that are kept ---- */

/* One of the same SQL, which is then no longer kept; or NULL. */
static struct stmt *take_kept(struct db *db, const char *sql)
{
    for (int i = db->n_kept - 1; i >= 0; i--) {
        struct stmt *s = db->kept[i];
        if (strcmp(sqlite3_sql(s->h), sql) != 0)
            continue;
        db->n_kept--;
        memmove(&db->kept[i], &db->kept[i + 1], (size_t)(db->n_kept - i) * sizeof *db->kept);
        return s;
    }
    return NULL;
}

static void free_stmt(struct stmt *s)
{
    sqlite3_finalize(s->h);
    free(s);
}

static void keep(struct stmt *s)
{
    struct db *db = s->db;
    sqlite3_reset(s->h); // its locks and values go
    sqlite3_clear_bindings(s->h);
    if (db->n_kept == DB_KEPT) {
        free_stmt(db->kept[0]);
        memmove(&db->kept[0], &db->kept[1], (size_t)--db->n_kept * sizeof *db->kept);
    }
    db->kept[db->n_kept++] = s;
}

void db_drop_kept(struct db *db)
{
    while (db->n_kept)
        free_stmt(db->kept[--db->n_kept]);
}

/* ---- statements ---- */

static int open_stmt(struct db *db, const char *sql, struct stmt **out, struct err *e)
{
    *out = take_kept(db, sql);
    if (*out)
        return 0;
    struct stmt *s = xcalloc(1, sizeof *s);
    s->db = db;
    if (prepare(db, sql, &s->h, e)) {
        free_stmt(s);
        return -1;
    }
    *out = s;
    return 0;
}

static int open_bound(struct db *db, const char *sql, const struct db_val *v, int n, bool keeps,
                      struct stmt **out, struct err *e)
{
    struct stmt *s;
    if (open_stmt(db, sql, &s, e))
        return -1;
    assert(sqlite3_bind_parameter_count(s->h) == n || !n); // unbound ones are NULL
    for (int i = 0; i < n; i++) {
        int rc = bind(s->h, i + 1, &v[i], keeps);
        if (rc != SQLITE_OK) {
            db_error(db, rc, e);
            stmt_close(s);
            return -1;
        }
    }
    *out = s;
    return 0;
}

int stmt_open(struct db *db, const char *sql, const struct db_val *v, int n, struct stmt **out,
              struct err *e)
{
    return open_bound(db, sql, v, n, false, out, e);
}

int stmt_parameters(const struct stmt *s)
{
    return sqlite3_bind_parameter_count(s->h);
}

const char *stmt_parameter(const struct stmt *s, int i)
{
    const char *name = sqlite3_bind_parameter_name(s->h, i);
    return name && *name != '?' ? name : NULL;
}

int stmt_bind(struct stmt *s, int i, const struct db_val *v, struct err *e)
{
    int rc = bind(s->h, i, v, false);
    return rc == SQLITE_OK ? 0 : db_error(s->db, rc, e);
}

int stmt_step(struct stmt *s, struct err *e)
{
    int rc = sqlite3_step(s->h);
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : db_error(s->db, rc, e);
}

void stmt_close(struct stmt *s)
{
    if (s)
        keep(s);
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
    if (open_bound(db, sql, v, n, true, &s, e))
        return -1;
    int rc = stmt_step(s, e);
    assert(rc <= 0); // a statement with rows belongs elsewhere
    if (!rc && changes)
        *changes = sqlite3_changes(db->h);
    stmt_close(s);
    return rc;
}

int64_t db_last_id(const struct db *db)
{
    return sqlite3_last_insert_rowid(db->h);
}

int db_get_int(struct db *db, const char *sql, const struct db_val *v, int n, int64_t *out,
               struct err *e)
{
    struct stmt *s;
    if (open_bound(db, sql, v, n, true, &s, e))
        return -1;
    int rc = stmt_step(s, e);
    if (rc == 1)
        *out = stmt_int(s, 0);
    stmt_close(s);
    return rc;
}
