/* Who works on what: claiming a group of jobs, giving it back, taking over from the dead. */
#include "harness/store/store.h"

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
    struct store_claim *c;
};

/* Two statements: as one, SQLite would not use the index of the ready jobs for the first. ?1 is the
 * experiment or 0. */
#define OF_EXPERIMENT                                                                              \
    " AND j.state = 'ready' AND (?1 = 0 OR EXISTS (SELECT 1 FROM experiment_job x"                 \
    " WHERE x.experiment = ?1 AND x.job = j.id)) ORDER BY j.id"

static const char first_sql[] = "SELECT j.id FROM job j WHERE true" OF_EXPERIMENT " LIMIT 1";

/* All ready jobs that share a prefill with job ?2. */
static const char group_sql[] =
    "SELECT j.id, j.run, r.setting, r.model, r.protocol, j.task, j.sample, j.sample_hash,"
    "     j.prefill_class, j.sample_index"
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
}

static int find_group(struct store *s, int64_t experiment, struct store_claim *c, struct err *e)
{
    struct stmt *q;
    struct db_val v[] = {val_int(experiment), val_int(0)};
    int rc = db_get_int(s->db, first_sql, v, 1, &v[1].i, e);
    if (rc <= 0) // an error, or nothing is ready
        return rc;
    if (stmt_open(s->db, group_sql, v, 2, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        if (!c->n)
            read_group(c, q);
        c->jobs = xrealloc(c->jobs, mem_size((size_t)c->n + 1, sizeof *c->jobs));
        c->jobs[c->n++] = (struct store_claimed){stmt_int(q, 0), stmt_int(q, 1), stmt_int(q, 2)};
    }
    stmt_close(q);
    return rc;
}

static int claim(struct store *s, void *arg, struct err *e)
{
    struct claiming *a = arg;
    char now[32];
    clock_stamp(now);
    if (find_group(s, a->experiment, a->c, e))
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

int store_claim(struct store *s, int64_t experiment, struct store_claim *c, struct err *e)
{
    *c = (struct store_claim){0};
    struct claiming a = {experiment, c};
    if (!in_transaction(s, claim, &a, e))
        return 0;
    store_claim_free(c);
    return -1;
}

void store_claim_free(struct store_claim *c)
{
    free(c->sample_id);
    free(c->sample_hash);
    free(c->prefill_class);
    free(c->jobs);
    *c = (struct store_claim){0};
}

/* ---- giving back, taking over, trying again ---- */

int store_unclaim(struct store *s, int64_t *n, struct err *e)
{
    struct db_val v = val_str(s->owner);
    return db_run(s->db,
                  "UPDATE job SET state = 'ready', owner = NULL"
                  " WHERE state = 'running' AND owner = ?1",
                  &v, 1, n, e);
}

struct reclaiming {
    bool others;
    int64_t n;
};

static bool is_lost(const char *owner, bool others)
{
    enum store_owner_state state = store_owner_look(owner);
    return state == OWNER_DEAD || (others && state == OWNER_ELSEWHERE);
}

static int free_owner(struct store *s, const char *owner, int64_t *n, struct err *e)
{
    struct db_val v = val_str(owner);
    int64_t changes = 0;
    if (db_run(s->db, "UPDATE job SET state = 'ready', owner = NULL WHERE owner = ?1", &v, 1,
               &changes, e))
        return -1;
    *n += changes;
    return 0;
}

/* Owners are few; a statement is not changed under its own reading. */
static int reclaim(struct store *s, void *arg, struct err *e)
{
    struct reclaiming *a = arg;
    struct stmt *q;
    char **owner = NULL;
    int n = 0, rc;
    if (stmt_open(s->db, "SELECT DISTINCT owner FROM job WHERE state = 'running'", NULL, 0, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        owner = xrealloc(owner, mem_size((size_t)n + 1, sizeof *owner));
        owner[n++] = stmt_str_dup(q, 0);
    }
    stmt_close(q);
    for (int i = 0; i < n; i++) {
        if (!rc && is_lost(owner[i], a->others))
            rc = free_owner(s, owner[i], &a->n, e);
        free(owner[i]);
    }
    free(owner);
    return rc;
}

int store_reclaim(struct store *s, bool others, int64_t *n, struct err *e)
{
    struct reclaiming a = {others, 0};
    int rc = in_transaction(s, reclaim, &a, e);
    if (n)
        *n = rc ? 0 : a.n;
    return rc;
}

int store_retry(struct store *s, int64_t experiment, int64_t *n, struct err *e)
{
    struct db_val v = val_int(experiment);
    return db_run(s->db,
                  "UPDATE job SET state = 'ready', error = NULL, finished_at = NULL"
                  " WHERE state = 'failed' AND (?1 = 0 OR id IN"
                  " (SELECT job FROM experiment_job WHERE experiment = ?1))",
                  &v, 1, n, e);
}
