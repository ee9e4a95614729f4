#include "runner/plan_order.h"

#include <stdlib.h>

#include "harness/base/mem.h"

struct ordering {
    const struct plan *p;
    size_t *ranked[TASKS_MAX]; // samples of each task, the longest first
    size_t most;               // samples of a task
    int (*take)(void *arg, const struct plan_place *at);
    void *arg;
};

/* ---- samples by length ---- */

struct ranked_sample {
    size_t length, index;
};

static int longest_first(const void *a, const void *b)
{
    const struct ranked_sample *x = a, *y = b;
    if (x->length != y->length)
        return x->length < y->length ? 1 : -1;
    return x->index < y->index ? -1 : 1;
}

static size_t *rank_new(const struct samples *s)
{
    struct ranked_sample *list = xmalloc(mem_size(s->n + 1, sizeof *list));
    size_t *ranked = xmalloc(mem_size(s->n + 1, sizeof *ranked));
    for (size_t i = 0; i < s->n; i++)
        list[i] = (struct ranked_sample){s->list[i].context.n + s->list[i].input.n, i};
    qsort(list, s->n, sizeof *list, longest_first);
    for (size_t i = 0; i < s->n; i++)
        ranked[i] = list[i].index;
    free(list);
    return ranked;
}

/* ---- phases ---- */

static bool same_engine(const struct plan *p, int a, int b)
{
    return p->variants[a].model == p->variants[b].model;
}

static bool same_weights(const struct plan *p, int a, int b)
{
    return quant_format_equal(&p->x->settings[a].weights, &p->x->settings[b].weights);
}

/* The settings of the phase under one variant, for one sample. */
static int take_settings(const struct ordering *o, struct plan_place at, int weights)
{
    for (at.setting = weights; at.setting < o->p->x->n_settings; at.setting++) {
        if (!same_weights(o->p, at.setting, weights))
            continue;
        int rc = o->take(o->arg, &at);
        if (rc)
            return rc;
    }
    return 0;
}

/* The variants of the phase for the sample of that rank, which a task may not have. */
static int take_sample(const struct ordering *o, struct plan_place at, size_t rank, int engine,
                       int weights)
{
    if (rank >= o->p->tasks[at.task].samples.n)
        return 0;
    at.sample = o->ranked[at.task][rank];
    for (at.variant = engine; at.variant < o->p->x->n_variants; at.variant++) {
        int rc = same_engine(o->p, at.variant, engine) ? take_settings(o, at, weights) : 0;
        if (rc)
            return rc;
    }
    return 0;
}

static int take_phase(const struct ordering *o, int engine, int weights)
{
    struct plan_place at = {0};
    for (size_t rank = 0; rank < o->most; rank++)
        for (at.task = 0; at.task < o->p->x->n_tasks; at.task++) {
            int rc = take_sample(o, at, rank, engine, weights);
            if (rc)
                return rc;
        }
    return 0;
}

static bool is_first(const struct plan *p, int i, bool (*same)(const struct plan *p, int a, int b))
{
    for (int k = 0; k < i; k++)
        if (same(p, k, i))
            return false;
    return true;
}

static int take_phases(const struct ordering *o)
{
    const struct plan *p = o->p;
    for (int v = 0; v < p->x->n_variants; v++)
        for (int k = 0; k < p->x->n_settings && is_first(p, v, same_engine); k++) {
            int rc = is_first(p, k, same_weights) ? take_phase(o, v, k) : 0;
            if (rc)
                return rc;
        }
    return 0;
}

int plan_order(const struct plan *p, int (*take)(void *arg, const struct plan_place *at), void *arg)
{
    struct ordering o = {.p = p, .take = take, .arg = arg};
    for (int t = 0; t < p->x->n_tasks; t++) {
        o.ranked[t] = rank_new(&p->tasks[t].samples);
        o.most = p->tasks[t].samples.n > o.most ? p->tasks[t].samples.n : o.most;
    }
    int rc = take_phases(&o);
    for (int t = 0; t < p->x->n_tasks; t++)
        free(o.ranked[t]);
    return rc;
}
