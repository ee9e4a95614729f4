/* Rows of a statement as a table, CSV, JSON or Markdown. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/json.h"
#include "harness/base/log.h"
#include "harness/base/near.h"
#include "harness/base/utf8.h"
#include "reports/grid.h"
#include "reports/visible.h"
#include "runner/query.h"

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

enum { ENOUGH = 1 }; // the reader is gone

/* Writes what has gathered: all of it at the end, else now and then. */
static int flush(struct buf *b, bool end, struct err *e)
{
    if (!end && b->n < 65536)
        return 0;
    errno = 0;
    size_t written = fwrite(b->s, 1, b->n, stdout);
    bool good = written == b->n && (!end || !fflush(stdout));
    buf_reset(b);
    if (good || errno == EPIPE)
        return good ? 0 : ENOUGH;
    return err_system(e, "cannot write to stdout: %s", strerror(errno));
}

/* All rows through put_row(), which is told how many went before. */
static int each_row(struct stmt *s,
                    void (*put_row)(const struct stmt *s, size_t row, struct buf *out),
                    struct buf *out, struct err *e)
{
    int rc = 0, more = 0;
    for (size_t row = 0; !rc && (more = stmt_step(s, e)) == 1; row++) {
        put_row(s, row, out);
        rc = flush(out, false, e);
    }
    return more < 0 ? -1 : rc;
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
    int rc = each_row(s, put_csv_row, &out, e);
    if (!rc)
        rc = flush(&out, true, e);
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
    buf_str(&out, "]\n");
    if (!rc)
        rc = flush(&out, true, e);
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

/* All rows; *g is the caller's to free. */
static int read_grid(struct stmt *s, struct grid **g, struct err *e)
{
    int rc = stmt_step(s, e);
    *g = grid_for(s, rc == 1);
    for (; rc == 1; rc = stmt_step(s, e))
        add_grid_row(s, *g);
    return rc;
}

static int write_table(struct stmt *s, struct err *e)
{
    struct buf out;
    struct grid *g;
    int cut = 0, rc = read_grid(s, &g, e);
    buf_init(&out);
    if (!rc) {
        cut = grid_put_text(g, (struct grid_look){.cell_width = CELL_WIDTH}, &out);
        rc = flush(&out, true, e);
    }
    if (cut && !rc)
        log_note("%d cells were cut; --format csv or json gives them whole", cut);
    buf_release(&out);
    grid_free(g);
    return rc;
}

static int write_markdown(struct stmt *s, struct err *e)
{
    struct buf out;
    struct grid *g;
    int rc = read_grid(s, &g, e);
    buf_init(&out);
    if (!rc) {
        grid_put_markdown(g, &out);
        rc = flush(&out, true, e);
    }
    buf_release(&out);
    grid_free(g);
    return rc;
}

/* ---- by name ---- */

static const struct {
    const char *name;
    int (*write)(struct stmt *s, struct err *e);
} formats[] = {[QUERY_TABLE] = {"table", write_table},
               [QUERY_CSV] = {"csv", write_csv},
               [QUERY_JSON] = {"json", write_json},
               [QUERY_MARKDOWN] = {"markdown", write_markdown}};

int query_find_format(const char *name, enum query_format *format, struct err *e)
{
    enum { N = sizeof formats / sizeof *formats };
    const char *names[N];
    char hint[128];
    for (size_t i = 0; i < N; i++) {
        names[i] = formats[i].name;
        *format = (enum query_format)i;
        if (!strcmp(name, names[i]))
            return 0;
    }
    return err_user(e, "--format is '%s', must be table, csv, json or markdown%s", name,
                    near_hint(hint, name, names, N));
}

int query_write(struct stmt *s, enum query_format format, struct err *e)
{
    int rc = formats[format].write(s, e);
    return rc < 0 ? -1 : 0;
}
