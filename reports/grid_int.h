/* What the files of the grid and the formats share. */
#ifndef KVLAB_GRID_INT_H
#define KVLAB_GRID_INT_H

#include "reports/grid.h"

struct column {
    char *group, *head;             // any bytes
    char *group_short, *head_short; // the same where there are no others
    char *key, *unit;               // or NULL
    enum grid_align align;
};

enum cell_kind { CELL_TEXT, CELL_NUMBER, CELL_BLANK };

struct cell {
    struct text t; // shown; owned
    double value;  // of a number
    enum cell_kind kind;
    unsigned marks; // enum grid_mark
    bool rule, repeated;
};

struct grid {
    char *name, *caption; // as a document knows it, or NULL
    struct column *column;
    int n_columns;
    struct cell *cell; // [rows][n_columns]
    size_t n_cells, room;
    bool rule_next;
};

size_t grid_rows(const struct grid *g);
const struct cell *grid_at(const struct grid *g, size_t row, int column);
/* A row of a broken table that has nothing in this part of it, columns [from, to). */
bool grid_says_nothing(const struct grid *g, size_t row, int from, int to);
/* Where the columns of from's group end. */
int grid_group_end(const struct grid *g, int from);
bool grid_has_groups(const struct grid *g);
/* All marks that cells of a column have. */
unsigned grid_marks_of(const struct grid *g, int column);

/* Keys of the columns in files of data, no two alike: [n_columns], each the caller's to free, as is
 * the list. */
char **grid_keys_new(const struct grid *g);

#endif
