/* A document in Markdown as GitHub reads it. */
#include <string.h>

#include "reports/doc_int.h"
#include "reports/format.h"
#include "reports/visible.h"

static int put_document(const struct doc *d, const struct format_look *look, struct buf *out,
                        struct err *e);

const struct format format_markdown = {.name = "markdown",
                                       .endings = (const char *const[]){".md", ".markdown", NULL},
                                       .put = put_document};

/* Characters that Markdown or HTML would take for their own. */
void format_put_markdown(struct text t, struct buf *out)
{
    struct buf b = visible_new(t);
    for (size_t i = 0; i < b.n; i++) {
        if (b.s[i] == '<')
            buf_str(out, "&lt;");
        else if (b.s[i] == '&')
            buf_str(out, "&amp;");
        else {
            if (strchr("|*_`\\[~$", b.s[i]))
                buf_char(out, '\\');
            buf_char(out, b.s[i]);
        }
    }
    buf_release(&b);
}

/* At the start of a line some characters, and a number with a point, begin something else. */
static void put_line(struct text t, struct buf *out)
{
    size_t digits = 0;
    while (digits < t.n && t.s[digits] >= '0' && t.s[digits] <= '9')
        digits++;
    buf_add(out, t.s, digits);
    if (digits ? digits < t.n && strchr(".)", t.s[digits]) : t.n && strchr("#>-+=", t.s[0]))
        buf_char(out, '\\');
    format_put_markdown((struct text){t.s + digits, t.n - digits}, out);
    buf_char(out, '\n');
}

/* ---- grids ---- */

static void put_heads(const struct grid *g, struct buf *out)
{
    for (int i = 0; i < g->n_columns; i++) {
        buf_str(out, "| ");
        format_put_markdown(text_of(g->column[i].group), out);
        buf_str(out, *g->column[i].group ? "<br>" : "");
        format_put_markdown(text_of(g->column[i].head), out);
        buf_char(out, ' ');
    }
    buf_str(out, "|\n");
    for (int i = 0; i < g->n_columns; i++)
        buf_str(out, g->column[i].align == GRID_LEFT ? "| :-- " : "| --: ");
    buf_str(out, "|\n");
}

static struct text trimmed(struct text t)
{
    while (t.n && t.s[t.n - 1] == ' ')
        t.n--;
    while (t.n && *t.s == ' ')
        t.s++, t.n--;
    return t;
}

static void put_cell(const struct cell *c, struct buf *out)
{
    struct text t = trimmed(c->t);
    const char *bold = c->marks & GRID_BOLD && t.n ? "**" : "";
    buf_str(out, bold);
    format_put_markdown(t, out);
    buf_str(out, bold);
    buf_str(out, c->marks & GRID_DAGGER ? "†" : "");
    buf_str(out, c->marks & GRID_DOUBLE ? "‡" : "");
    buf_str(out, c->marks & GRID_STAR ? "\\*" : "");
}

void grid_put_markdown(const struct grid *g, struct buf *out)
{
    put_heads(g, out);
    for (size_t row = 0; row < grid_rows(g); row++) {
        for (int i = 0; i < g->n_columns; i++) {
            size_t before = out->n + 2;
            buf_str(out, "| ");
            put_cell(grid_at(g, row, i), out);
            buf_str(out, out->n > before ? " " : "");
        }
        buf_str(out, "|\n");
    }
}

/* ---- blocks ---- */

static void put_headed(const char *mark, struct text t, struct buf *out)
{
    buf_str(out, mark);
    format_put_markdown(t, out);
    buf_char(out, '\n');
}

static void put_grid(const struct grid *g, const char *caption, struct buf *out)
{
    if (caption) {
        put_headed("#### ", text_of(caption), out);
        buf_char(out, '\n');
    }
    grid_put_markdown(g, out);
}

/* Within the brackets of a link's target. */
static void put_path(const char *path, struct buf *out)
{
    struct buf b = visible_new(text_of(path));
    for (const char *s = b.s; *s; s++) {
        if (strchr("<>\\", *s))
            buf_char(out, '\\');
        buf_char(out, *s);
    }
    buf_release(&b);
}

static void put_plot(const struct doc_block *b, const struct format_look *look, struct buf *out)
{
    if (b->points && !plot_told(b->plot))
        put_grid(b->points, plot_title(b->plot), out);
    else
        put_headed("#### ", text_of(plot_title(b->plot)), out);
    if (!look->plots)
        return;
    buf_str(out, "\n![");
    format_put_markdown(text_of(plot_title(b->plot)), out);
    buf_str(out, "](<");
    put_path(look->plots, out);
    buf_printf(out, "/%s.svg>)\n", plot_name(b->plot));
}

static void put_quote(const struct doc_block *b, struct buf *out)
{
    struct text rest = b->text;
    buf_str(out, "**");
    format_put_markdown(b->name, out);
    buf_str(out, "**\n\n");
    while (rest.n) {
        size_t n = text_find(rest, text_of("\n"), 0);
        buf_str(out, "> ");
        put_line((struct text){rest.s, n}, out);
        if (n + 1 < rest.n) // the line ends here, too, when it is shown
            out->s[out->n - 1] = '\\', buf_char(out, '\n');
        n += n < rest.n;
        rest.s += n, rest.n -= n;
    }
}

static void put_block(const struct doc_block *b, const struct format_look *look, struct buf *out)
{
    switch (b->kind) {
    case DOC_HEADING:
        put_headed("### ", b->text, out);
        break;
    case DOC_PARA:
        put_line(b->text, out);
        break;
    case DOC_NOTE:
        buf_str(out, "- ");
        put_line(b->text, out);
        break;
    case DOC_FACT:
        buf_str(out, "- **");
        format_put_markdown(b->name, out);
        buf_str(out, "**: ");
        put_line(b->text, out);
        break;
    case DOC_QUOTE:
        put_quote(b, out);
        break;
    case DOC_GRID:
        put_grid(b->grid, b->grid->caption, out);
        break;
    case DOC_PLOT:
        put_plot(b, look, out);
    }
}

static int put_document(const struct doc *d, const struct format_look *look, struct buf *out,
                        struct err *e)
{
    const struct doc_block *before = NULL;
    (void)e;
    for (int i = 0; i < d->n_blocks; i++) {
        const struct doc_block *b = &d->block[i];
        if (!doc_is_shown(b))
            continue;
        if (before && !doc_goes_on(before, b))
            buf_char(out, '\n');
        put_block(b, look, out);
        before = b;
    }
    return 0;
}
