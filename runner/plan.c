/* A plan's rows in the database. */
#include "runner/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/prediction.h"
#include "harness/base/mem.h"
#include "runner/build_info.h"
#include "runner/plan_order.h"

static int put_build(struct plan_variant *v, struct store *s, int threads, struct err *e)
{
    struct build_info b;
    build_info_get(&b);
    struct store_build row = {KVLAB_VERSION,
                              b.commit,
                              b.dirty,
                              b.compiler,
                              b.cflags,
                              b.blas,
                              model_engine(v->model)->kernels->name,
                              b.cpu,
                              b.host,
                              threads};
    return store_put_build(s, &row, &v->build_id, e);
}

static int put_experiment(struct plan *p, struct store *s, struct err *e)
{
    char hash[SHA256_HEX];
    hash_sha256(text_buf(&p->x->canonical), hash);
    struct store_experiment row = {p->x->name, p->x->canonical.s, hash};
    return store_put_experiment(s, &row, &p->experiment, e);
}

static const char *source_name(enum task_source source)
{
    static const char *const names[] = {
        [SOURCE_LONGBENCH] = "longbench", [SOURCE_MINI] = "mini", [SOURCE_TEXT] = "text"};
    return names[source];
}

static int put_task(const struct plan *p, struct store *s, struct plan_variant *v, int i,
                    struct err *e)
{
    const struct plan_task *t = &p->tasks[i];
    struct task_identity id;
    identity_of_task(&id, &v->variant->protocol, t->task, &t->samples, &t->prompt);
    const struct task *k = t->task->task;
    int judge = v->variant->protocol.judge, version = t->metric ? t->metric->version : STORE_NONE;
    if (judge != JUDGE_TASK)
        version = judge_table[judge].version;
    struct store_task row = {
        .identity = id.hash,
        .name = t->task->name,
        .source = source_name(k->source),
        .category = category_name(k->category),
        .metric = id.metric,
        .metric_version = version,
        .language = k->language,
        .data_hash = t->samples.hash,
        .data = id.data,
        .template_hash = t->prompt.hash,
        .max_new_tokens = id.max_new,
    };
    return store_put_task(s, &row, &v->task_ids[i], e);
}

/* Once for all settings: export and rescoring need it. */
static int put_sample(struct store *s, const struct sample *p, struct err *e)
{
    struct buf answers, classes;
    buf_init(&answers);
    buf_init(&classes);
    prediction_put_list(p->answers, p->n_answers, &answers);
    prediction_put_list(p->classes, p->n_classes, &classes);
    struct store_sample row = {p->hash, text_buf(&answers), {NULL, 0}, p->length};
    if (p->classes)
        row.classes = text_buf(&classes);
    int rc = store_put_sample(s, &row, e);
    buf_release(&answers);
    buf_release(&classes);
    return rc;
}

static int put_samples(struct plan *p, struct store *s, struct err *e)
{
    for (int t = 0; t < p->x->n_tasks; t++)
        for (size_t i = 0; i < p->tasks[t].samples.n; i++)
            if (put_sample(s, &p->tasks[t].samples.list[i], e))
                return -1;
    return 0;
}

/* ---- runs and jobs ---- */

struct putting {
    struct plan *p;
    struct store *store;
    int64_t (*runs)[SETTINGS_MAX]; // [variant][setting]
    struct err *e;
};

static int put_runs(struct putting *w, int variant)
{
    struct plan *p = w->p;
    const struct plan_variant *v = &p->variants[variant];
    struct run_identity run = {.known = &p->known[v->variant->model],
                               .spec = v->spec,
                               .protocol = &v->variant->protocol,
                               .model_id = v->model_id,
                               .protocol_id = v->protocol_id,
                               .experiment_id = p->experiment};
    for (int k = 0; k < p->x->n_settings; k++) {
        run.setting = &p->x->settings[k];
        run.setting_id = p->setting_ids[k];
        run.position = variant * p->x->n_settings + k;
        if (identity_put_run(&run, w->store, &w->runs[variant][k], w->e))
            return -1;
    }
    return 0;
}

/* The base of an ablation is one of the settings, for all of its factors. */
static int base_of(const struct experiment *x, const struct exp_factor *f)
{
    int at = -1;
    for (int k = 0; k < x->n_settings && at < 0; k++)
        for (int i = 0; i < x->settings[k].n_factors; i++) {
            const struct exp_factor *b = &x->settings[k].factors[i];
            if (b->base && !strcmp(b->ablation, f->ablation) && !strcmp(b->factor, f->factor))
                at = k;
        }
    assert(at >= 0);
    return at;
}

static int put_factors(struct putting *w, int variant)
{
    const struct experiment *x = w->p->x;
    for (int k = 0; k < x->n_settings; k++)
        for (int i = 0; i < x->settings[k].n_factors; i++) {
            const struct exp_factor *f = &x->settings[k].factors[i];
            struct store_factor row = {
                w->p->experiment, w->runs[variant][k], w->runs[variant][base_of(x, f)],
                f->ablation,      f->factor,           f->value};
            if (store_put_factor(w->store, &row, w->e))
                return -1;
        }
    return 0;
}

static int put_variant(struct putting *w, int variant, int threads)
{
    struct plan_variant *v = &w->p->variants[variant];
    const struct model_identity *known = &w->p->known[v->variant->model];
    if (put_build(v, w->store, threads, w->e) ||
        identity_put_model(known, v->spec, v->model, w->store, &v->model_id, w->e) ||
        identity_put_protocol(&v->variant->protocol, v->spec, w->store, &v->protocol_id, w->e))
        return -1;
    for (int t = 0; t < w->p->x->n_tasks; t++)
        if (put_task(w->p, w->store, v, t, w->e))
            return -1;
    return put_runs(w, variant) || put_factors(w, variant) ? -1 : 0;
}

static int put_job(void *arg, const struct plan_place *at)
{
    struct putting *w = arg;
    struct plan *p = w->p;
    const struct sample *sample = &p->tasks[at->task].samples.list[at->sample];
    struct store_job job = {.experiment = p->experiment,
                            .run = w->runs[at->variant][at->setting],
                            .task = p->variants[at->variant].task_ids[at->task],
                            .sample_id = sample->id.s,
                            .sample_index = (int)at->sample,
                            .sample_hash = sample->hash,
                            .prefill_class = p->classes[at->setting]};
    const struct head *head = &p->tasks[at->task].heads[at->sample];
    if (head->hash[0])
        job.head = head->hash;
    int64_t id;
    bool made;
    if (store_plan_job(w->store, &job, &id, &made, w->e))
        return -1;
    p->planned_now += made;
    return 0;
}

static int put_rows(struct putting *w, int threads)
{
    struct plan *p = w->p;
    if (put_experiment(p, w->store, w->e))
        return -1;
    for (int k = 0; k < p->x->n_settings; k++)
        if (identity_put_setting(&p->x->settings[k], w->store, &p->setting_ids[k], w->e))
            return -1;
    for (int v = 0; v < p->x->n_variants; v++)
        if (put_variant(w, v, threads))
            return -1;
    return put_samples(p, w->store, w->e) || plan_order(p, put_job, w) ? -1 : 0;
}

static int put_all(struct plan *p, struct store *s, int threads, struct err *e)
{
    struct putting w = {.p = p, .store = s, .e = e};
    w.runs = xmalloc(mem_size((size_t)p->x->n_variants, sizeof *w.runs));
    int rc = put_rows(&w, threads);
    free(w.runs);
    return rc;
}

int plan_try(struct plan *p, struct store *s, int threads, struct err *e)
{
    if (plan_identify(p, e) || store_begin(s, e))
        return -1;
    if (!put_all(p, s, threads, e))
        return 0;
    store_rollback(s);
    return -1;
}

int plan_store(struct plan *p, struct store *s, int threads, struct err *e)
{
    return plan_try(p, s, threads, e) ? -1 : store_commit(s, e);
}
