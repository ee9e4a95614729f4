/* What tells the tables of one experiment apart: options of their protocols, from the stored JSON.
 */
#ifndef KVLAB_TABLE_DIFFERENCES_H
#define KVLAB_TABLE_DIFFERENCES_H

#include "reports/table_data.h"

/* Fills differing and each table's differs; of one table there are none. */
int table_differences(struct table_data *d, struct err *e);

#endif
