/*
 * A configuration carried out from beginning to end: what `run`, `plan` and `demo` share.
 */
#ifndef KVLAB_SESSION_H
#define KVLAB_SESSION_H

#include "runner/crew.h"

enum { SETS_MAX = 64 };

struct session_options {
    const char *config; // path
    const char *db;
    const char *model;     // NULL: the configuration's
    const char *model_dir; // NULL: the model's own
    const char *sets[SETS_MAX];
    int n_sets;
    int limit, threads, workers; // 0: no limit; all processors; as fits the machine
    size_t memory;               // bytes, 0: most of what is free
    const char *kernels;         // NULL: the best
    bool dry_run, json, retry, take_over;
};

/* Reads, plans, works, and prints the table to stdout. Returns the exit code: 0 done, 1 some items
 * failed, 2 a mistake, 3 cannot go on, 130 interrupted. */
int session_run(const struct session_options *o);

/* Threads to use: as asked, or one for each processor. */
int session_threads(int asked);

#endif
