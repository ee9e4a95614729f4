/*
 * A table of text and how it looks: aligned for a terminal, Markdown, CSV.
 *
 * Columns are declared first, then cells come row by row. Knows nothing of what the cells mean.
 * Cells may hold any bytes; what a terminal would obey is shown escaped in text and Markdown.
 */
#ifndef KVLAB_GRID_H
#define KVLAB_GRID_H

#include "harness/base/text.h"

struct grid;

struct grid *grid_new(void);
void grid_free(struct grid *g);

enum grid_align { GRID_LEFT, GRID_RIGHT };

/* Neighbours of the same group share a line above their heads and stay together when a table is
 * broken; "" is a group without that line. The first column is repeated in each part. */
void grid_column(struct grid *g, const char *group, const char *head, enum grid_align align);

/* The next cell; the first of a row begins it. */
void grid_cell(struct grid *g, struct text t);
void grid_printf(struct grid *g, const char *fmt, ...) ERR_PRINTF(2, 3);
void grid_bold(struct grid *g); // the last cell, where colours are shown
void grid_rule(struct grid *g); // a line before the next row

struct grid_look {
    int width;      // of a line: narrower heads, then parts below each other; 0: no limit
    int cell_width; // longer cells are cut; 0: no limit
    bool colour;
};

/* Returns how many cells were cut. */
int grid_put_text(const struct grid *g, struct grid_look look, struct buf *out);
void grid_put_markdown(const struct grid *g, struct buf *out);
void grid_put_csv(const struct grid *g, struct buf *out);

/* For those who write without a grid: a field with quotes where it needs them. */
void grid_put_csv_field(struct text t, struct buf *out);

#endif
