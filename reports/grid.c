#include "reports/grid.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "reports/grid_int.h"
#include "reports/visible.h"

struct grid *grid_new(void)
{
    return xcalloc(1, sizeof(struct grid));
}

void grid_free(struct grid *g)
{
    if (!g)
        return;
    for (int i = 0; i < g->n_columns; i++) {
        free(g->column[i].group);
        free(g->column[i].head);
    }
    for (size_t i = 0; i < g->n_cells; i++)
        free((void *)g->cell[i].t.s);
    free(g->column);
    free(g->cell);
    free(g);
}

void grid_column(struct grid *g, const char *group, const char *head, enum grid_align align)
{
    assert(!g->n_cells);
    g->column = xrealloc(g->column, mem_size((size_t)g->n_columns + 1, sizeof *g->column));
    g->column[g->n_columns++] =
        (struct column){xstrdup(group), visible_new(text_of(head)).s, align};
}

void grid_cell(struct grid *g, struct text t)
{
    if (g->n_cells == g->room) {
        g->room = g->room ? 2 * g->room : 64;
        g->cell = xrealloc(g->cell, mem_size(g->room, sizeof *g->cell));
    }
    bool first = g->n_cells % (size_t)g->n_columns == 0;
    g->cell[g->n_cells++] = (struct cell){text_dup(t), false, first && g->rule_next};
    if (first)
        g->rule_next = false;
}

void grid_printf(struct grid *g, const char *fmt, ...)
{
    char s[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(s, sizeof s, fmt, ap);
    va_end(ap);
    grid_cell(g, text_of(s));
}

void grid_bold(struct grid *g)
{
    assert(g->n_cells);
    g->cell[g->n_cells - 1].bold = true;
}

void grid_rule(struct grid *g)
{
    g->rule_next = true;
}

size_t grid_rows(const struct grid *g)
{
    return g->n_columns ? g->n_cells / (size_t)g->n_columns : 0;
}

const struct cell *grid_at(const struct grid *g, size_t row, int column)
{
    return &g->cell[row * (size_t)g->n_columns + (size_t)column];
}

/* ---- files ---- */

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

void grid_put_csv(const struct grid *g, struct buf *out)
{
    for (int i = 0; i < g->n_columns; i++) {
        buf_str(out, i ? "," : "");
        grid_put_csv_field(text_of(g->column[i].head), out);
    }
    buf_char(out, '\n');
    for (size_t row = 0; row < grid_rows(g); row++) {
        for (int i = 0; i < g->n_columns; i++) {
            buf_str(out, i ? "," : "");
            grid_put_csv_field(grid_at(g, row, i)->t, out);
        }
        buf_char(out, '\n');
    }
}

/* Characters that Markdown or HTML would take for their own. */
static void put_markdown(struct text t, struct buf *out)
{
    struct buf b = visible_new(t);
    for (size_t i = 0; i < b.n; i++) {
        if (b.s[i] == '<')
            buf_str(out, "&lt;");
        else if (b.s[i] == '&')
            buf_str(out, "&amp;");
        else {
            if (strchr("|*_`\\[", b.s[i]))
                buf_char(out, '\\');
            buf_char(out, b.s[i]);
        }
    }
    buf_release(&b);
}

void grid_put_markdown(const struct grid *g, struct buf *out)
{
    for (int i = 0; i < g->n_columns; i++) {
        buf_str(out, "| ");
        put_markdown(text_of(g->column[i].group), out);
        buf_str(out, *g->column[i].group ? "<br>" : "");
        put_markdown(text_of(g->column[i].head), out);
        buf_char(out, ' ');
    }
    buf_str(out, "|\n");
    for (int i = 0; i < g->n_columns; i++)
        buf_str(out, g->column[i].align == GRID_LEFT ? "| :-- " : "| --: ");
    buf_str(out, "|\n");
    for (size_t row = 0; row < grid_rows(g); row++) {
        for (int i = 0; i < g->n_columns; i++) {
            buf_str(out, "| ");
            put_markdown(grid_at(g, row, i)->t, out);
            while (out->s[out->n - 1] == ' ')
                out->n--;
            buf_char(out, ' ');
        }
        buf_str(out, "|\n");
    }
}
