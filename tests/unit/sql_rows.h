/* Rows of a query as text. Include after cmocka.h. */
#ifndef KVLAB_TEST_SQL_ROWS_H
#define KVLAB_TEST_SQL_ROWS_H

#include "harness/store/db.h"

/* A line a row is added to out. */
static inline void sql_rows(struct db *db, const char *sql, struct buf *out)
{
    struct err e;
    struct stmt *q;
    int rc;
    if (stmt_open(db, sql, NULL, 0, &q, &e))
        fail_msg("%s: %s", sql, e.msg);
    while ((rc = stmt_step(q, &e)) == 1) {
        for (int i = 0; i < stmt_columns(q); i++) {
            struct text t = stmt_text(q, i);
            buf_str(out, i ? "|" : "");
            buf_text(out, t.s ? t : text_of("NULL"));
        }
        buf_char(out, '\n');
    }
    if (rc)
        fail_msg("%s: %s", sql, e.msg);
    stmt_close(q);
}

#endif
