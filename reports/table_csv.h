/* The table report as data: all variants in one grid, for CSV and JSON. */
#ifndef KVLAB_TABLE_CSV_H
#define KVLAB_TABLE_CSV_H

#include "reports/table_data.h"

/* Columns and rows into an empty grid. */
void table_csv_fill(const struct table_data *d, struct grid *g);

#endif
