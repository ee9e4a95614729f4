/* What a plan holds in memory: models, samples and templates, and whether they go together. */
#include "runner/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "runner/setting.h"

/* ---- models ---- */

static int open_model(struct plan_variant *v, const struct plan_engine *engine, struct err *e)
{
    int path = v->variant->protocol.path;
    struct model_options o = {
        .threads = engine->threads,
        .reference = path == PATH_REFERENCE,
        .floats = path == PATH_FLOATS,
        .compute = v->variant->protocol.compute,
        .kernels = engine->kernels,
        .rope_factor = v->spec->rope_factor,
        .max_positions = v->spec->max_positions,
    };
    if (!file_is_dir(v->spec->dir))
        return err_user(e, "model '%s': there is no folder %s", v->spec->name, v->spec->dir);
    v->model = model_open(v->spec->dir, &o, e);
    return v->model ? 0 : err_in(e, "model '%s'", v->spec->name);
}

/* Everything else that a model is opened with is the experiment's or the program's. */
static bool same_engine(const struct exp_variant *a, const struct exp_variant *b)
{
    return a->model == b->model && a->protocol.path == b->protocol.path &&
           a->protocol.compute == b->protocol.compute;
}

/* The first variant with this one's engine, perhaps itself. */
static int first_of(const struct plan *p, int variant)
{
    int i = 0;
    while (!same_engine(&p->x->variants[i], &p->x->variants[variant]))
        i++;
    return i;
}

static int open_models(struct plan *p, const struct plan_engine *engine, struct err *e)
{
    for (int i = 0; i < p->x->n_variants; i++) {
        struct plan_variant *v = &p->variants[i];
        v->variant = &p->x->variants[i];
        v->spec = &p->x->models[v->variant->model];
        if (first_of(p, i) < i)
            v->model = p->variants[first_of(p, i)].model;
        else if (open_model(v, engine, e))
            return -1;
    }
    return 0;
}

static void close_models(struct plan *p)
{
    for (int i = 0; i < p->x->n_variants; i++)
        if (first_of(p, i) == i)
            model_close(p->variants[i].model);
}

int plan_identify(struct plan *p, struct err *e)
{
    for (int i = 0; i < p->x->n_variants; i++) {
        const struct plan_variant *v = &p->variants[i];
        struct model_identity *known = &p->known[v->variant->model];
        if (!known->hash[0] && identity_of_model(known, v->spec, v->model, e))
            return -1;
    }
    return 0;
}

/* What a protocol is known by. */
static bool same_protocol(const struct plan_variant *a, const struct plan_variant *b)
{
    struct buf ta, tb;
    buf_init(&ta);
    buf_init(&tb);
    protocol_canonical(&a->variant->protocol, a->spec, &ta);
    protocol_canonical(&b->variant->protocol, b->spec, &tb);
    bool same = text_eq(text_buf(&ta), text_buf(&tb));
    buf_release(&ta);
    buf_release(&tb);
    return same;
}

/* Two names for one checkpoint would share their results under one of them. */
static int check_models(struct plan *p, struct err *e)
{
    if (p->x->n_models == 1)
        return 0;
    if (plan_identify(p, e))
        return -1;
    for (int i = 0; i < p->x->n_variants; i++)
        for (int k = 0; k < i; k++) {
            const struct plan_variant *a = &p->variants[k], *b = &p->variants[i];
            if (!strcmp(p->known[a->variant->model].hash, p->known[b->variant->model].hash) &&
                same_protocol(a, b))
                return err_user(e, "models '%s' and '%s' are the same under the same protocol",
                                a->spec->name, b->spec->name);
        }
    return 0;
}

/* ---- settings and tasks ---- */

static int check_setting(const struct exp_setting *s, const struct model *m, struct err *e)
{
    char where[300];
    snprintf(where, sizeof where, "setting '%s'", s->name);
    if (kv_chain_check(&s->chain, model_shape(m), !model_engine(m)->floats, where, e))
        return -1;
    if (model_check_weights(m, &s->weights, e))
        return err_in(e, "%s: weights", where);
    return 0;
}

static int check_settings(struct plan *p, struct err *e)
{
    for (int v = 0; v < p->x->n_variants; v++)
        for (int i = 0; i < p->x->n_settings && first_of(p, v) == v; i++)
            if (check_setting(&p->x->settings[i], p->variants[v].model, e))
                return p->x->n_models > 1 ? err_in(e, "model '%s'", p->variants[v].spec->name) : -1;
    return 0;
}

static void class_settings(struct plan *p)
{
    for (int i = 0; i < p->x->n_settings; i++) {
        struct buf class;
        bool new = true;
        buf_init(&class);
        setting_class(&p->x->settings[i], &class);
        hash_sha256(text_buf(&class), p->classes[i]);
        buf_release(&class);
        for (int k = 0; k < i; k++)
            new &= strcmp(p->classes[i], p->classes[k]) != 0;
        p->n_classes += new;
    }
}

/* A record that its template does not fill fails when its turn comes. */
static void find_heads(struct plan_task *t)
{
    size_t n = t->samples.n;
    struct buf *filled = xcalloc(n, sizeof *filled);
    struct text *texts = xcalloc(n, sizeof *texts);
    struct err ignored;
    for (size_t i = 0; i < n; i++) {
        buf_init(&filled[i]);
        if (task_prompt_fill(&t->prompt, &t->samples.list[i], &filled[i], &ignored))
            buf_reset(&filled[i]);
        texts[i] = text_buf(&filled[i]);
    }
    t->heads = xcalloc(n, sizeof *t->heads);
    heads_find(texts, (int)n, t->heads);
    t->bytes = xcalloc(n, sizeof *t->bytes);
    for (size_t i = 0; i < n; i++) {
        t->bytes[i] = filled[i].n;
        buf_release(&filled[i]);
    }
    free(filled);
    free(texts);
}

static int open_task(struct plan *p, int i, struct err *e)
{
    struct plan_task *t = &p->tasks[i];
    struct data_options data;
    struct err none;
    t->task = &p->x->tasks[i];
    exp_task_data(t->task, &data);
    if (samples_load(&t->samples, t->task->name, &data, (size_t)t->task->samples, e) ||
        task_prompt_load(&t->prompt, t->task->name, &data, e))
        return -1;
    find_heads(t);
    t->metric = metric_find(t->task->task->metric, &none);
    if (!t->metric && t->task->task->source != SOURCE_TEXT)
        log_warn("task %s: metric %s is not in this version: answers are stored without a score",
                 t->task->name, t->task->task->metric);
    return 0;
}

int plan_open(struct plan *p, const struct experiment *x, const struct plan_engine *engine,
              struct err *e)
{
    memset(p, 0, sizeof *p); // too big for a copy on the stack
    p->x = x;
    int rc = open_models(p, engine, e) || check_models(p, e) || check_settings(p, e) ? -1 : 0;
    if (!rc)
        class_settings(p);
    for (int i = 0; i < x->n_tasks && !rc; i++) {
        rc = open_task(p, i, e);
        p->jobs += (int64_t)p->tasks[i].samples.n * x->n_settings * x->n_variants;
    }
    if (rc)
        plan_close(p);
    return rc;
}

void plan_close(struct plan *p)
{
    if (!p->x)
        return;
    for (int i = 0; i < p->x->n_tasks; i++) {
        samples_release(&p->tasks[i].samples);
        task_prompt_release(&p->tasks[i].prompt);
        free(p->tasks[i].heads);
        free(p->tasks[i].bytes);
    }
    close_models(p);
    p->x = NULL;
}

void plan_set_threads(struct plan *p, int threads)
{
    for (int i = 0; i < p->x->n_variants; i++)
        if (first_of(p, i) == i)
            model_set_threads(p->variants[i].model, threads);
}

const struct plan_variant *plan_find_variant(const struct plan *p, int64_t model_id,
                                             int64_t protocol_id)
{
    for (int i = 0; i < p->x->n_variants; i++)
        if (p->variants[i].model_id == model_id && p->variants[i].protocol_id == protocol_id)
            return &p->variants[i];
    return NULL;
}
