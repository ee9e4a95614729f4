/* The items of two runs, side by side: row 0 of a table of scores is A, row 1 is B. */
#ifndef KVLAB_COMPARE_ITEMS_H
#define KVLAB_COMPARE_ITEMS_H

#include "reports/report.h"
#include "reports/scores.h"

/* The most that B lost and gained, at most n of each, with both answers and the reference's. */
int compare_items(struct doc *doc, struct store *s, const struct scores_table *t, int n,
                  struct err *e);
/* Data: a row an item that either was asked for. */
void compare_items_grid(struct doc *doc, const struct scores_table *t);
/* Bytes, tokens and seconds, over the items that both have done. */
void compare_costs(struct doc *doc, const struct scores_table *t);

#endif
