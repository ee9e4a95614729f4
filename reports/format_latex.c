/* A document in LaTeX to be pasted into a paper: tables of booktabs with their notes below them. */
#include <stdlib.h>
#include <string.h>

#include "reports/doc_int.h"
#include "reports/format.h"
#include "reports/latex_grid.h"
#include "reports/visible.h"

static int put_document(const struct doc *d, const struct format_look *look, struct buf *out,
                        struct err *e);

const struct format format_latex = {
    .name = "latex", .endings = (const char *const[]){".tex", NULL}, .put = put_document};

static void put_comment(struct text t, struct buf *out)
{
    struct buf b = visible_new(t);
    buf_printf(out, "%% %s\n", b.s);
    buf_release(&b);
}

static void put_command(const char *command, struct text t, struct buf *out)
{
    buf_printf(out, "\\%s{", command);
    format_put_latex(t, out);
    buf_str(out, "}\n");
}

/* ---- tables ---- */

/* A star or dagger that a note begins with stands in the table as a raised mark. */
static void put_note(struct text t, struct buf *out)
{
    if (t.n && *t.s == '*') {
        buf_str(out, "$^{*}$");
        t.s++, t.n--;
    }
    format_put_latex(t, out);
}

static void put_label(const char *kind, const char *name, struct buf *out)
{
    buf_printf(out, "\\label{%s:%s}\n", kind, name);
}

/* The notes behind block i, below its table; returns the block behind them. */
static int put_notes_below(const struct doc *d, int i, struct buf *out)
{
    for (i++; i < d->n_blocks && d->block[i].kind == DOC_NOTE; i++) {
        buf_str(out, "\n\\smallskip\n{\\footnotesize\\raggedright ");
        put_note(d->block[i].text, out);
        buf_str(out, "\\par}\n");
    }
    return i;
}

static int put_table(const struct doc *d, int i, const struct grid *g, struct text caption,
                     struct buf *out)
{
    const char *star = latex_grid_is_wide(g) ? "*" : "";
    buf_printf(out, "\\begin{table%s}\n\\centering\\%s\n", star, *star ? "footnotesize" : "small");
    put_command("caption", caption, out);
    put_label("tab", g->name, out);
    buf_printf(out, "\\setlength{\\tabcolsep}{%s}\n", *star ? "3pt" : "5pt");
    latex_grid_put(g, out);
    int next = put_notes_below(d, i, out);
    buf_printf(out, "\\end{table%s}\n", star);
    return next;
}

/* ---- plots: a figure where the picture is ---- */

static int put_plot(const struct doc *d, int i, const struct format_look *look, struct buf *out)
{
    const struct doc_block *b = &d->block[i];
    const struct text title = text_of(plot_title(b->plot));
    if (look->plots) {
        buf_str(out, "\\begin{figure}\n\\centering\n\\includegraphics[width=\\linewidth]{"
                     "\\detokenize{");
        buf_printf(out, "%s/%s.pdf}}\n", look->plots, plot_name(b->plot));
        put_command("caption", title, out);
        put_label("fig", plot_name(b->plot), out);
        buf_str(out, "\\end{figure}\n");
        return i + 1;
    }
    if (b->points && !plot_told(b->plot))
        return put_table(d, i, b->points, title, out);
    buf_printf(out, "%% plot %s: --plot DIR draws it\n", plot_name(b->plot));
    return i + 1;
}

/* ---- words ---- */

static int put_facts(const struct doc *d, int i, struct buf *out)
{
    buf_str(out, "\\begin{description}\n");
    for (; i < d->n_blocks && d->block[i].kind == DOC_FACT; i++) {
        buf_str(out, "\\item[{");
        format_put_latex(d->block[i].name, out);
        buf_str(out, "}] ");
        format_put_latex(d->block[i].text, out);
        buf_char(out, '\n');
    }
    buf_str(out, "\\end{description}\n");
    return i;
}

static void put_quote(const struct doc_block *b, struct buf *out)
{
    struct text rest = b->text;
    put_command("paragraph", b->name, out);
    buf_str(out, "\\begin{quote}\n\\mbox{}");
    while (rest.n) {
        size_t n = text_find(rest, text_of("\n"), 0);
        format_put_latex((struct text){rest.s, n}, out);
        buf_str(out, "\\par\n");
        n += n < rest.n;
        rest.s += n, rest.n -= n;
    }
    buf_str(out, "\\end{quote}\n");
}

/* The next block that is written, or NULL. */
static const struct doc_block *next_shown(const struct doc *d, int i)
{
    while (++i < d->n_blocks)
        if (doc_is_shown(&d->block[i]))
            return &d->block[i];
    return NULL;
}

/* Above a table without a caption a heading is its caption. */
static void put_heading(const struct doc *d, int i, struct buf *out)
{
    const struct doc_block *next = next_shown(d, i);
    if (next && next->kind == DOC_GRID && !next->grid->caption)
        put_comment(d->block[i].text, out);
    else
        put_command("subsection*", d->block[i].text, out);
}

/* Writes block i and those that belong to it; returns the next. */
static int put_block(const struct doc *d, int i, const struct format_look *look, struct buf *out)
{
    const struct doc_block *b = &d->block[i];
    switch (b->kind) {
    case DOC_HEADING:
        put_heading(d, i, out);
        break;
    case DOC_PARA:
    case DOC_NOTE:
        buf_str(out, b->kind == DOC_NOTE ? "{\\footnotesize " : "{");
        put_note(b->text, out);
        buf_str(out, "\\par}\n");
        break;
    case DOC_FACT:
        return put_facts(d, i, out);
    case DOC_QUOTE:
        put_quote(b, out);
        break;
    case DOC_GRID:
        return put_table(d, i, b->grid,
                         b->grid->caption ? text_of(b->grid->caption) : doc_heading_above(d, i),
                         out);
    case DOC_PLOT:
        return put_plot(d, i, look, out);
    }
    return i + 1;
}

/* For pictures, turned heads and tables made narrower. */
static bool needs_graphicx(const struct doc *d, const struct format_look *look)
{
    bool any = look->plots != NULL;
    for (int i = 0; i < d->n_blocks; i++) {
        const struct doc_block *b = &d->block[i];
        const struct grid *g = b->kind == DOC_PLOT ? b->points : b->grid;
        any |= doc_is_shown(b) && (b->kind == DOC_GRID || b->kind == DOC_PLOT) && g &&
               latex_grid_is_wide(g);
    }
    return any;
}

static int put_document(const struct doc *d, const struct format_look *look, struct buf *out,
                        struct err *e)
{
    (void)e;
    buf_printf(out, "%% kvlab report %s; in the preamble: \\usepackage{booktabs}%s\n", d->report,
               needs_graphicx(d, look) ? " \\usepackage{graphicx}" : "");
    for (int i = 0; i < d->n_blocks;) {
        if (!doc_is_shown(&d->block[i])) {
            i++;
            continue;
        }
        buf_char(out, '\n');
        i = put_block(d, i, look, out);
    }
    return 0;
}
