/* One grid of a document as CSV: names of columns, then rows, numbers with all their digits. */
#include <stdlib.h>
#include <string.h>

#include "harness/base/json.h"
#include "harness/base/mem.h"
#include "harness/base/near.h"
#include "reports/doc_int.h"
#include "reports/format.h"

static int put_document(const struct doc *d, const struct format_look *look, struct buf *out,
                        struct err *e);

const struct format format_csv = {
    .name = "csv", .endings = (const char *const[]){".csv", NULL}, .put = put_document};

/* ---- grids ---- */

void grid_put_csv_field(struct text t, struct buf *out)
{
    bool quote = false;
    for (size_t i = 0; i < t.n; i++)
        quote |= t.s[i] == ',' || t.s[i] == '"' || t.s[i] == '\n' || t.s[i] == '\r';
    if (!quote) {
        buf_text(out, t);
        return;
    }
    buf_char(out, '"');
    for (size_t i = 0; i < t.n; i++) {
        if (t.s[i] == '"')
            buf_char(out, '"');
        buf_char(out, t.s[i]);
    }
    buf_char(out, '"');
}

static void put_cell(const struct cell *c, struct buf *out)
{
    if (c->kind == CELL_TEXT)
        grid_put_csv_field(c->t, out);
    else if (c->kind == CELL_NUMBER && isfinite(c->value))
        json_put_number(out, c->value);
}

void grid_put_csv(const struct grid *g, struct buf *out)
{
    char **keys = grid_keys_new(g);
    for (int i = 0; i < g->n_columns; i++) {
        buf_str(out, i ? "," : "");
        grid_put_csv_field(text_of(keys[i]), out);
    }
    buf_char(out, '\n');
    for (size_t row = 0; row < grid_rows(g); row++) {
        for (int i = 0; i < g->n_columns; i++) {
            buf_str(out, i ? "," : "");
            put_cell(grid_at(g, row, i), out);
        }
        buf_char(out, '\n');
    }
    for (int i = 0; i < g->n_columns; i++)
        free(keys[i]);
    free(keys);
}

/* ---- which grid ---- */

static int unknown_grid(const struct doc *d, const char *wanted, struct err *e)
{
    const char **names = xcalloc((size_t)d->n_blocks + 1, sizeof *names);
    const struct grid *g;
    char hint[128];
    struct buf b;
    size_t n = 0;
    buf_init(&b);
    for (int at = 0; (g = doc_next_data(d, &at));) {
        buf_printf(&b, "%s%s", n ? ", " : "", g->name);
        names[n++] = g->name;
    }
    err_user(e, "report %s has no grid '%s'%s; it has: %s", d->report, wanted,
             near_hint(hint, wanted, names, n), n ? b.s : "none");
    buf_release(&b);
    free(names);
    return -1;
}

static const struct grid *find_grid(const struct doc *d, const char *wanted)
{
    const struct grid *g;
    for (int at = 0; (g = doc_next_data(d, &at));)
        if (!strcmp(g->name, wanted))
            return g;
    return NULL;
}

/* The first table, or where there is none the first plot's data. */
static const struct grid *main_grid(const struct doc *d)
{
    int at = 0;
    if (d->main)
        return d->main;
    for (int i = 0; i < d->n_blocks; i++)
        if (d->block[i].kind == DOC_GRID && d->block[i].use != DOC_SHOWN)
            return d->block[i].grid;
    return doc_next_data(d, &at);
}

static int put_document(const struct doc *d, const struct format_look *look, struct buf *out,
                        struct err *e)
{
    const struct grid *g = look->grid ? find_grid(d, look->grid) : main_grid(d);
    if (!g && look->grid)
        return unknown_grid(d, look->grid, e);
    if (!g)
        return err_user(e, "report %s has no table to write as CSV", d->report);
    grid_put_csv(g, out);
    return 0;
}
