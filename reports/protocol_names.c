#include "reports/protocol_names.h"

#include <stdlib.h>

#include "harness/base/mem.h"

static bool has_task(const struct scores_table *t, int64_t protocol, int task)
{
    for (int i = 0; i < t->n_rows; i++)
        if (t->row[i].protocol == protocol && t->row[i].cell[task].planned)
            return true;
    return false;
}

static int check_tasks(const struct scores_table *t, struct err *e)
{
    for (int i = 0; i < t->n_rows; i++)
        for (int k = 0; k < t->n_tasks; k++)
            if (!has_task(t, t->row[i].protocol, k))
                return err_user(e,
                                "--mix-protocols: %s is asked under some protocols only, so they "
                                "make no one table; without it each has its own",
                                t->task[k].name);
    return 0;
}

/* The table's protocols as a JSON array. */
static struct buf protocols_new(const struct scores_table *t)
{
    struct buf b;
    buf_init(&b);
    for (int i = 0; i < t->n_rows; i++)
        buf_printf(&b, "%s%lld", i ? "," : "[", (long long)t->row[i].protocol);
    buf_char(&b, ']');
    return b;
}

static int name_row(struct scores_row *r, struct db *db, const char *protocols, struct err *e)
{
    static const char sql[] =
        "SELECT group_concat(name || '=' || value, ', ') FROM ("
        " SELECT name, value FROM protocol_option WHERE protocol = ?1 AND name <> 'preset'"
        "    AND name IN (SELECT name FROM protocol_option"
        "                  WHERE protocol IN (SELECT value FROM json_each(?2))"
        "                  GROUP BY name HAVING count(DISTINCT value) > 1)"
        "  ORDER BY name)";
    const struct db_val v[] = {val_int(r->protocol), val_str(protocols)};
    struct stmt *q;
    struct buf b;
    if (stmt_open(db, sql, v, 2, &q, e))
        return -1;
    int rc = stmt_step(q, e);
    buf_init(&b);
    buf_printf(&b, "%s (", r->name);
    if (rc == 1 && stmt_text(q, 0).s)
        buf_text(&b, stmt_text(q, 0));
    else
        buf_printf(&b, "protocol %lld", (long long)r->protocol);
    buf_char(&b, ')');
    free(r->name);
    r->name = b.s;
    stmt_close(q);
    return rc < 0 ? -1 : 0;
}

static bool is_mixed(const struct scores_table *t)
{
    for (int i = 1; i < t->n_rows; i++)
        if (t->row[i].protocol != t->row[0].protocol)
            return true;
    return false;
}

int protocol_names(struct scores *s, struct store *store, struct err *e)
{
    int rc = 0;
    for (int i = 0; i < s->n_tables && !rc; i++) {
        struct scores_table *t = &s->table[i];
        if (!is_mixed(t))
            continue;
        struct buf protocols = protocols_new(t);
        rc = check_tasks(t, e);
        for (int k = 0; k < t->n_rows && !rc; k++)
            rc = name_row(&t->row[k], store_db(store), protocols.s, e);
        buf_release(&protocols);
    }
    return rc;
}
