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

/* Two that cannot both stand. what: "answer", "score" (of one answer by one metric) or "published
 * number"; where: of which; ours and theirs: both values, an answer with when and by what build.
 * Borrowed for the call. */
struct store_conflict {
    const char *what, *where, *ours, *theirs;
    bool takes_theirs; // else ours stays
};
typedef void store_conflict_told(void *arg, const struct store_conflict *c);

struct store_merged {
    int64_t items;     // of the source
    int64_t added;     // jobs that were not here
    int64_t better;    // jobs that were here and had less: failed or not run
    int64_t same;      // finished in both, with the same answer
    int64_t conflicts; // finished in both, with another answer
    int64_t score_conflicts, published_conflicts;
    int64_t rows; // written; 0: nothing was new
};

/* All that is in the file at path, by identity: done goes before failed before ready, what runs
 * there is ready here. What both have is decided by what it is, never by whose: merging in any
 * order gives the same, and again nothing. Of two results for one item the one with a ledger
 * stands, then the one that ended earlier, then the one first by its columns; of two scores of one
 * answer the lower, of two published numbers too; of two names the first by alphabet; of times of
 * creation the earlier, of planning the later.
 *
 * In pieces: others may write in between, and stopped midway it leaves a sound database to which
 * the same merge can be done again. Experiments of the source show its items when all are here.
 * The file is not changed; what is added to it meanwhile may be missed. ERR_USER where it is no
 * database of ours, is damaged, or is s itself (then nothing of it is taken), or where items that
 * were merged are removed meanwhile. */
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
