/* Parts of scores_load: rows of the tables, their items, and these in order. */
#ifndef KVLAB_SCORES_INT_H
#define KVLAB_SCORES_INT_H

#include "reports/scores.h"

/* Ascending, each once. */
struct sorted {
    int64_t *v;
    int n, cap;
};
void sorted_release(struct sorted *s);
/* Place of x, -1: not there. guess: where it may be, any number. */
int sorted_find(const struct sorted *s, int64_t x, int64_t guess);
void sorted_insert(struct sorted *s, int64_t x);

/* Tables and rows without cells. */
int scores_load_rows(struct scores *s, struct db *db, const struct scores_request *r,
                     struct err *e);
void scores_remove_table(struct scores *s, int at);

/* Jobs that count: an experiment's, or all of the rows'. */
int scores_load_jobs(const struct scores *s, struct db *db, struct sorted *jobs, struct err *e);
/* Cells of tasks in any order, items of a cell in any order, without scores. */
int scores_load_items(struct scores_table *t, struct db *db, const struct sorted *jobs,
                      bool measures, struct err *e);
/* Names, and tasks in their order. */
int scores_load_tasks(struct scores_table *t, struct db *db, struct err *e);
/* All rows of a task get the same places. */
void scores_align(struct scores_table *t);
/* Scores of all tables, and what cells count. */
int scores_load_values(struct scores *s, struct db *db, const struct sorted *jobs, struct err *e);

#endif
