/* What reports say alike of comparisons: options from the request, the numbers of a cell as columns
 * of tidy data, daggers, and the notes that say what these are worth. */
#ifndef KVLAB_COMPARED_H
#define KVLAB_COMPARED_H

#include "reports/comparison.h"
#include "reports/report.h"

/* baseline: a row, or -1. */
struct comparison_options compared_options(const struct report_request *r, int baseline);
/* The row that r asks to compare a row with, of the same model and protocol: the setting of that
 * name, also where the name of a protocol follows it, or the reference; -1: there is none. */
int compared_baseline(const struct scores_table *t, const struct report_request *r, int row);

/* A cell of a row: column a task's place, or -1 the mean of tasks, -2 that of categories. */
enum { COMPARED_TASKS = -1, COMPARED_CATEGORIES = -2 };
const struct comparison_cell *compared_at(const struct comparison *c, int row, int column);
/* "mean of 7 tasks", "mean of 6 categories". The second says more only where has_categories. */
void compared_put_average(const struct comparison *c, int column, struct buf *out);
bool compared_has_categories(const struct comparison *c);

/* Columns of tidy data, task to tied, and their cells in row's column. */
void compared_columns(struct grid *g);
void compared_numbers(struct grid *g, const struct scores_table *t, const struct comparison *c,
                      int row, int column);

/* "[-1.2, 3.4]", or a dash. */
void compared_interval(struct grid *g, struct stats_interval i);
/* p as people see it: three decimals, or "<0.001". */
void compared_p(struct grid *g, double p);

/* What a dagger means; how many there are and how many chance alone would give; what p adjusted
 * says. Nothing where nothing is compared. */
void compared_notes(struct doc *d, const struct comparison *c, const char *baseline);
/* How intervals were made, without a full stop: "percentile bootstrap of items, ...". */
void compared_put_method(const struct comparison *c, struct buf *out);
/* The smallest difference to the baseline that so many items show. */
void compared_smallest_note(struct doc *d, const struct scores_table *t,
                            const struct comparison *c);

#endif
