/* The notes below the table report. */
#ifndef KVLAB_TABLE_NOTES_H
#define KVLAB_TABLE_NOTES_H

#include "reports/doc.h"
#include "reports/table_data.h"

/* What the numbers of all tables are. */
void table_note_meanings(const struct table_data *d, struct doc *doc);
/* Which items are missing where: nothing is averaged silently. */
void table_note_missing(const struct table *t, struct doc *doc);
/* Settings that compressed nothing. */
void table_note_unchanged(const struct table_data *d, struct doc *doc);
/* What else to know of this database. */
void table_note_remarks(const struct table_data *d, struct doc *doc);

#endif
