/* A document on a terminal: aligned tables, wrapped text; colours only where they are wanted. */
#include <limits.h>
#include <string.h>

#include "reports/doc_int.h"
#include "reports/format.h"
#include "reports/visible.h"

static int put_text(const struct doc *d, const struct format_look *look, struct buf *out,
                    struct err *e);

const struct format format_text = {
    .name = "text", .endings = (const char *const[]){".txt", NULL}, .put = put_text};

/* ---- blocks ---- */

static void put_wrapped(struct text t, int width, int indent, struct buf *out)
{
    struct buf b = visible_new(t);
    visible_put_wrapped(b.s, width, indent, out);
    buf_release(&b);
}

static void put_grid(const struct grid *g, const char *caption, const struct format_look *look,
                     struct buf *out)
{
    if (caption) {
        put_wrapped(text_of(caption), look->width, 2, out);
        buf_char(out, '\n');
    }
    grid_put_text(g, (struct grid_look){.width = look->width, .colour = look->colour}, out);
}

static void put_plot(const struct doc_block *b, const struct format_look *look, struct buf *out)
{
    const char *name = plot_name(b->plot);
    if (b->points && !plot_told(b->plot)) {
        put_grid(b->points, plot_title(b->plot), look, out);
        buf_char(out, '\n');
    }
    if (look->plots)
        buf_printf(out, "Picture: %s/%s.svg, .pdf, .png; data and script: .dat, .gp\n", look->plots,
                   name);
    else
        buf_printf(out, "Plot %s: --plot DIR draws it.\n", name);
}

static void put_quote(const struct doc_block *b, int width, struct buf *out)
{
    struct text rest = b->text;
    put_wrapped(b->name, width, 2, out);
    while (rest.n) {
        size_t n = text_find(rest, text_of("\n"), 0);
        buf_str(out, "    ");
        put_wrapped((struct text){rest.s, n}, width > 40 ? width - 4 : width, 4, out);
        n += n < rest.n;
        rest.s += n, rest.n -= n;
    }
}

/* The widest name of the run of facts that block i is in. */
static int name_width(const struct doc *d, int i)
{
    int widest = 0;
    while (i && d->block[i - 1].kind == DOC_FACT)
        i--;
    for (; i < d->n_blocks && d->block[i].kind == DOC_FACT; i++) {
        struct buf b = visible_new(d->block[i].name);
        int w = visible_columns(text_buf(&b));
        widest = w > widest ? w : widest;
        buf_release(&b);
    }
    return widest;
}

static void put_fact(const struct doc *d, int i, int width, struct buf *out)
{
    const int name = name_width(d, i), room = width > name + 30 ? width - name - 2 : 0;
    struct buf b = visible_new(d->block[i].name);
    int pad = name - visible_columns(text_buf(&b)) + 2;
    buf_printf(out, "%s%*s", b.s, pad, "");
    buf_reset(&b);
    put_wrapped(d->block[i].text, room, 0, &b);
    for (const char *s = b.s; *s; s++) {
        buf_char(out, *s);
        if (*s == '\n' && s[1])
            buf_printf(out, "%*s", name + 2, "");
    }
    buf_release(&b);
}

static void put_block(const struct doc *d, int i, const struct format_look *look, struct buf *out)
{
    const struct doc_block *b = &d->block[i];
    switch (b->kind) {
    case DOC_HEADING:
    case DOC_NOTE:
        put_wrapped(b->text, look->width, 2, out);
        break;
    case DOC_PARA:
        put_wrapped(b->text, look->width, 0, out);
        break;
    case DOC_FACT:
        put_fact(d, i, look->width, out);
        break;
    case DOC_QUOTE:
        put_quote(b, look->width, out);
        break;
    case DOC_GRID:
        put_grid(b->grid, b->grid->caption, look, out);
        break;
    case DOC_PLOT:
        put_plot(b, look, out);
    }
}

static int put_text(const struct doc *d, const struct format_look *look, struct buf *out,
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
        put_block(d, i, look, out);
        before = b;
    }
    return 0;
}
