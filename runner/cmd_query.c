/* kvlab query: SQL over the database, and nothing that could change it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/json.h"
#include "harness/base/log.h"
#include "harness/base/near.h"
#include "harness/base/utf8.h"
#include "harness/store/store.h"
#include "reports/grid.h"
#include "reports/visible.h"
#include "runner/command.h"

static int query(int argc, char **argv);

const struct command cmd_query = {
    .name = "query",
    .summary = "read-only SQL over every run",
    .usage = "query \"SELECT ...\" [--db PATH] [--format table|csv|json]\n\n"
             "  --db PATH      the database (kvlab.db)\n"
             "  --format FORM  table (long cells are cut), csv or json\n\n"
             "Start with the views result (a row a run and task) and item (a row a prediction);\n"
             "SELECT * FROM docs describes every table and column.",
    .run = query,
};

enum { CELL_WIDTH = 60 };

/* ---- values ---- */

static void put_hex(struct text t, struct buf *out)
{
    for (size_t i = 0; i < t.n; i++)
        buf_printf(out, "%02x", (unsigned char)t.s[i]);
}

/* As text; digits of a real number for people, or all that it has. */
static void put_value(const struct stmt *s, int i, bool all_digits, struct buf *out)
{
    switch (stmt_type(s, i)) {
    case COL_NUM:
        if (all_digits)
            json_put_number(out, stmt_num(s, i));
        else
            buf_printf(out, "%.6g", stmt_num(s, i));
        break;
    case COL_BLOB:
        put_hex(stmt_text(s, i), out);
        break;
    case COL_NULL:
        break;
    case COL_INT:
    case COL_TEXT:
        buf_text(out, stmt_text(s, i));
    }
}

/* JSON knows only valid UTF-8. */
static void put_json_text(struct text t, struct buf *out)
{
    if (utf8_invalid_at(t) == t.n) {
        json_put_string(out, t);
        return;
    }
    struct buf b = visible_new(t);
    json_put_string(out, text_buf(&b));
    buf_release(&b);
}

static void put_json_value(const struct stmt *s, int i, struct buf *out)
{
    struct buf b;
    switch (stmt_type(s, i)) {
    case COL_NULL:
        buf_str(out, "null");
        return;
    case COL_TEXT:
        put_json_text(stmt_text(s, i), out);
        return;
    case COL_BLOB:
        buf_init(&b);
        put_hex(stmt_text(s, i), &b);
        json_put_string(out, text_buf(&b));
        buf_release(&b);
        return;
    case COL_INT:
    case COL_NUM:
        put_value(s, i, true, out);
    }
}

/* ---- formats: each takes the statement before its first row ---- */

/* Writes what has gathered: all of it at the end, else now and then. */
static int flush(struct buf *b, bool end, struct err *e)
{
    if (!end && b->n < 65536)
        return 0;
    size_t written = fwrite(b->s, 1, b->n, stdout);
    bool good = written == b->n && (!end || !fflush(stdout));
    buf_reset(b);
    return good ? 0 : err_system(e, "cannot write to stdout: %s", strerror(errno));
}

/* All rows through put_row(), which is told how many went before. */
static int each_row(struct stmt *s,
                    void (*put_row)(const struct stmt *s, size_t row, struct buf *out),
                    struct buf *out, struct err *e)
{
    int rc;
    for (size_t row = 0; (rc = stmt_step(s, e)) == 1; row++) {
        put_row(s, row, out);
        if (flush(out, false, e))
            return -1;
    }
    return rc;
}

static void put_csv_row(const struct stmt *s, size_t row, struct buf *out)
{
    struct buf value;
    (void)row;
    buf_init(&value);
    for (int i = 0; i < stmt_columns(s); i++) {
        buf_reset(&value);
        put_value(s, i, true, &value);
        buf_str(out, i ? "," : "");
        grid_put_csv_field(text_buf(&value), out);
    }
    buf_char(out, '\n');
    buf_release(&value);
}

static int write_csv(struct stmt *s, struct err *e)
{
    struct buf out;
    buf_init(&out);
    for (int i = 0; i < stmt_columns(s); i++) {
        buf_str(&out, i ? "," : "");
        grid_put_csv_field(text_of(stmt_name(s, i)), &out);
    }
    buf_char(&out, '\n');
    int rc = each_row(s, put_csv_row, &out, e) || flush(&out, true, e) ? -1 : 0;
    buf_release(&out);
    return rc;
}

static void put_json_row(const struct stmt *s, size_t row, struct buf *out)
{
    buf_str(out, row ? ",\n " : "");
    for (int i = 0; i < stmt_columns(s); i++) {
        buf_str(out, i ? ", " : "{");
        put_json_text(text_of(stmt_name(s, i)), out);
        buf_str(out, ": ");
        put_json_value(s, i, out);
    }
    buf_char(out, '}');
}

static int write_json(struct stmt *s, struct err *e)
{
    struct buf out;
    buf_init(&out);
    buf_char(&out, '[');
    int rc = each_row(s, put_json_row, &out, e);
    buf_str(&out, rc ? "" : "]\n");
    if (flush(&out, true, e))
        rc = -1;
    buf_release(&out);
    return rc;
}

/* Numbers to the right, going by the first row. */
static struct grid *grid_for(const struct stmt *s, bool row)
{
    struct grid *g = grid_new();
    for (int i = 0; i < stmt_columns(s); i++) {
        enum col_type t = row ? stmt_type(s, i) : COL_TEXT;
        grid_column(g, "", stmt_name(s, i), t == COL_INT || t == COL_NUM ? GRID_RIGHT : GRID_LEFT);
    }
    return g;
}

static void add_grid_row(const struct stmt *s, struct grid *g)
{
    struct buf value;
    buf_init(&value);
    for (int i = 0; i < stmt_columns(s); i++) {
        buf_reset(&value);
        put_value(s, i, false, &value);
        grid_cell(g, text_buf(&value));
    }
    buf_release(&value);
}

static int write_table(struct stmt *s, struct err *e)
{
    struct buf out;
    int rc = stmt_step(s, e), cut = 0;
    struct grid *g = grid_for(s, rc == 1);
    buf_init(&out);
    for (; rc == 1; rc = stmt_step(s, e))
        add_grid_row(s, g);
    if (!rc) {
        cut = grid_put_text(g, (struct grid_look){.cell_width = CELL_WIDTH}, &out);
        rc = flush(&out, true, e);
    }
    if (cut)
        log_note("%d cells were cut; --format csv or json gives them whole", cut);
    buf_release(&out);
    grid_free(g);
    return rc;
}

/* ---- the command ---- */

static const struct {
    const char *name;
    int (*write)(struct stmt *s, struct err *e);
} formats[] = {{"table", write_table}, {"csv", write_csv}, {"json", write_json}};

static int find_format(const char *name, size_t *format, struct err *e)
{
    enum { N = sizeof formats / sizeof *formats };
    const char *names[N];
    char hint[128];
    for (*format = 0; *format < N; ++*format) {
        names[*format] = formats[*format].name;
        if (!strcmp(name, formats[*format].name))
            return 0;
    }
    return err_user(e, "query: --format is '%s', must be table, csv or json%s", name,
                    near_hint(hint, name, names, N));
}

static int run_query(const char *sql, const char *path, size_t format, struct err *e)
{
    struct store *store;
    struct stmt *s;
    if (store_open(path, STORE_READONLY, &store, e))
        return -1;
    db_only_read(store_db(store));
    int rc = stmt_open(store_db(store), sql, NULL, 0, &s, e);
    if (!rc) {
        rc = formats[format].write(s, e);
        stmt_close(s);
    }
    store_close(store);
    return rc ? err_in(e, "query") : 0;
}

static int query(int argc, char **argv)
{
    struct err e;
    const char *sql = NULL, *path = "kvlab.db", *format_name = "table";
    size_t format;
    int n;
    const struct flag flags[] = {
        {.name = "--db", .value = &path}, {.name = "--format", .value = &format_name}, {0}};
    int rc = command_flags(&cmd_query, argc, argv, flags, &sql, 1, &n, &e);
    if (rc)
        return rc > 0 ? 0 : log_failure(&e);
    if (!n) {
        err_user(&e, "query: what shall be asked? (usage: kvlab query \"SELECT ...\")");
        return log_failure(&e);
    }
    if (find_format(format_name, &format, &e) || run_query(sql, path, format, &e))
        return log_failure(&e);
    return 0;
}
