/* Statements of a merge, made from a table's own columns and foreign keys. */
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/store/store_merge_int.h"

/* ---- columns ---- */

static void add_column(struct merge_columns *c, const struct stmt *q, const struct merged_table *t)
{
    c->list = xrealloc(c->list, mem_size((size_t)c->n + 1, sizeof *c->list));
    struct merge_column *x = &c->list[c->n++];
    *x = (struct merge_column){stmt_str_dup(q, 0), stmt_str_dup(q, 1), stmt_int(q, 2) != 0, "min"};
    if (t->latest && !strcmp(x->name, t->latest))
        x->pick = "max";
    if (t->fixed && !strcmp(x->name, t->fixed))
        x->plain = false;
}

int merge_columns_read(struct merge *m, const struct merged_table *t, struct merge_columns *c)
{
    struct stmt *q;
    struct db_val v[] = {val_str(t->name), val_str(t->key)};
    const char *sql = "SELECT i.name, coalesce(f.\"table\", ''), f.\"table\" IS NULL AND"
                      " instr(', ' || ?2 || ',', ', ' || i.name || ',') = 0"
                      " FROM pragma_table_info(?1) i"
                      " LEFT JOIN pragma_foreign_key_list(?1) f ON f.\"from\" = i.name"
                      " WHERE i.name <> 'id' ORDER BY i.cid";
    int rc;
    *c = (struct merge_columns){NULL, 0};
    if (stmt_open(m->db, sql, v, 2, &q, m->e))
        return -1;
    while ((rc = stmt_step(q, m->e)) == 1)
        add_column(c, q, t);
    stmt_close(q);
    if (rc)
        merge_columns_release(c);
    return rc;
}

void merge_columns_release(struct merge_columns *c)
{
    for (int i = 0; i < c->n; i++) {
        free(c->list[i].name);
        free(c->list[i].refers);
    }
    free(c->list);
}

static void put_pattern(struct buf *b, const char *pattern, const struct merge_column *c)
{
    for (; *pattern; pattern++) {
        if (*pattern == '%')
            buf_printf(b, "\"%s\"", c->name);
        else if (*pattern == '@')
            buf_str(b, c->pick);
        else
            buf_char(b, *pattern);
    }
}

void merge_put_each(struct buf *b, const struct merge_columns *c, const char *pattern)
{
    const char *before = "";
    for (int i = 0; i < c->n; i++) {
        if (!c->list[i].plain)
            continue;
        buf_str(b, before);
        put_pattern(b, pattern, &c->list[i]);
        before = ", ";
    }
}

void merge_put_names(struct buf *b, const struct merge_columns *c)
{
    for (int i = 0; i < c->n; i++)
        buf_printf(b, "%s\"%s\"", i ? ", " : "", c->list[i].name);
}

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

/* Of two columns that refer to one table, one is called base. */
static const char *alias_of(const struct merge_column *c)
{
    return strcmp(c->name, "base") ? c->refers : c->name;
}

/* A column that refers to a table is found in that one's map. */
void merge_put_values(struct buf *b, const struct merge_columns *c, const char *table)
{
    for (int i = 0; i < c->n; i++) {
        const char *value = value_of(table, c->list[i].name);
        buf_str(b, i ? ", " : "");
        if (value)
            buf_str(b, value);
        else if (*c->list[i].refers)
            buf_printf(b, "map_%s.dst", alias_of(&c->list[i]));
        else
            buf_printf(b, "s.\"%s\"", c->list[i].name);
    }
}

void merge_put_joins(struct buf *b, const struct merge_columns *c)
{
    for (int i = 0; i < c->n; i++) {
        const struct merge_column *x = &c->list[i];
        if (*x->refers)
            buf_printf(b, " LEFT JOIN temp.map_%s AS map_%s ON map_%s.src = s.\"%s\"", x->refers,
                       alias_of(x), alias_of(x), x->name);
    }
}

/* ---- a table ---- */

int merge_run(struct merge *m, const char *sql, const struct db_val *v, int n, int64_t *changes)
{
    int64_t written = 0;
    if (db_run(m->db, sql, v, n, &written, m->e))
        return -1;
    m->out->rows += written;
    if (changes)
        *changes = written;
    return 0;
}

static bool has_plain(const struct merge_columns *c)
{
    for (int i = 0; i < c->n; i++)
        if (c->list[i].plain)
            return true;
    return false;
}

/* A column that one of them lacks is the other's. */
#define PICKED "coalesce(@(%, excluded.%), %, excluded.%)"

static void put_choice(struct buf *b, const struct merged_table *t, const struct merge_columns *c)
{
    bool whole = t->choice == MERGE_WHOLE;
    if (t->choice == MERGE_NEITHER || !has_plain(c)) {
        buf_str(b, " DO NOTHING");
        return;
    }
    buf_str(b, " DO UPDATE SET ");
    merge_put_each(b, c, whole ? "% = excluded.%" : "% = " PICKED);
    buf_str(b, " WHERE (");
    merge_put_each(b, c, whole ? "excluded.% IS NULL, coalesce(excluded.%, 0)" : PICKED);
    buf_str(b, whole ? ") < (" : ") IS NOT (");
    merge_put_each(b, c, whole ? "% IS NULL, coalesce(%, 0)" : "%");
    buf_char(b, ')');
}

/* In their order: jobs are claimed in the order of their ids. */
static void put_copy(struct buf *b, const struct merged_table *t, const struct merge_columns *c)
{
    buf_printf(b, "INSERT INTO main.%s (", t->name);
    merge_put_names(b, c);
    buf_str(b, ") SELECT ");
    merge_put_values(b, c, t->name);
    buf_printf(b, " FROM source.%s AS s", t->name);
    merge_put_joins(b, c);
    buf_printf(b, " WHERE %s ORDER BY %s ON CONFLICT (%s)", t->where ? t->where : "true",
               t->map || !strcmp(t->name, "job") ? "s.id" : "1, 2", t->key);
    put_choice(b, t, c);
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

int merge_copy(struct merge *m, const struct merged_table *t)
{
    struct merge_columns c;
    struct buf sql;
    struct db_val v[] = {val_int(m->from), val_int(m->to)};
    buf_init(&sql);
    int rc = merge_columns_read(m, t, &c);
    if (!rc) {
        put_copy(&sql, t, &c);
        rc = merge_run(m, sql.s, v, t->where ? 2 : 0, NULL);
        merge_columns_release(&c);
    }
    buf_release(&sql);
    if (!rc && t->map)
        rc = map_rows(m, t);
    return rc ? err_in(m->e, "table %s", t->name) : 0;
}
