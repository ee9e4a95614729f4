#include "reports/sql_grid.h"

#include <stdio.h>
#include <string.h>

enum { HASH = 64, SHORT = 12 };

static void words_of(const char *name, char *out, size_t size)
{
    snprintf(out, size, "%s", name);
    for (char *c = out; *c; c++)
        *c = *c == '_' ? ' ' : *c;
}

static bool is_hash(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (!strchr("0123456789abcdef", t.s[i]))
            return false;
    return t.n == HASH;
}

static struct text shown(struct text t, enum doc_use use)
{
    return use == DOC_SHOWN && is_hash(t) ? (struct text){t.s, SHORT} : t;
}

/* ---- a table ---- */

static void put_columns(struct grid *g, const struct stmt *q)
{
    char head[64];
    for (int i = 0; i < stmt_columns(q); i++) {
        const enum col_type type = stmt_type(q, i);
        words_of(stmt_name(q, i), head, sizeof head);
        grid_column(g, "", head, type == COL_INT || type == COL_NUM ? GRID_RIGHT : GRID_LEFT);
        grid_key(g, stmt_name(q, i));
    }
}

static void put_row(struct grid *g, const struct stmt *q, enum doc_use use)
{
    for (int i = 0; i < stmt_columns(q); i++)
        switch (stmt_type(q, i)) {
        case COL_NULL:
            grid_blank(g);
            break;
        case COL_INT:
            grid_number(g, (double)stmt_int(q, i), 0);
            break;
        case COL_NUM:
            grid_number(g, stmt_num(q, i), 1);
            break;
        case COL_TEXT:
        case COL_BLOB:
            grid_cell(g, shown(stmt_text(q, i), use));
        }
}

int sql_grid(struct doc *d, enum doc_use use, const struct sql_part *part, struct store *s,
             int64_t experiment, int *rows, struct err *e)
{
    const struct db_val v = val_int(experiment);
    struct stmt *q;
    int n = 0;
    if (stmt_open(store_db(s), part->sql, &v, 1, &q, e))
        return -1;
    int rc = stmt_step(q, e);
    struct grid *g = rc < 0 ? NULL : doc_grid(d, rc ? use : DOC_DATA, part->name, part->caption);
    if (g)
        put_columns(g, q);
    for (; rc == 1; rc = stmt_step(q, e), n++)
        put_row(g, q, use);
    stmt_close(q);
    if (rows)
        *rows = n;
    return rc;
}

int sql_grid_both(struct doc *d, const struct sql_part *part, struct store *s, int64_t experiment,
                  struct err *e)
{
    const struct db_val v = val_int(experiment);
    struct stmt *q;
    if (stmt_open(store_db(s), part->sql, &v, 1, &q, e))
        return -1;
    int rc = stmt_step(q, e);
    struct grid *kept = rc < 0 ? NULL : doc_grid(d, DOC_DATA, part->name, part->caption);
    struct grid *seen = rc < 1 ? NULL : doc_grid(d, DOC_SHOWN, part->name, part->caption);
    if (kept)
        put_columns(kept, q);
    if (seen)
        put_columns(seen, q);
    for (; rc == 1; rc = stmt_step(q, e)) {
        put_row(kept, q, DOC_DATA);
        put_row(seen, q, DOC_SHOWN);
    }
    stmt_close(q);
    return rc;
}

/* ---- facts ---- */

static void put_facts(struct doc *d, const struct stmt *q)
{
    char name[64];
    struct text head = stmt_text(q, 0);
    doc_heading(d, "%.*s", (int)head.n, head.s);
    for (int i = 1; i < stmt_columns(q); i++) {
        struct text t = stmt_text(q, i);
        if (!t.s)
            continue;
        words_of(stmt_name(q, i), name, sizeof name);
        doc_fact(d, name, "%.*s", (int)t.n, t.s);
    }
}

int sql_facts(struct doc *d, const struct sql_part *part, struct store *s, int64_t experiment,
              struct err *e)
{
    const struct db_val v = val_int(experiment);
    struct stmt *q;
    int rc;
    if (stmt_open(store_db(s), part->sql, &v, 1, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1)
        put_facts(d, q);
    stmt_close(q);
    return rc;
}
