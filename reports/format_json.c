/* A document as one JSON object: what it is of, every grid of data by name, and the words. */
#include <stdlib.h>

#include "harness/base/json.h"
#include "harness/base/utf8.h"
#include "reports/doc_int.h"
#include "reports/format.h"
#include "reports/visible.h"

static int put_document(const struct doc *d, const struct format_look *look, struct buf *out,
                        struct err *e);

const struct format format_json = {
    .name = "json", .endings = (const char *const[]){".json", NULL}, .put = put_document};

void format_put_json_text(struct text t, struct buf *out)
{
    if (utf8_invalid_at(t) == t.n) {
        json_put_string(out, t);
        return;
    }
    struct buf b = visible_new(t);
    json_put_string(out, text_buf(&b));
    buf_release(&b);
}

void format_put_json_number(double x, struct buf *out)
{
    if (isfinite(x))
        json_put_number(out, x);
    else
        buf_str(out, "null");
}

/* ---- grids ---- */

static void put_cell(const struct cell *c, struct buf *out)
{
    switch (c->kind) {
    case CELL_TEXT:
        format_put_json_text(c->t, out);
        break;
    case CELL_NUMBER:
        format_put_json_number(c->value, out);
        break;
    case CELL_BLANK:
        buf_str(out, "null");
    }
}

static void put_rows(const struct grid *g, struct buf *out)
{
    char **keys = grid_keys_new(g);
    buf_char(out, '[');
    for (size_t row = 0; row < grid_rows(g); row++) {
        buf_str(out, row ? ",\n   {" : "\n   {");
        for (int i = 0; i < g->n_columns; i++) {
            buf_str(out, i ? ", " : "");
            format_put_json_text(text_of(keys[i]), out);
            buf_str(out, ": ");
            put_cell(grid_at(g, row, i), out);
        }
        buf_char(out, '}');
    }
    buf_char(out, ']');
    for (int i = 0; i < g->n_columns; i++)
        free(keys[i]);
    free(keys);
}

static void put_grids(const struct doc *d, struct buf *out)
{
    const struct grid *g;
    const char *comma = "";
    buf_str(out, ",\n \"grids\": {");
    for (int at = 0; (g = doc_next_data(d, &at)); comma = ",") {
        buf_printf(out, "%s\n  ", comma);
        format_put_json_text(text_of(g->name), out);
        buf_str(out, ": ");
        put_rows(g, out);
    }
    buf_char(out, '}');
}

/* ---- units, of the columns that have one ---- */

static bool has_units(const struct grid *g)
{
    for (int i = 0; i < g->n_columns; i++)
        if (g->column[i].unit)
            return true;
    return false;
}

static void put_units_of(const struct grid *g, struct buf *out)
{
    char **keys = grid_keys_new(g);
    const char *comma = "";
    for (int i = 0; i < g->n_columns; i++) {
        if (g->column[i].unit) {
            buf_str(out, comma);
            format_put_json_text(text_of(keys[i]), out);
            buf_str(out, ": ");
            format_put_json_text(text_of(g->column[i].unit), out);
            comma = ", ";
        }
        free(keys[i]);
    }
    free(keys);
}

static void put_units(const struct doc *d, struct buf *out)
{
    const struct grid *g;
    const char *comma = "";
    buf_str(out, ",\n \"units\": {");
    for (int at = 0; (g = doc_next_data(d, &at));) {
        if (!has_units(g))
            continue;
        buf_printf(out, "%s\n  ", comma);
        format_put_json_text(text_of(g->name), out);
        buf_str(out, ": {");
        put_units_of(g, out);
        buf_char(out, '}');
        comma = ",";
    }
    buf_char(out, '}');
}

/* ---- words ---- */

static void put_named(const struct doc_block *b, const char *name, const char *value,
                      struct buf *out)
{
    buf_printf(out, "{\"%s\": ", name);
    format_put_json_text(b->name, out);
    buf_printf(out, ", \"%s\": ", value);
    format_put_json_text(b->text, out);
    buf_char(out, '}');
}

/* All blocks of a kind, in a list. */
static void put_words(const struct doc *d, enum doc_kind kind, const char *member, struct buf *out)
{
    const char *comma = "";
    buf_printf(out, ",\n \"%s\": [", member);
    for (int i = 0; i < d->n_blocks; i++) {
        const struct doc_block *b = &d->block[i];
        if (b->kind != kind)
            continue;
        buf_printf(out, "%s\n  ", comma);
        comma = ",";
        if (kind == DOC_FACT)
            put_named(b, "name", "value", out);
        else if (kind == DOC_QUOTE)
            put_named(b, "label", "words", out);
        else
            format_put_json_text(b->text, out);
    }
    buf_char(out, ']');
}

static int put_document(const struct doc *d, const struct format_look *look, struct buf *out,
                        struct err *e)
{
    (void)look, (void)e;
    buf_str(out, "{\"report\": ");
    format_put_json_text(text_of(d->report), out);
    buf_str(out, ",\n \"title\": ");
    format_put_json_text(text_of(d->title), out);
    for (int i = 0; i < d->n_fields; i++) {
        buf_str(out, ",\n ");
        format_put_json_text(text_of(d->field[i].name), out);
        buf_str(out, ": ");
        format_put_json_text(text_of(d->field[i].value), out);
    }
    put_grids(d, out);
    put_units(d, out);
    put_words(d, DOC_FACT, "facts", out);
    put_words(d, DOC_PARA, "text", out);
    put_words(d, DOC_QUOTE, "quotes", out);
    put_words(d, DOC_NOTE, "notes", out);
    buf_str(out, "}\n");
    return 0;
}
