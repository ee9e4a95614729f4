#include "runner/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/prediction.h"
#include "harness/base/log.h"
#include "runner/build_info.h"
#include "runner/identity.h"
#include "runner/setting.h"

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
    t->metric = metric_find(t->task->task->metric, &none);
    if (!t->metric)
        log_warn("task %s: metric %s is not in this version: answers are stored without a score",
                 t->task->name, t->task->task->metric);
    return 0;
}

static int check_settings(struct plan *p, struct err *e)
{
    for (int i = 0; i < p->x->n_settings; i++) {
        const struct exp_setting *s = &p->x->settings[i];
        char where[300];
        struct buf class;
        bool new = true;
        snprintf(where, sizeof where, "setting '%s'", s->name);
        if (kv_chain_check(&s->chain, model_shape(p->model), !model_engine(p->model)->floats, where,
                           e))
            return -1;
        if (model_check_weights(p->model, &s->weights, e))
            return err_in(e, "%s: weights", where);
        buf_init(&class);
        setting_class(s, &class);
        hash_sha256(text_buf(&class), p->classes[i]);
        buf_release(&class);
        for (int k = 0; k < i; k++)
            new &= strcmp(p->classes[i], p->classes[k]) != 0;
        p->n_classes += new;
    }
    return 0;
}

int plan_open(struct plan *p, const struct experiment *x, struct model *m, struct err *e)
{
    *p = (struct plan){.x = x, .model = m};
    int rc = check_settings(p, e);
    for (int i = 0; i < x->n_tasks && !rc; i++) {
        rc = open_task(p, i, e);
        p->jobs += (int64_t)p->tasks[i].samples.n * x->n_settings;
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
    }
    p->x = NULL;
}

static int put_build(struct plan *p, struct store *s, int threads, struct err *e)
{
    struct build_info b;
    build_info_get(&b);
    struct store_build row = {KVLAB_VERSION,
                              b.commit,
                              b.dirty,
                              b.compiler,
                              b.cflags,
                              b.blas,
                              model_engine(p->model)->kernels->name,
                              b.cpu,
                              b.host,
                              threads};
    return store_put_build(s, &row, &p->build, e);
}

static int put_experiment(struct plan *p, struct store *s, struct err *e)
{
    char hash[SHA256_HEX];
    hash_sha256(text_buf(&p->x->canonical), hash);
    struct store_experiment row = {p->x->name, p->x->canonical.s, hash};
    return store_put_experiment(s, &row, &p->experiment, e);
}

static int put_task(struct plan *p, struct store *s, struct plan_task *t, struct err *e)
{
    struct task_identity id;
    identity_of_task(&id, &p->x->protocol, t->task, &t->samples, &t->prompt);
    const struct task *k = t->task->task;
    struct store_task row = {
        .identity = id.hash,
        .name = t->task->name,
        .source = k->source == SOURCE_MINI ? "mini" : "longbench",
        .category = category_name(k->category),
        .metric = k->metric,
        .metric_version = t->metric ? t->metric->version : STORE_NONE,
        .language = k->language,
        .data_hash = t->samples.hash,
        .data = id.data,
        .template_hash = t->prompt.hash,
        .max_new_tokens = id.max_new,
    };
    return store_put_task(s, &row, &t->id, e);
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

static int put_jobs(struct plan *p, struct store *s, const int64_t *runs, struct err *e)
{
    size_t most = 0;
    for (int t = 0; t < p->x->n_tasks; t++)
        most = p->tasks[t].samples.n > most ? p->tasks[t].samples.n : most;
    /* Sample by sample over all tasks: a run that is stopped has something of each. */
    for (size_t i = 0; i < most; i++)
        for (int t = 0; t < p->x->n_tasks; t++)
            for (int k = 0; k < p->x->n_settings && i < p->tasks[t].samples.n; k++) {
                const struct sample *sample = &p->tasks[t].samples.list[i];
                struct store_job job = {p->experiment, runs[k],      p->tasks[t].id, sample->id.s,
                                        (int)i,        sample->hash, p->classes[k],  NULL};
                int64_t id;
                bool made;
                if (store_plan_job(s, &job, &id, &made, e))
                    return -1;
                p->planned_now += made;
            }
    return 0;
}

static int put_all(struct plan *p, struct store *s, int threads, struct err *e)
{
    int64_t model, protocol, runs[SETTINGS_MAX];
    if (put_build(p, s, threads, e) || put_experiment(p, s, e) ||
        identity_put_model(&p->known, p->x, p->model, s, &model, e) ||
        identity_put_protocol(p->x, s, &protocol, e))
        return -1;
    for (int t = 0; t < p->x->n_tasks; t++)
        if (put_task(p, s, &p->tasks[t], e))
            return -1;
    for (int k = 0; k < p->x->n_settings; k++) {
        struct run_identity id = {model, protocol, 0, k, p->experiment};
        if (identity_put_setting(&p->x->settings[k], s, &p->setting_ids[k], e))
            return -1;
        id.setting = p->setting_ids[k];
        if (identity_put_run(&p->known, p->x, &id, s, &runs[k], e))
            return -1;
    }
    return put_samples(p, s, e) || put_jobs(p, s, runs, e) ? -1 : 0;
}

int plan_store(struct plan *p, struct store *s, int threads, struct err *e)
{
    if (identity_of_model(&p->known, p->x, p->model, e) || store_begin(s, e))
        return -1;
    if (put_all(p, s, threads, e)) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}

int plan_try(struct plan *p, struct store *s, int threads, struct store_counts *out, struct err *e)
{
    if (identity_of_model(&p->known, p->x, p->model, e) || store_begin(s, e))
        return -1;
    int rc = put_all(p, s, threads, e) || store_count(s, p->experiment, out, e) ? -1 : 0;
    store_rollback(s);
    return rc;
}

void plan_set_threads(struct plan *p, int threads)
{
    model_set_threads(p->model, threads);
}

void plan_describe(const struct plan *p, struct buf *out)
{
    const struct experiment *x = p->x;
    const struct model_config *c = model_get_config(p->model);
    buf_printf(out, "experiment  %s\nmodel       %s (%s, %d layers, %.2f M parameters, %s)\n",
               x->name, x->model.name, c->family, c->n_layers,
               (double)model_parameters(p->model) / 1e6, dtype_name(model_weights_dtype(p->model)));
    buf_str(out, "protocol    ");
    opt_put_summary(protocol_options, &x->protocol, 12, out);
    buf_printf(out, "\nsettings    %d in %d prefill classes\n", x->n_settings, p->n_classes);
    for (int k = 0; k < x->n_settings; k++) {
        buf_printf(out, "            %-24s ", x->settings[k].name);
        setting_describe(&x->settings[k], out);
        buf_char(out, '\n');
    }
    for (int t = 0; t < x->n_tasks; t++) {
        const struct exp_task *k = &x->tasks[t];
        buf_printf(out, "task        %-24s %zu samples", k->name, p->tasks[t].samples.n);
        if (k->task->source == SOURCE_MINI)
            buf_printf(out, " of %d words", k->words);
        buf_printf(out, ", %s\n", k->task->metric);
    }
    buf_printf(out, "items       %lld (a prompt is prefilled %d times for %d settings)\n",
               (long long)p->jobs, p->n_classes, x->n_settings);
}

void plan_describe_json(const struct plan *p, const struct store_counts *counts, struct buf *out)
{
    buf_printf(out, "{\"items\":%lld,\"prefill_classes\":%d,\"settings\":%d,\"tasks\":%d,",
               (long long)p->jobs, p->n_classes, p->x->n_settings, p->x->n_tasks);
    buf_printf(out,
               "\"in_database\":{\"ready\":%lld,\"running\":%lld,\"done\":%lld,\"failed\":%lld},",
               (long long)counts->ready, (long long)counts->running, (long long)counts->done,
               (long long)counts->failed);
    buf_str(out, "\"configuration\":");
    buf_text(out, text_buf(&p->x->canonical));
    buf_str(out, "}\n");
}
