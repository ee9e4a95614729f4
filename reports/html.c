#include "reports/html.h"

#include <assert.h>
#include <string.h>

#include "harness/base/json.h"
#include "harness/base/utf8.h"
#include "reports/doc_int.h"
#include "reports/svg_ids.h"
#include "reports/visible.h"

/* ---- text ---- */

/* Characters that XML does not allow are shown as their number. */
static void put_code_point(uint32_t c, const char *s, int n, struct buf *out)
{
    static const struct {
        uint32_t c;
        const char *as;
    } own[] = {{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (c == own[i].c) {
            buf_str(out, own[i].as);
            return;
        }
    if (c == 0xFFFE || c == 0xFFFF)
        buf_printf(out, "\\u%04x", (unsigned)c);
    else
        buf_add(out, s, (size_t)n);
}

void html_put_text(struct text t, struct buf *out)
{
    struct buf b = visible_new(t);
    int len;
    for (size_t i = 0; i < b.n; i += (size_t)len) {
        uint32_t c = utf8_at(b.s + i, &len);
        put_code_point(c, b.s + i, len, out);
    }
    buf_release(&b);
}

static void put_element(const char *name, const char *attributes, struct text t, struct buf *out)
{
    buf_printf(out, "<%s%s%s>", name, *attributes ? " " : "", attributes);
    html_put_text(t, out);
    buf_printf(out, "</%s>\n", name);
}

/* ---- the page ---- */

const char html_style[] =
    ":root{color-scheme:light dark;--ink:#1b1b1b;--soft:#5c5c5c;--paper:#fff;--line:#c8c8c8;"
    "--band:#f4f4f2;--best:#0b5d3b}\n"
    "@media (prefers-color-scheme:dark){:root{--ink:#e8e8e6;--soft:#a5a5a2;--paper:#161718;"
    "--line:#46484a;--band:#1f2123;--best:#7fd6a8}}\n"
    "body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}\n"
    "main{max-width:90rem;margin:0 auto;padding:1.5rem 1rem 4rem}\n"
    "h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2.2rem}\n"
    "figure{margin:1.4rem 0;overflow-x:auto}\n"
    "table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}\n"
    "caption{text-align:left;font-weight:600;padding:.3rem 0}\n"
    "th,td{padding:.2rem .6rem;text-align:left;vertical-align:top}\n"
    "thead th{vertical-align:bottom}\n"
    "th.n,td.n{text-align:right;white-space:nowrap}"
    "tbody th{font-weight:400;min-width:9rem;overflow-wrap:anywhere}\n"
    "h1,h2,li,p{overflow-wrap:anywhere}\n"
    "caption.said{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}\n"
    "thead{border-top:2px solid var(--ink);border-bottom:1px solid var(--ink)}\n"
    "table{border-bottom:2px solid var(--ink)}\n"
    "th[scope=colgroup]{border-bottom:1px solid var(--line)}\n"
    "tr.rule th,tr.rule td{border-top:1px solid var(--line)}\n"
    "tbody tr:hover{background:var(--band)}\n"
    "td strong{color:var(--best)}\n"
    "ul.notes{font-size:.85rem;color:var(--soft);padding-left:1.1rem}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}\n"
    "dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}\n"
    "blockquote{margin:.3rem 0 1rem;padding:.2rem .9rem;border-left:3px solid var(--line);"
    "white-space:pre-wrap;overflow-wrap:anywhere}\n"
    ".plot svg{max-width:100%;height:auto;background:#fff;border-radius:6px}\n"
    "@media print{main{max-width:none;padding:0}figure{overflow:visible;break-inside:avoid}}\n";

void html_begin(struct text title, const char *more_style, struct buf *out)
{
    buf_str(out, "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n"
                 "<head>\n<meta charset=\"utf-8\" />\n"
                 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\n");
    put_element("title", "", title, out);
    buf_printf(out, "<style>\n%s%s</style>\n</head>\n<body>\n<main>\n", html_style,
               more_style ? more_style : "");
}

void html_end(struct buf *out)
{
    buf_str(out, "</main>\n</body>\n</html>\n");
}

/* ---- grids ---- */

static void put_scope(const char *scope, int columns, int rows, bool number, struct text t,
                      struct buf *out)
{
    buf_printf(out, "<th scope=\"%s\"", scope);
    if (columns > 1)
        buf_printf(out, " colspan=\"%d\"", columns);
    if (rows > 1)
        buf_printf(out, " rowspan=\"%d\"", rows);
    buf_str(out, number ? " class=\"n\">" : ">");
    html_put_text(t, out);
    buf_str(out, "</th>");
}

static void put_head(const struct grid *g, int column, int rows, struct buf *out)
{
    const struct column *c = &g->column[column];
    put_scope("col", 1, rows, c->align == GRID_RIGHT, text_of(c->head), out);
}

static void put_heads(const struct grid *g, struct buf *out)
{
    const bool groups = grid_has_groups(g);
    buf_str(out, "<thead>\n<tr>");
    for (int i = 0; i < g->n_columns; i++) {
        int end = grid_group_end(g, i);
        if (!*g->column[i].group) {
            put_head(g, i, groups ? 2 : 1, out);
            continue;
        }
        put_scope("colgroup", end - i, 1, end - i == 1, text_of(g->column[i].group), out);
        i = end - 1;
    }
    buf_str(out, "</tr>\n");
    if (groups) {
        buf_str(out, "<tr>");
        for (int i = 0; i < g->n_columns; i++)
            if (*g->column[i].group)
                put_head(g, i, 1, out);
        buf_str(out, "</tr>\n");
    }
    buf_str(out, "</thead>\n");
}

static void put_shown(const struct cell *c, struct buf *out)
{
    const bool bold = c->marks & GRID_BOLD;
    buf_str(out, bold ? "<strong>" : "");
    html_put_text(c->t, out);
    buf_str(out, bold ? "</strong>" : "");
    buf_str(out, c->marks & GRID_DAGGER ? "<sup>†</sup>" : "");
    buf_str(out, c->marks & GRID_DOUBLE ? "<sup>‡</sup>" : "");
    buf_str(out, c->marks & GRID_STAR ? "*" : "");
}

static void put_cell(const struct grid *g, size_t row, int column, struct buf *out)
{
    const struct cell *c = grid_at(g, row, column);
    const char *tag = column ? "td" : "th";
    buf_printf(out, column ? "<td" : "<th scope=\"row\"");
    buf_str(out, g->column[column].align == GRID_RIGHT ? " class=\"n\"" : "");
    if (c->kind == CELL_NUMBER && isfinite(c->value)) {
        buf_str(out, " data-value=\"");
        json_put_number(out, c->value);
        buf_char(out, '"');
    }
    buf_char(out, '>');
    put_shown(c, out);
    buf_printf(out, "</%s>", tag);
}

void html_put_grid(const struct grid *g, const char *id, struct text caption, struct buf *out)
{
    assert(g);
    buf_str(out, "<figure");
    if (id) {
        buf_str(out, " id=\"");
        html_put_text(text_of(id), out);
        buf_char(out, '"');
    }
    buf_str(out, ">\n<table>\n");
    if (g->caption)
        put_element("caption", "", text_of(g->caption), out);
    else // the heading above says it to those who see
        put_element("caption", "class=\"said\"", caption, out);
    put_heads(g, out);
    buf_str(out, "<tbody>\n");
    for (size_t row = 0; row < grid_rows(g); row++) {
        buf_str(out, grid_at(g, row, 0)->rule ? "<tr class=\"rule\">" : "<tr>");
        for (int i = 0; i < g->n_columns; i++)
            put_cell(g, row, i, out);
        buf_str(out, "</tr>\n");
    }
    buf_str(out, "</tbody>\n</table>\n</figure>\n");
}

/* ---- blocks ---- */

/* The picture with ids that begin with the id. */
static int put_picture(const struct plot *p, const char *id, struct buf *out, struct err *e)
{
    struct buf svg, prefix;
    buf_init(&svg);
    buf_init(&prefix);
    buf_printf(&prefix, "%s-", id);
    int rc = plot_put_svg(p, &svg, e);
    if (!rc)
        svg_put_ids(text_buf(&svg), prefix.s, out);
    buf_release(&prefix);
    buf_release(&svg);
    return rc;
}

static void put_plot(const struct doc_block *b, const struct format_look *look, const char *id,
                     struct buf *out)
{
    const struct text title = text_of(plot_title(b->plot));
    const size_t before = out->n;
    struct err e;
    buf_printf(out, "<figure class=\"plot\" id=\"%s\">\n", id);
    put_element("figcaption", "", title, out);
    if (!put_picture(b->plot, id, out, &e)) {
        buf_str(out, "</figure>\n");
        return;
    }
    out->n = before;
    out->s[before] = 0;
    html_put_grid(b->points, id, title, out);
    put_element("p", "class=\"missing\"", text_of(e.msg), out);
    if (look->undrawn)
        ++*look->undrawn;
}

static void put_quote(const struct doc_block *b, struct buf *out)
{
    struct text rest = b->text;
    put_element("p", "class=\"label\"", b->name, out);
    buf_str(out, "<blockquote>");
    while (rest.n) {
        size_t n = text_find(rest, text_of("\n"), 0);
        html_put_text((struct text){rest.s, n}, out);
        buf_str(out, n < rest.n ? "\n" : "");
        n += n < rest.n;
        rest.s += n, rest.n -= n;
    }
    buf_str(out, "</blockquote>\n");
}

/* Lists are opened before their first and closed behind their last. */
static void put_listed(const struct doc *d, int i, struct buf *out)
{
    const struct doc_block *b = &d->block[i];
    const struct doc_block *before = i ? b - 1 : NULL, *after = i + 1 < d->n_blocks ? b + 1 : NULL;
    if (!before || !doc_goes_on(before, b))
        buf_str(out, b->kind == DOC_NOTE ? "<ul class=\"notes\">\n" : "<dl>\n");
    if (b->kind == DOC_FACT)
        put_element("dt", "", b->name, out);
    put_element(b->kind == DOC_NOTE ? "li" : "dd", "", b->text, out);
    if (!after || !doc_goes_on(b, after))
        buf_str(out, b->kind == DOC_NOTE ? "</ul>\n" : "</dl>\n");
}

static void put_block(const struct doc *d, int i, const struct format_look *look,
                      const char *prefix, struct buf *out)
{
    const struct doc_block *b = &d->block[i];
    const char *name = b->grid ? b->grid->name : b->plot ? plot_name(b->plot) : "";
    struct buf id;
    buf_init(&id);
    buf_printf(&id, "%s%s", prefix, name);
    switch (b->kind) {
    case DOC_HEADING:
        put_element("h2", "", b->text, out);
        break;
    case DOC_PARA:
        put_element("p", "", b->text, out);
        break;
    case DOC_NOTE:
    case DOC_FACT:
        put_listed(d, i, out);
        break;
    case DOC_QUOTE:
        put_quote(b, out);
        break;
    case DOC_GRID:
        html_put_grid(b->grid, id.s, doc_heading_above(d, i), out);
        break;
    case DOC_PLOT:
        put_plot(b, look, id.s, out);
    }
    buf_release(&id);
}

void html_put_blocks(const struct doc *d, const struct format_look *look, const char *prefix,
                     struct buf *out)
{
    for (int i = 0; i < d->n_blocks; i++)
        if (doc_is_shown(&d->block[i]))
            put_block(d, i, look, prefix, out);
}
