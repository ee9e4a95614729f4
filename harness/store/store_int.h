/* What the files of the store share; tests may look too. */
#ifndef KVLAB_STORE_INT_H
#define KVLAB_STORE_INT_H

#include "harness/store/store.h"

struct store {
    struct db *db;
    char owner[STORE_OWNER_MAX]; // of this process, see store_owner.c
    /* Identities of the run and task last asked for: the next job mostly has the same. */
    int64_t last_run, last_task;
    char *run_identity, *task_identity;
};

/* ---- store.c: versions ---- */

enum { STORE_APPLICATION_ID = 0x6b766c62 }; // "kvlb"

/* Steps in order: sql[v] leads from version v to v + 1. Statements without BEGIN. */
struct store_steps {
    const char *const *sql;
    int n;
};

/* Takes the database from its version to list.n in one transaction; a file that holds nothing is
 * of version 0. Does nothing when another process has just done it. */
int store_migrate(struct db *db, struct store_steps list, struct err *e);

/* Whether it is ours and of which age, by what the file says it is; ERR_USER where it is not. */
int store_stamp(struct db *db, bool *older, struct err *e);

/* ---- store_source.c ---- */

/* A file of the newest version that holds what another one holds: that one itself, or a temporary
 * copy that was brought up to date. The other one is never changed. */
struct store_source {
    char *path;
    bool copy;
};
int store_source_open(const char *path, struct store_source *s, struct err *e);
void store_source_close(struct store_source *s); // removes the copy

/* ---- store_plan.c: jobs ---- */

/* The SHA-256 that job j goes by, in hexadecimal digits. */
int store_job_identity(struct store *s, const struct store_job *j, char out[65], struct err *e);
/* What is remembered of rows that may be gone: after a rollback, say. */
void store_forget(struct store *s);
int store_join_experiment(struct store *s, int64_t experiment, int64_t job, struct err *e);

/* ---- store_finish.c ---- */

/* What goes along with a job that has just ended: its failure, or its ledger, layers and scores. */
int store_put_outcome(struct store *s, int64_t job, const char *now, const struct store_finished *f,
                      struct err *e);

/* ---- store_owner.c ---- */

enum store_owner_state { OWNER_ALIVE, OWNER_DEAD, OWNER_ELSEWHERE };
enum store_owner_state store_owner_look(const char *owner);

#endif
