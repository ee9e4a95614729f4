#include "runner/crew_progress.h"

#include <stdio.h>
#include <string.h>

#include "harness/base/clock.h"

/* Groups of the experiment: how many items each has, and how many of them are left. */
static const char groups_sql[] =
    "SELECT j.task, j.sample_index, count(*), total(j.state IN ('ready', 'running'))"
    " FROM experiment_job x JOIN job j ON j.id = x.job JOIN run r ON r.id = j.run"
    " WHERE x.experiment = ?1"
    " GROUP BY r.model, r.protocol, j.task, j.sample_index, j.prefill_class";

static int find_task(const struct plan *p, int64_t id)
{
    int t = 0;
    while (t < p->x->n_tasks && p->tasks[t].id != id)
        t++;
    return t;
}

/* A group that is begun is paid for its prefill. */
static void add_group(struct crew_progress *c, const struct lengths *l, const struct stmt *q)
{
    int task = find_task(c->plan, stmt_int(q, 0)), sample = (int)stmt_int(q, 1);
    int items = (int)stmt_int(q, 2), left = (int)stmt_int(q, 3);
    c->items += items;
    c->items_done += items - left;
    if (task == c->plan->x->n_tasks || (size_t)sample >= c->plan->tasks[task].samples.n)
        return; // an earlier configuration of this name asked for more
    const struct model *m = c->plan->model;
    int n = lengths_prompt(l, task, sample), new = c->plan->tasks[task].prompt.max_new_tokens;
    double all = estimate_group(m, n, new, items);
    c->bar.total += all;
    c->cost_done += all - (left ? estimate_group(m, n, new, left) : 0);
}

static int read_groups(struct crew_progress *c, struct store *s, struct err *e)
{
    struct stmt *q;
    struct lengths l;
    struct db_val v = val_int(c->plan->experiment);
    int rc;
    if (stmt_open(store_db(s), groups_sql, &v, 1, &q, e))
        return -1;
    lengths_open(&l, c->plan);
    while ((rc = stmt_step(q, e)) == 1)
        add_group(c, &l, q);
    lengths_release(&l);
    stmt_close(q);
    return rc;
}

int crew_progress_open(struct crew_progress *c, const struct plan *p, struct store *s,
                       struct err *e)
{
    *c = (struct crew_progress){.plan = p, .start = clock_seconds()};
    if (read_groups(c, s, e))
        return -1;
    progress_start(&c->bar, c->bar.total, c->cost_done);
    return 0;
}

void crew_progress_take(struct crew_progress *c, const struct news *n)
{
    c->items_done += n->done + n->failed;
    c->cost_done += n->cost;
    c->prefill_tokens += n->prefill_tokens;
    c->decode_tokens += n->decode_tokens;
    if (n->text[0])
        snprintf(c->at, sizeof c->at, "%s", n->text);
}

void crew_progress_show(struct crew_progress *c)
{
    char detail[256];
    double t = clock_seconds() - c->start;
    double done = c->cost_done < c->bar.total ? c->cost_done : c->bar.total;
    snprintf(detail, sizeof detail, "%lld of %lld items, %.0f + %.0f tokens/s  %.60s",
             (long long)c->items_done, (long long)c->items, c->prefill_tokens / t,
             c->decode_tokens / t, c->at);
    progress_step(&c->bar, done, detail);
}

void crew_progress_end(struct crew_progress *c)
{
    progress_end(&c->bar);
}
