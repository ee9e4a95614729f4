/* Who works on what: claiming a group of jobs, giving it back, trying again. */
#include "harness/store/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"
#include "harness/store/store_int.h"

/* Runs fn in a transaction of its own. */
static int in_transaction(struct store *s, int (*fn)(struct store *s, void *arg, struct err *e),
                          void *arg, struct err *e)
{
    if (db_begin(s->db, e))
        return -1;
    if (fn(s, arg, e) || db_commit(s->db, e)) {
        db_rollback(s->db);
        return -1;
    }
    return 0;
}

/* ---- claiming ---- */

struct claiming {
    int64_t experiment;
    const struct store_claim *like; // or NULL
    struct store_claim *c;
};

/* Two statements: as one, SQLite would not use the index of the ready jobs for the first. ?1 is the
 * experiment or 0. */
#define OF_EXPERIMENT                                                                              \
    " AND j.state = 'ready' AND (?1 = 0 OR EXISTS (SELECT 1 FROM experiment_job x"                 \
    " WHERE x.experiment = ?1 AND x.job = j.id)) ORDER BY j.id"

static const char first_sql[] = "SELECT j.id FROM job j WHERE true" OF_EXPERIMENT " LIMIT 1";

/* The same where nobody is at a group that begins alike: whoever is will share what it has read. */
static const char free_sql[] =
    "SELECT j.id FROM job j WHERE (j.head IS NULL OR NOT EXISTS (SELECT 1 FROM job k"
    "   WHERE k.head = j.head AND k.prefill_class = j.prefill_class AND k.state = "
    "'running'))" OF_EXPERIMENT " LIMIT 1";

static const char like_sql[] =
    "SELECT j.id FROM job j JOIN run r ON r.id = j.run WHERE j.head = ?2 AND j.prefill_class = ?3"
    " AND r.model = ?4 AND r.protocol = ?5" OF_EXPERIMENT " LIMIT 1";

/* All ready jobs that share a prefill with job ?2. */
static const char group_sql[] =
    "SELECT j.id, j.run, r.setting, r.model, r.protocol, j.task, j.sample, j.sample_hash,"
    "     j.prefill_class, j.sample_index, j.head, j.crashes"
    " FROM job f JOIN run fr ON fr.id = f.run"
    " JOIN job j ON j.task = f.task AND j.sample = f.sample"
    "     AND j.prefill_class = f.prefill_class AND j.sample_hash = f.sample_hash"
    " JOIN run r ON r.id = j.run AND r.model = fr.model AND r.protocol = fr.protocol"
    " WHERE f.id = ?2" OF_EXPERIMENT;

static void read_group(struct store_claim *c, const struct stmt *q)
{
    c->model = stmt_int(q, 3);
    c->protocol = stmt_int(q, 4);
    c->task = stmt_int(q, 5);
    c->sample_id = stmt_str_dup(q, 6);
    c->sample_hash = stmt_str_dup(q, 7);
    c->prefill_class = stmt_str_dup(q, 8);
    c->sample_index = (int)stmt_int(q, 9);
    c->head = stmt_str_dup(q, 10);
}

/* The job that a group is found by. 1, 0 where there is none, -1. */
static int find_first(struct store *s, const struct claiming *a, int64_t *job, struct err *e)
{
    struct db_val v[5] = {val_int(a->experiment)};
    if (!a->like) {
        int rc = db_get_int(s->db, free_sql, v, 1, job, e);
        return rc ? rc : db_get_int(s->db, first_sql, v, 1, job, e);
    }
    v[1] = val_str(a->like->head);
    v[2] = val_str(a->like->prefill_class);
    v[3] = val_int(a->like->model);
    v[4] = val_int(a->like->protocol);
    return db_get_int(s->db, like_sql, v, 5, job, e);
}

static int find_group(struct store *s, const struct claiming *a, struct err *e)
{
    struct stmt *q;
    struct store_claim *c = a->c;
    struct db_val v[] = {val_int(a->experiment), val_int(0)};
    int rc = find_first(s, a, &v[1].i, e);
    if (rc <= 0) // an error, or nothing is ready
        return rc;
    if (stmt_open(s->db, group_sql, v, 2, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        if (!c->n)
            read_group(c, q);
        c->jobs = xrealloc(c->jobs, mem_size((size_t)c->n + 1, sizeof *c->jobs));
        c->jobs[c->n++] = (struct store_claimed){stmt_int(q, 0), stmt_int(q, 1), stmt_int(q, 2)};
        c->crashes = stmt_int(q, 11) > c->crashes ? (int)stmt_int(q, 11) : c->crashes;
    }
    stmt_close(q);
    return rc;
}

static int claim(struct store *s, void *arg, struct err *e)
{
    struct claiming *a = arg;
    char now[32];
    clock_stamp(now);
    if (find_group(s, a, e))
        return -1;
    for (int i = 0; i < a->c->n; i++) {
        struct db_val v[] = {val_int(a->c->jobs[i].job), val_str(s->owner), val_str(now)};
        const char *sql = "UPDATE job SET state = 'running', owner = ?2, claimed_at = ?3"
                          " WHERE id = ?1";
        if (db_run(s->db, sql, v, 3, NULL, e))
            return -1;
    }
    return 0;
}

static int claim_any(struct store *s, struct claiming *a, struct err *e)
{
    *a->c = (struct store_claim){0};
    if (!in_transaction(s, claim, a, e))
        return 0;
    store_claim_free(a->c);
    return -1;
}

int store_claim(struct store *s, int64_t experiment, struct store_claim *c, struct err *e)
{
    return claim_any(s, &(struct claiming){experiment, NULL, c}, e);
}

int store_claim_like(struct store *s, int64_t experiment, const struct store_claim *like,
                     struct store_claim *c, struct err *e)
{
    assert(like->head);
    return claim_any(s, &(struct claiming){experiment, like, c}, e);
}

void store_claim_free(struct store_claim *c)
{
    free(c->sample_id);
    free(c->sample_hash);
    free(c->prefill_class);
    free(c->head);
    free(c->jobs);
    *c = (struct store_claim){0};
}

/* ---- giving back, trying again ---- */

int store_unclaim(struct store *s, int64_t *n, struct err *e)
{
    struct db_val v = val_str(s->owner);
    return db_run(s->db,
                  "UPDATE job SET state = 'ready', owner = NULL"
                  " WHERE state = 'running' AND owner = ?1",
                  &v, 1, n, e);
}

struct giving_back {
    struct store_claim *c;
    int from;
};

static int give_back(struct store *s, void *arg, struct err *e)
{
    const struct giving_back *a = arg;
    for (int i = a->from; i < a->c->n; i++) {
        struct db_val v[] = {val_int(a->c->jobs[i].job), val_str(s->owner)};
        const char *sql = "UPDATE job SET state = 'ready', owner = NULL"
                          " WHERE id = ?1 AND state = 'running' AND owner = ?2";
        if (db_run(s->db, sql, v, 2, NULL, e))
            return -1;
    }
    return 0;
}

int store_unclaim_from(struct store *s, struct store_claim *c, int from, struct err *e)
{
    if (in_transaction(s, give_back, &(struct giving_back){c, from}, e))
        return -1;
    c->n = from;
    return 0;
}

int store_retry(struct store *s, int64_t experiment, int64_t *n, struct err *e)
{
    struct db_val v = val_int(experiment);
    return db_run(s->db,
                  "UPDATE job SET state = 'ready', error = NULL, finished_at = NULL, crashes = 0"
                  " WHERE state = 'failed' AND (?1 = 0 OR id IN"
                  " (SELECT job FROM experiment_job WHERE experiment = ?1))",
                  &v, 1, n, e);
}
