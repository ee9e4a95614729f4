/* Rows of a query as a table or as facts of a document: for reports that show what the database has
 * as it stands. */
#ifndef KVLAB_SQL_GRID_H
#define KVLAB_SQL_GRID_H

#include <stdint.h>

#include "harness/store/store.h"
#include "reports/doc.h"

struct sql_part {
    const char *name;    // of the table in files
    const char *caption; // or NULL
    const char *sql;     // ?1: the experiment; columns are named as they are shown, "_" as blanks
};

/* A table, for files of data alone where there are no rows; *rows (or NULL) is how many. Numbers
 * stand at the right; hashes of 64 digits are cut to 12 for people. */
int sql_grid(struct doc *d, enum doc_use use, const struct sql_part *part, struct store *s,
             int64_t experiment, int *rows, struct err *e);

/* A table for files, whole, and beside it one for people: the query runs once. */
int sql_grid_both(struct doc *d, const struct sql_part *part, struct store *s, int64_t experiment,
                  struct err *e);

/* A heading from the first column of each row, the others below it as facts; what is NULL is left
 * out. */
int sql_facts(struct doc *d, const struct sql_part *part, struct store *s, int64_t experiment,
              struct err *e);

#endif
