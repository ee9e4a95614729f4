/*
 * Predictions that others made, as a run of origin `import`: model and setting are the words they
 * are called by, a task is its name and metric (so that all imports share its column), and the run
 * is the content of the files. All imports belong to experiment `imports`, those of LongBench-E to
 * `imports_e`: they have other tasks.
 */
#ifndef KVLAB_IMPORT_H
#define KVLAB_IMPORT_H

#include "harness/store/store.h"
#include "runner/scoring.h"

#define IMPORT_EXPERIMENT   "imports"
#define IMPORT_EXPERIMENT_E "imports_e"

struct import_request {
    const char *model, *setting;
    bool with_e; // tasks are stored as TASK_e
};

struct imported {
    int64_t run;
    bool known; // it was there: nothing was added
    size_t predictions, scores;
};

/* All of it or nothing. Refuses (ERR_USER) other answers under a model and setting that are there,
 * and a record that a file has twice. */
int import_scored(struct store *s, const struct scoring *scored, const struct import_request *r,
                  struct imported *out, struct err *e);

/* A record without "_id" is called by its place. */
#define IMPORT_UNNAMED "#"

#endif
