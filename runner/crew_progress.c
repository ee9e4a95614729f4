#include "runner/crew_progress.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"

/* Groups of the experiment: how many items each has, and how many of them are left. */
static const char groups_sql[] =
    "SELECT r.model, r.protocol, j.task, j.sample_index, count(*),"
    "   total(j.state IN ('ready', 'running')), j.prefill_class"
    " FROM experiment_job x JOIN job j ON j.id = x.job JOIN run r ON r.id = j.run"
    " WHERE x.experiment = ?1"
    " GROUP BY r.model, r.protocol, j.task, j.sample_index, j.prefill_class";

static int find_task(const struct plan_variant *v, int n, int64_t id)
{
    int t = 0;
    while (t < n && v->task_ids[t] != id)
        t++;
    return t;
}

/* Of all settings of the class: which are left the group does not say. */
static double replay_cost(const struct plan *p, const struct plan_variant *v, struct text class,
                          int n_prompt)
{
    const struct kv_chain *chains[SETTINGS_MAX];
    int n = 0;
    for (int k = 0; k < p->x->n_settings; k++)
        if (text_is(class, p->classes[k]))
            chains[n++] = &p->x->settings[k].chain;
    struct estimate_replay r = estimate_replay(v->model, chains, n, n_prompt);
    return estimate_replay_cost(v->model, &r);
}

/* A group that is begun is paid for its prefill. */
static void add_group(struct crew_progress *c, const struct lengths *l, const struct stmt *q)
{
    const struct plan *p = c->plan;
    const struct plan_variant *v = plan_find_variant(p, stmt_int(q, 0), stmt_int(q, 1));
    int task = v ? find_task(v, p->x->n_tasks, stmt_int(q, 2)) : p->x->n_tasks;
    size_t sample = (size_t)stmt_int(q, 3);
    int items = (int)stmt_int(q, 4), left = (int)stmt_int(q, 5);
    if (task == p->x->n_tasks || sample >= p->tasks[task].samples.n)
        return; // an earlier configuration of this name asked for more
    int variant = (int)(v - p->variants);
    int tail = lengths_tail(l, variant, task, sample);
    int n = lengths_prompt(l, variant, task, sample) - tail;
    int new = lengths_answer(l, variant, task) + tail;
    double replay = replay_cost(p, v, stmt_text(q, 6), n);
    double all = estimate_group(v->model, n, new, items) + replay;
    c->items[variant] += items;
    c->items_done[variant] += items - left;
    c->cost += all;
    c->cost_done += all - (left ? estimate_group(v->model, n, new, left) + replay : 0);
}

static int read_groups(struct crew_progress *c, struct store *s, struct err *e)
{
    struct stmt *q;
    struct lengths *l;
    struct db_val v = val_int(c->plan->experiment);
    int rc;
    if (stmt_open(store_db(s), groups_sql, &v, 1, &q, e))
        return -1;
    l = xmalloc(sizeof *l);
    lengths_open(l, c->plan);
    while ((rc = stmt_step(q, e)) == 1)
        add_group(c, l, q);
    free(l);
    stmt_close(q);
    return rc;
}

int crew_progress_open(struct crew_progress *c, const struct plan *p, struct store *s,
                       struct err *e)
{
    *c = (struct crew_progress){.plan = p, .start = clock_seconds()};
    if (read_groups(c, s, e))
        return -1;
    progress_start(&c->bar, c->cost, c->cost_done);
    return 0;
}

void crew_progress_take(struct crew_progress *c, const struct news *n)
{
    c->items_done[n->variant] += n->done + n->failed;
    c->variant = n->variant;
    c->cost_done += n->cost;
    c->prefill_tokens += n->prefill_tokens;
    c->decode_tokens += n->decode_tokens;
    if (n->text[0])
        snprintf(c->at, sizeof c->at, "%s", n->text);
}

/* "3 of 40 items", of what is at work first where there are several. */
static void put_items(const struct crew_progress *c, struct buf *out)
{
    int64_t items = 0, done = 0;
    int n = c->plan->x->n_variants;
    for (int i = 0; i < n; i++) {
        items += c->items[i];
        done += c->items_done[i];
    }
    if (n > 1)
        buf_printf(out, "%.40s: %lld of %lld, all: ", c->plan->variants[c->variant].variant->name,
                   (long long)c->items_done[c->variant], (long long)c->items[c->variant]);
    buf_printf(out, "%lld of %lld items", (long long)done, (long long)items);
}

void crew_progress_show(struct crew_progress *c)
{
    struct buf b;
    double t = clock_seconds() - c->start;
    buf_init(&b);
    put_items(c, &b);
    buf_printf(&b, "  %.0f prompt, %.0f new tokens/s  %.60s", c->prefill_tokens / t,
               c->decode_tokens / t, c->at);
    progress_step(&c->bar, c->cost_done < c->cost ? c->cost_done : c->cost, b.s);
    buf_release(&b);
}

void crew_progress_end(struct crew_progress *c)
{
    progress_end(&c->bar);
}
