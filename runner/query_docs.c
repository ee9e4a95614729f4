/* Table docs for people: what there is, and the columns of one table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/base/near.h"
#include "reports/visible.h"
#include "runner/query.h"

enum { NAMES_MAX = 128 };

static const char objects_sql[] =
    "SELECT d.object, s.type, d.text FROM docs d JOIN sqlite_schema s ON s.name = d.object"
    " WHERE d.\"column\" = '' ORDER BY s.type DESC, d.object";

/* In the order of the table; a view's columns that are computed have no type. */
static const char columns_sql[] =
    "SELECT c.name, lower(c.type), d.text FROM pragma_table_xinfo(?1) c"
    " LEFT JOIN docs d ON d.object = ?1 AND d.\"column\" = c.name ORDER BY c.cid";

/* Rows of name, type and text, below each other's. */
static int put_rows(struct db *db, const char *sql, const struct db_val *v, int n, int width,
                    struct buf *out, struct err *e)
{
    enum { NAME = 26, TYPE = 8 };
    struct stmt *s;
    struct buf line;
    int rc;
    if (stmt_open(db, sql, v, n, &s, e))
        return -1;
    buf_init(&line);
    while ((rc = stmt_step(s, e)) == 1) {
        struct text name = stmt_text(s, 0), type = stmt_text(s, 1), text = stmt_text(s, 2);
        buf_reset(&line);
        buf_printf(&line, "%-*.*s %-*.*s ", NAME, (int)name.n, name.s, TYPE, (int)type.n, type.s);
        buf_text(&line, text);
        visible_put_wrapped(line.s, width, NAME + TYPE + 2, out);
    }
    buf_release(&line);
    stmt_close(s);
    return rc;
}

/* 1: it is there; its text is in out. */
static int put_head(struct db *db, const char *object, int width, struct buf *out, struct err *e)
{
    struct stmt *s;
    struct db_val v = val_str(object);
    const char *sql =
        "SELECT object || ': ' || text FROM docs WHERE object = ?1 AND \"column\" = ''";
    if (stmt_open(db, sql, &v, 1, &s, e))
        return -1;
    int rc = stmt_step(s, e);
    if (rc == 1) {
        char *line = stmt_str_dup(s, 0);
        visible_put_wrapped(line, width, 4, out);
        buf_char(out, '\n');
        free(line);
    }
    stmt_close(s);
    return rc;
}

static int unknown_object(struct db *db, const char *object, struct err *e)
{
    struct stmt *s;
    char *names[NAMES_MAX], hint[128];
    size_t n = 0;
    if (stmt_open(db, objects_sql, NULL, 0, &s, e))
        return -1;
    while (n < NAMES_MAX && stmt_step(s, e) == 1)
        names[n++] = stmt_str_dup(s, 0);
    stmt_close(s);
    err_user(e, "there is no table or view '%s'%s (kvlab query --docs lists them)", object,
             near_hint(hint, object, (const char *const *)names, n));
    while (n)
        free(names[--n]);
    return -1;
}

int query_put_docs(struct db *db, const char *object, int width, struct buf *out, struct err *e)
{
    struct db_val v = val_str(object);
    if (!object)
        return put_rows(db, objects_sql, NULL, 0, width, out, e);
    int rc = put_head(db, object, width, out, e);
    if (rc <= 0)
        return rc ? -1 : unknown_object(db, object, e);
    return put_rows(db, columns_sql, &v, 1, width, out, e);
}
