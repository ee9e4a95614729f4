/*
 * Pieces of a page: HTML that is XML as well, with nothing fetched from elsewhere, in the reader's
 * light or dark. format_html.c makes a page of one document of them, `report html` one of many.
 */
#ifndef KVLAB_HTML_H
#define KVLAB_HTML_H

#include "reports/format.h"

struct grid;

/* Text as it is shown, and within a quoted attribute: any bytes are safe. */
void html_put_text(struct text t, struct buf *out);

/* A page from its doctype to <main>, with the style below and more of it (or NULL); and its end. */
void html_begin(struct text title, const char *more_style, struct buf *out);
void html_end(struct buf *out);
extern const char html_style[]; // variables: --ink --soft --paper --line --best

/* <figure> with a <table>: caption, heads with scope, numbers in td class="n" with their exact
 * value in data-value. id: of the figure, unique in the page, or NULL. caption: where the grid has
 * none. */
void html_put_grid(const struct grid *g, const char *id, struct text caption, struct buf *out);

/* The blocks of a document, in order; ids begin with prefix ("table-"). Plots are drawn by gnuplot;
 * where it cannot, their data stand there and look->undrawn is counted up. */
void html_put_blocks(const struct doc *d, const struct format_look *look, const char *prefix,
                     struct buf *out);

#endif
