/* Taking over from the dead: whose jobs are lost, and which jobs kill the processes that try. */
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"
#include "harness/store/store_int.h"

enum {
    CRASHES_MAX = 2
}; // then a job is not tried again: the first time another one may have done it

/* Owners of running jobs of an experiment (0: of all) and how many each has. They are few; a
 * statement is not changed under its own reading. */
struct owners {
    struct owner {
        char *name;
        int64_t jobs;
    } * list;
    int n;
};

static void free_owners(struct owners *o)
{
    for (int i = 0; i < o->n; i++)
        free(o->list[i].name);
    free(o->list);
}

static int read_owners(struct store *s, int64_t experiment, struct owners *o, struct err *e)
{
    struct stmt *q;
    struct db_val v = val_int(experiment);
    const char *sql = "SELECT owner, count(*) FROM job WHERE state = 'running' AND (?1 = 0 OR id IN"
                      " (SELECT job FROM experiment_job WHERE experiment = ?1)) GROUP BY owner";
    int rc;
    *o = (struct owners){NULL, 0};
    if (stmt_open(s->db, sql, &v, 1, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        o->list = xrealloc(o->list, mem_size((size_t)o->n + 1, sizeof *o->list));
        o->list[o->n++] = (struct owner){stmt_str_dup(q, 0), stmt_int(q, 1)};
    }
    stmt_close(q);
    if (rc)
        free_owners(o);
    return rc;
}

static int free_jobs(struct store *s, const char *owner, int64_t *n, struct err *e)
{
    struct db_val v = val_str(owner);
    return db_run(s->db, "UPDATE job SET state = 'ready', owner = NULL WHERE owner = ?1", &v, 1, n,
                  e);
}

static bool is_lost(const char *owner, bool others)
{
    enum store_owner_state state = store_owner_look(owner);
    return state == OWNER_DEAD || (others && state == OWNER_ELSEWHERE);
}

static int reclaim(struct store *s, bool others, int64_t *sum, struct err *e)
{
    struct owners o;
    int64_t n;
    if (read_owners(s, 0, &o, e))
        return -1;
    int rc = 0;
    for (int i = 0; i < o.n && !rc; i++) {
        n = 0;
        rc = is_lost(o.list[i].name, others) ? free_jobs(s, o.list[i].name, &n, e) : 0;
        *sum += n;
    }
    free_owners(&o);
    return rc;
}

int store_reclaim(struct store *s, bool others, int64_t *n, struct err *e)
{
    int64_t sum = 0;
    if (db_begin(s->db, e))
        return -1;
    int rc = reclaim(s, others, &sum, e) || db_commit(s->db, e) ? -1 : 0;
    if (rc)
        db_rollback(s->db);
    if (n)
        *n = rc ? 0 : sum;
    return rc;
}

/* Before the jobs are freed: those that have had their tries. */
static int fail_jobs(struct store *s, const char *owner, const char *reason, int64_t build,
                     int64_t *failed, struct err *e)
{
    char now[32];
    clock_stamp(now);
    struct db_val v[] = {val_str(owner), val_str(reason), val_int(build), val_str(now),
                         val_int(CRASHES_MAX)};
    if (db_run(s->db, "UPDATE job SET crashes = crashes + 1 WHERE owner = ?1", v, 1, NULL, e) ||
        db_run(s->db,
               "INSERT INTO failure (job, finished_at, build, error)"
               " SELECT id, ?4, ?3, ?2 FROM job WHERE owner = ?1 AND crashes >= ?5",
               v, 5, NULL, e))
        return -1;
    return db_run(s->db,
                  "UPDATE job SET state = 'failed', error = ?2, build = ?3, finished_at = ?4,"
                  " owner = NULL WHERE owner = ?1 AND crashes >= ?5",
                  v, 5, failed, e);
}

int store_bury(struct store *s, const char *owner, const char *reason, int64_t build,
               int64_t *failed, struct err *e)
{
    *failed = 0;
    if (db_begin(s->db, e))
        return -1;
    if ((!reason || !fail_jobs(s, owner, reason, build, failed, e)) &&
        !free_jobs(s, owner, NULL, e) && !db_commit(s->db, e))
        return 0;
    db_rollback(s->db);
    return -1;
}

int store_count_others(struct store *s, int64_t experiment, int64_t *here, int64_t *elsewhere,
                       struct err *e)
{
    struct owners o;
    *here = *elsewhere = 0;
    if (read_owners(s, experiment, &o, e))
        return -1;
    for (int i = 0; i < o.n; i++) {
        enum store_owner_state state = store_owner_look(o.list[i].name);
        *here += state == OWNER_ALIVE ? o.list[i].jobs : 0;
        *elsewhere += state == OWNER_ELSEWHERE ? o.list[i].jobs : 0;
    }
    free_owners(&o);
    return 0;
}
