/* Which two runs `report compare A B` means. */
#ifndef KVLAB_COMPARE_FIND_H
#define KVLAB_COMPARE_FIND_H

#include "reports/report.h"

/* A and B: a setting of the experiment, MODEL:SETTING or EXPERIMENT:SETTING, or run:ID (or #ID). Of
 * several runs the two that share model and protocol. run: ids of A and B. ERR_USER with the
 * nearest name where there is none, and with all of them where several pairs fit. */
int compare_find(struct store *s, const struct report_request *r, int64_t run[2], struct err *e);

#endif
