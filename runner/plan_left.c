#include "runner/plan_left.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"

/* ---- all of it ---- */

static void class_settings(struct plan_left *l)
{
    const struct plan *p = l->plan;
    int n = 0;
    for (int k = 0; k < p->x->n_settings; k++) {
        l->class_of[k] = 0;
        while (strcmp(p->classes[l->class_of[k]], p->classes[k]) != 0)
            l->class_of[k]++;
    }
    for (int c = 0; c < p->x->n_settings; c++)
        for (int k = c; k < p->x->n_settings && l->class_of[c] == c; k++)
            if (l->class_of[k] == c)
                l->by_class[n++] = k;
}

void plan_left_open(struct plan_left *l, const struct plan *p)
{
    size_t n = 0;
    l->plan = p;
    class_settings(l);
    for (int v = 0; v < p->x->n_variants; v++)
        for (int t = 0; t < p->x->n_tasks; t++) {
            l->starts[v][t] = n;
            n += p->tasks[t].samples.n * (size_t)p->x->n_settings;
        }
    l->items = xmalloc(n + 1);
    memset(l->items, true, n);
}

void plan_left_close(struct plan_left *l)
{
    free(l->items);
    l->items = NULL;
}

static bool *item_of(const struct plan_left *l, int variant, int task, size_t sample, int setting)
{
    return &l->items[l->starts[variant][task] + sample * (size_t)l->plan->x->n_settings +
                     (size_t)setting];
}

/* ---- less what the database has ---- */

static const char finished_sql[] =
    "SELECT r.id, r.model, r.protocol, r.setting, j.task, j.sample_index"
    " FROM experiment_job x JOIN job j ON j.id = x.job JOIN run r ON r.id = j.run"
    " WHERE x.experiment = ?1 AND j.state IN ('done', ?2) ORDER BY r.id";

/* The run of the rows at hand, by its places. */
struct run_at {
    int64_t run;
    const struct plan_variant *variant; // NULL: not of this plan
    int setting;                        // n_settings: not of this plan
};

static void find_run(struct run_at *at, const struct plan *p, const struct stmt *q)
{
    if (at->run == stmt_int(q, 0))
        return;
    at->run = stmt_int(q, 0);
    at->variant = plan_find_variant(p, stmt_int(q, 1), stmt_int(q, 2));
    at->setting = 0;
    while (at->setting < p->x->n_settings && p->setting_ids[at->setting] != stmt_int(q, 3))
        at->setting++;
}

static void take_away(struct plan_left *l, const struct run_at *at, const struct stmt *q)
{
    const struct plan *p = l->plan;
    size_t sample = (size_t)stmt_int(q, 5);
    int task = 0;
    if (!at->variant || at->setting == p->x->n_settings)
        return;
    while (task < p->x->n_tasks && at->variant->task_ids[task] != stmt_int(q, 4))
        task++;
    if (task < p->x->n_tasks && sample < p->tasks[task].samples.n)
        *item_of(l, (int)(at->variant - p->variants), task, sample, at->setting) = false;
}

int plan_left_read(struct plan_left *l, struct store *s, bool retry, struct err *e)
{
    struct db_val v[] = {val_int(l->plan->experiment), val_str(retry ? "done" : "failed")};
    struct run_at at = {0};
    struct stmt *q;
    int rc;
    if (stmt_open(store_db(s), finished_sql, v, 2, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        find_run(&at, l->plan, q);
        take_away(l, &at, q);
    }
    stmt_close(q);
    return rc;
}

/* ---- groups ---- */

/* The groups of one sample under one variant. */
static void take_sample(const struct plan_left *l, struct left_group g, int *settings,
                        void (*take)(void *arg, const struct left_group *g), void *arg)
{
    int n_settings = l->plan->x->n_settings;
    g.settings = settings;
    for (int i = 0; i < n_settings;) {
        g.class = l->class_of[l->by_class[i]];
        for (g.n = 0; i < n_settings && l->class_of[l->by_class[i]] == g.class; i++)
            if (*item_of(l, g.variant, g.task, g.sample, l->by_class[i]))
                settings[g.n++] = l->by_class[i];
        if (g.n)
            take(arg, &g);
    }
}

void plan_left_groups(const struct plan_left *l,
                      void (*take)(void *arg, const struct left_group *g), void *arg)
{
    const struct plan *p = l->plan;
    int *settings = xmalloc(mem_size((size_t)p->x->n_settings, sizeof *settings));
    for (int v = 0; v < p->x->n_variants; v++)
        for (int t = 0; t < p->x->n_tasks; t++)
            for (size_t i = 0; i < p->tasks[t].samples.n; i++)
                take_sample(l, (struct left_group){.variant = v, .task = t, .sample = i}, settings,
                            take, arg);
    free(settings);
}
