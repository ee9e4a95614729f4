/* What a forecast asks of the database. */
#include <string.h>

#include "runner/forecast.h"

/* ---- answers ---- */

static const char answers_sql[] =
    "SELECT count(*), avg(j.new_tokens) FROM job j JOIN run r ON r.id = j.run"
    " WHERE j.state = 'done' AND j.new_tokens > 0 AND r.model = ?1 AND j.task = ?2";

static int read_answers(struct forecast *f, int variant, int task, struct store *s, struct err *e)
{
    const struct plan_variant *v = &f->plan->variants[variant];
    const struct db_val args[] = {val_int(v->model_id), val_int(v->task_ids[task])};
    struct stmt *q;
    if (stmt_open(store_db(s), answers_sql, args, 2, &q, e))
        return -1;
    int rc = stmt_step(q, e);
    if (rc == 1 && stmt_int(q, 0))
        f->answers[variant][task] = (struct forecast_answer){stmt_int(q, 0), stmt_num(q, 1)};
    stmt_close(q);
    return rc < 0 ? -1 : 0;
}

/* ---- paired differences of scores ---- */

/* Each run of the model against one of its protocol: full, or else the first. All pairs of runs
 * would be half a million for the largest plans. */
static const char pairs_sql[] =
    "WITH scored AS (SELECT j.run AS run, r.protocol AS protocol, j.sample_hash AS sample,"
    "   100 * s.value AS score, c.method = 'full' AND c.weights IS NULL AS full"
    "   FROM job j JOIN run r ON r.id = j.run JOIN setting c ON c.id = r.setting"
    "   JOIN task t ON t.id = j.task JOIN score s ON s.job = j.id AND s.metric = t.metric"
    "    AND s.metric_version = (SELECT max(metric_version) FROM score"
    "                             WHERE job = j.id AND metric = t.metric)"
    "   WHERE j.state = 'done' AND r.model = ?1 AND j.task = ?2),"
    " base AS (SELECT run, protocol FROM (SELECT run, protocol, row_number() OVER"
    "   (PARTITION BY protocol ORDER BY max(full) DESC, run) AS place"
    "   FROM scored GROUP BY protocol, run) WHERE place = 1)"
    " SELECT a.run, a.score - b.score FROM base"
    " JOIN scored b ON b.run = base.run"
    " JOIN scored a ON a.protocol = base.protocol AND a.run <> base.run AND a.sample = b.sample"
    " ORDER BY a.run, a.sample";

static int read_pairs(struct forecast *f, const struct plan_variant *v, int task, struct store *s,
                      struct err *e)
{
    const struct db_val args[] = {val_int(v->model_id), val_int(v->task_ids[task])};
    struct moments m = {0};
    int64_t run = 0;
    struct stmt *q;
    int rc;
    if (stmt_open(store_db(s), pairs_sql, args, 2, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        if (stmt_int(q, 0) != run) {
            pooled_add(&f->pairs[task].stored, &m);
            m = (struct moments){0};
        }
        run = stmt_int(q, 0);
        moments_add(&m, stmt_num(q, 1));
    }
    pooled_add(&f->pairs[task].stored, &m);
    stmt_close(q);
    return rc;
}

/* Variants of one model share its items, whatever their protocol; those of a task may not be the
 * same task. */
static bool is_first(const struct plan *p, int variant, int task)
{
    for (int i = 0; i < variant; i++)
        if (p->variants[i].model_id == p->variants[variant].model_id &&
            p->variants[i].task_ids[task] == p->variants[variant].task_ids[task])
            return false;
    return true;
}

static int read_task(struct forecast *f, int task, struct store *s, struct err *e)
{
    for (int v = 0; v < f->plan->x->n_variants; v++) {
        if (read_answers(f, v, task, s, e))
            return -1;
        if (is_first(f->plan, v, task) && read_pairs(f, &f->plan->variants[v], task, s, e))
            return -1;
    }
    return 0;
}

static int read_all(struct forecast *f, struct store *s, bool retry, struct err *e)
{
    if (store_count(s, f->plan->experiment, &f->counts, e) ||
        plan_left_read(&f->left, s, retry, e) || rates_read(&f->rates, &f->left, s, e))
        return -1;
    for (int t = 0; t < f->plan->x->n_tasks; t++)
        if (read_task(f, t, s, e))
            return -1;
    return 0;
}

int forecast_open(struct forecast *f, const struct plan *p, struct store *s, bool retry,
                  struct err *e)
{
    memset(f, 0, sizeof *f); // too big for a copy on the stack
    f->plan = p;
    plan_left_open(&f->left, p);
    rates_open(&f->rates, p);
    lengths_open(&f->lengths, p);
    f->counts.ready = p->jobs;
    return s ? read_all(f, s, retry, e) : 0;
}
