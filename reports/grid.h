/*
 * A table as data: columns, cells with what is shown and what it is exactly, marks, rules.
 *
 * Columns are declared first, then cells come row by row. Knows nothing of what the cells mean, nor
 * how they look: the formats write it (format.h; here those that need no document). Cells may hold
 * any bytes. Strings are copied.
 */
#ifndef KVLAB_GRID_H
#define KVLAB_GRID_H

#include <math.h>

#include "harness/base/text.h"

struct grid;

struct grid *grid_new(void);
void grid_free(struct grid *g);

/* ---- columns ---- */

enum grid_align { GRID_LEFT, GRID_RIGHT };

/* Neighbours of the same group share a line above their heads and stay together when a table is
 * broken; "" is a group without that line. The first column is repeated in each part. */
void grid_column(struct grid *g, const char *group, const char *head, enum grid_align align);
/* Of the last column: other words where columns are narrow (a terminal, LaTeX). */
void grid_short(struct grid *g, const char *group, const char *head);
/* Of the last column: the key of its values in CSV and JSON. Without it: the head, with its group
 * where two have the same. */
void grid_key(struct grid *g, const char *key);
/* Of the last column: what its values are in ("points", "bytes"); JSON says it. */
void grid_unit(struct grid *g, const char *unit);

/* ---- cells: the next one; the first of a row begins it ---- */

void grid_cell(struct grid *g, struct text t);
void grid_printf(struct grid *g, const char *fmt, ...) ERR_PRINTF(2, 3);
/* Numbers: people see so many decimals, or what fmt says; CSV and JSON have all digits. NAN is
 * shown as "-", is null in JSON and nothing in CSV. */
void grid_number(struct grid *g, double x, int decimals);
void grid_value(struct grid *g, double x, const char *fmt, ...) ERR_PRINTF(3, 4);
void grid_blank(struct grid *g); // nothing there: null in JSON

/* Of the last cell. Daggers (‡ is the double one) and stars stand behind what is shown, in a place
 * that the others of the column keep free; files of data do not have them. */
enum grid_mark { GRID_BOLD = 1, GRID_DAGGER = 2, GRID_STAR = 4, GRID_DOUBLE = 8 };
void grid_mark(struct grid *g, enum grid_mark mark);
void grid_bold(struct grid *g);
/* The last cell says what the one above it does: not shown again where nobody can sort the rows. */
void grid_repeated(struct grid *g);

void grid_rule(struct grid *g); // a line before the next row

/* ---- looks ---- */

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
