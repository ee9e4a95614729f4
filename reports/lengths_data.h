/*
 * The items of a table by the length of their records: LongBench-E's buckets. Each bucket is a
 * table of scores of its own, with the tasks that have items there, and its comparison.
 *
 * A record's length is what its data set says (table sample, in words or characters); of a task
 * with records that say none it is the prompt's in tokens, the same for all settings.
 */
#ifndef KVLAB_LENGTHS_DATA_H
#define KVLAB_LENGTHS_DATA_H

#include "reports/frame.h"

enum { LENGTHS_BUCKETS = 3 };
extern const char *const lengths_name[LENGTHS_BUCKETS]; // "0-4k", "4-8k", "8k+"
int lengths_bucket(double length);

struct lengths_part {
    struct scores_table t; // borrows all but the arrays
    int *task;             // [t.n_tasks]: its place in the whole table
    struct comparison c;
    int items;     // places: of all tasks
    double length; // their mean; NaN: none
};

struct lengths {
    const struct scores_table *whole;
    double **length;          // [tasks][places]; NaN: not known
    bool *by_prompt;          // [tasks]: in tokens
    int n_by_prompt, unknown; // tasks; items of which no length is known
    struct lengths_part part[LENGTHS_BUCKETS];
};

/* t: of a frame with measures. To be released also after an error. */
int lengths_load(struct lengths *l, struct store *s, const struct scores_table *t,
                 const struct report_request *r, struct err *e);
void lengths_release(struct lengths *l);

#endif
