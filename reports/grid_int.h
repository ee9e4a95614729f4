/* What the files of the grid share. */
#ifndef KVLAB_GRID_INT_H
#define KVLAB_GRID_INT_H

#include "reports/grid.h"

struct column {
    char *group, *head;
    enum grid_align align;
};

struct cell {
    struct text t; // owned
    bool bold, rule;
};

struct grid {
    struct column *column;
    int n_columns;
    struct cell *cell; // [rows][n_columns]
    size_t n_cells, room;
    bool rule_next;
};

size_t grid_rows(const struct grid *g);
const struct cell *grid_at(const struct grid *g, size_t row, int column);

#endif
