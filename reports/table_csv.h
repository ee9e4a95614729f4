/* The table report as CSV: all variants in one, numbers with all digits that mean something. */
#ifndef KVLAB_TABLE_CSV_H
#define KVLAB_TABLE_CSV_H

#include "reports/table_data.h"

void table_csv_put(const struct table_data *d, struct buf *out);

#endif
