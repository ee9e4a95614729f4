/* What two runs are configured differently in. */
#ifndef KVLAB_COMPARE_FIELDS_H
#define KVLAB_COMPARE_FIELDS_H

#include "reports/report.h"

/* A grid of the fields that differ, with the values of A and B; a paragraph where none does. */
int compare_fields(struct doc *doc, struct store *s, const int64_t run[2], struct err *e);
/* ERR_USER where their protocols differ, with what in. */
int compare_check_protocols(struct store *s, const int64_t run[2], struct err *e);
/* Facts: which runs A and B are. */
int compare_facts(struct doc *doc, struct store *s, const int64_t run[2], struct err *e);

#endif
