/*
 * Looking after a database: is it sound, merging others into it, removing what is named, making the
 * file small again. For `kvlab db`.
 *
 * Must not know: models, methods, tasks. What is found is handed to the caller as text.
 */
#ifndef KVLAB_STORE_CARE_H
#define KVLAB_STORE_CARE_H

#include "harness/store/store.h"

/* ---- check ---- */

/* A finding; bad: something is wrong, else only worth knowing. Borrowed for the call. */
typedef void store_finding(void *arg, bool bad, const char *text);

/* Looks at everything in the file and changes nothing; an older version is looked at as a copy that
 * is brought up to date. Returns 0 whatever it finds; -1 where it is no database of ours. */
int store_check(const char *path, store_finding *tell, void *arg, struct err *e);

/* ---- merge ---- */

/* Two finished answers to one question. Builds as "version commit host", or "". */
struct store_conflict {
    const char *model, *setting, *task, *sample;
    const char *ours, *theirs; // builds
};
typedef void store_conflict_told(void *arg, const struct store_conflict *c);

struct store_merged {
    int64_t items;     // of the source
    int64_t added;     // jobs that were not here
    int64_t better;    // jobs that were here and had less: failed or not run
    int64_t same;      // finished in both, with the same answer
    int64_t conflicts; // finished in both, with another answer: ours is kept
    int64_t rows;      // written
};

/* All that is in the file at path, by identity, in one transaction: done goes before failed before
 * ready, what runs there is ready here. The file is not changed. ERR_USER where it is no database
 * of ours, is damaged, or is s itself; then nothing of it is taken. */
int store_merge(struct store *s, const char *path, struct store_merged *out,
                store_conflict_told *tell, void *arg, struct err *e);

/* ---- prune ---- */

struct store_prune {
    const char *experiment; // by name, or NULL
    bool runs_without_experiment, failed, published;
};

struct store_pruned {
    int64_t experiments, runs, jobs, done; // done: of the jobs
};

/* Removes what is named, and what then nothing refers to, in one transaction; what another
 * experiment asks for stays. With dry only counts. ERR_USER where a living process is at it. */
int store_prune(struct store *s, const struct store_prune *what, bool dry, struct store_pruned *out,
                struct err *e);

/* ---- vacuum ---- */

/* Rewrites the file without its gaps and gathers what the query planner wants to know. ERR_USER
 * while another process works on it. Sizes in bytes. */
int store_vacuum(struct store *s, int64_t *before, int64_t *after, struct err *e);

#endif
