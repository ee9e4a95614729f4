#include "runner/work.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "runner/ledger_rows.h"

static volatile sig_atomic_t stop_asked;

static void ask_stop(int number)
{
    (void)number;
    stop_asked = 1;
}

static void catch_signals(bool on)
{
    /* SA_RESETHAND: a second signal has its usual effect. */
    struct sigaction a = {.sa_handler = on ? ask_stop : SIG_DFL};
    a.sa_flags = on ? (int)SA_RESETHAND : 0;
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
}

struct work {
    struct plan *plan;
    struct store *store;
    struct progress progress;
    struct work_result *result;
    float *first, *logits; // [vocab]
    double before;         // items that were finished when this call began
};

/* One claimed group: a sample and the settings that share its prefill. */
struct group {
    const struct store_claim *claim;
    const struct plan_variant *variant;
    const struct plan_task *task;
    const struct sample *sample;
    struct prompt prompt;
    struct stop_rules rules;
    const struct kv_chain *chains[SETTINGS_MAX]; // of the claim's jobs, in order
    const char *names[SETTINGS_MAX];
    const struct quant_format *weights;    // of all its settings: part of the prefill class
    struct kv_cache *caches[SETTINGS_MAX]; // one for each job
    double prefill_seconds;
};

static void tell(struct work *w, const struct group *g, const char *setting)
{
    char detail[160];
    snprintf(detail, sizeof detail, "%.40s %d  %.40s", g->task->task->name, g->claim->sample_index,
             setting);
    progress_step(&w->progress, w->before + (double)(w->result->done + w->result->failed), detail);
}

static int finish(struct work *w, const struct group *g, int i, const struct store_result *r,
                  const struct store_score *score, struct err *e)
{
    bool kept;
    if (store_finish(w->store, g->claim->jobs[i].job, g->variant->build_id, r, score, score ? 1 : 0,
                     &kept, e))
        return -1;
    if (r->error)
        w->result->failed++;
    else
        w->result->done++;
    return 0;
}

/* Every job of the group fails for one reason. */
static int fail_group(struct work *w, const struct group *g, const struct err *why, struct err *e)
{
    struct store_result r = STORE_RESULT;
    struct err shown = *why;
    err_in(&shown, "%s[%d]", g->task->task->name, g->claim->sample_index);
    r.error = shown.msg;
    if (g->prompt.ids.n) {
        r.prompt_tokens = (int)g->prompt.ids.n;
        r.prompt_tokens_before_cut = g->prompt.tokens_before_cut;
    }
    log_note("%s", shown.msg);
    for (int i = 0; i < g->claim->n; i++)
        if (finish(w, g, i, &r, NULL, e))
            return -1;
    return 0;
}

static int find_in_plan(struct work *w, struct group *g, struct err *e)
{
    const struct plan *p = w->plan;
    const struct store_claim *c = g->claim;
    g->variant = plan_find_variant(p, c->model, c->protocol);
    for (int t = 0; t < p->x->n_tasks && g->variant && !g->task; t++)
        if (g->variant->task_ids[t] == c->task)
            g->task = &p->tasks[t];
    if (!g->task || (size_t)c->sample_index >= g->task->samples.n ||
        strcmp(g->task->samples.list[c->sample_index].hash, c->sample_hash))
        return err_system(e, "a job of sample %s[%d] is not of this plan",
                          g->task ? g->task->task->name : "?", c->sample_index);
    g->sample = &g->task->samples.list[c->sample_index];
    for (int i = 0; i < c->n; i++)
        for (int k = 0; k < p->x->n_settings; k++)
            if (p->setting_ids[k] == c->jobs[i].setting) {
                g->chains[i] = &p->x->settings[k].chain;
                g->names[i] = p->x->settings[k].name;
                g->weights = &p->x->settings[k].weights;
            }
    return 0;
}

static int make_prompt(struct group *g, struct err *e)
{
    const struct protocol *protocol = &g->variant->variant->protocol;
    const struct model *m = g->variant->model;
    struct buf filled;
    buf_init(&filled);
    int rc = task_prompt_fill(&g->task->prompt, g->sample, &filled, e);
    if (!rc)
        rc = protocol_prompt(protocol, g->variant->spec, g->task->task->task,
                             model_get_tokenizer(m), text_buf(&filled), &g->prompt, e);
    buf_release(&filled);
    if (!rc)
        rc = protocol_stop_rules(protocol, g->task->task->task, m, g->task->prompt.max_new_tokens,
                                 &g->rules, e);
    if (rc)
        return rc;
    int most = model_get_config(m)->max_positions;
    if (g->prompt.ids.n >= (size_t)most)
        return err_item(e, "prompt has %zu tokens, the model has %d positions", g->prompt.ids.n,
                        most);
    return 0;
}

/* The caches of all settings, one layer's rows and a copy for each thread, and activations. */
static size_t need_of(const struct group *g, struct model *m, int n)
{
    const struct kv_shape *s = model_shape(m);
    const struct kv_engine *engine = model_engine(m);
    size_t row = (size_t)s->n_kv_heads * (size_t)s->head_dim * 2 * sizeof(float), sum = 0;
    for (int i = 0; i < g->claim->n; i++)
        sum += kv_cache_bytes(g->chains[i], s, engine, n + g->rules.max_new);
    sum += (size_t)n * row * (size_t)(1 + pool_threads(engine->pool));
    return sum + (size_t)n * (size_t)model_get_config(m)->hidden * sizeof(float);
}

static int prefill(struct work *w, struct group *g, struct err *e)
{
    struct model *m = g->variant->model;
    int n = (int)g->prompt.ids.n;
    if (model_use_weights(m, g->weights, e))
        return -1;
    size_t need = need_of(g, m, n);
    if (need > mem_available())
        return err_item(e, "prompt of %d tokens needs %.1f GiB for its caches, %.1f GiB are free",
                        n, (double)need / 0x1p30, (double)mem_available() / 0x1p30);
    double start = clock_seconds();
    for (int i = 0; i < g->claim->n; i++)
        g->caches[i] =
            kv_cache_new(g->chains[i], model_shape(m), model_engine(m), n + g->rules.max_new);
    struct kv_prefill *p =
        kv_prefill_new(model_engine(m), model_shape(m), g->caches, g->claim->n, n);
    model_prefill(m, g->prompt.ids.v, n, p, w->first);
    kv_prefill_free(p);
    g->prefill_seconds = clock_seconds() - start;
    return 0;
}

static const char *stop_name(const struct model *m, const struct decoded *d)
{
    const struct model_config *c = model_get_config(m);
    if (strcmp(d->stop, "eos"))
        return d->stop;
    for (int i = 0; i < c->n_eos; i++)
        if (c->eos[i] == d->ids.v[d->ids.n - 1])
            return "eos";
    return "newline";
}

static void fill_result(struct store_result *r, const struct group *g, const struct decoded *d,
                        const char *ids)
{
    r->prompt_tokens = (int)g->prompt.ids.n;
    r->prompt_tokens_before_cut = g->prompt.tokens_before_cut;
    r->new_tokens = (int)d->ids.n;
    r->stop = stop_name(g->variant->model, d);
    r->new_ids = ids;
    r->prefill_seconds = g->prefill_seconds;
    r->decode_seconds = d->seconds;
}

/* Bits of the model's weights: all that hold it, and those that the item's steps read. */
struct weight_bits {
    uint64_t held, read;
};

static void put_ledger(struct store_result *r, const struct kv_cache *cache,
                       struct weight_bits weights, struct store_ledger out[LEDGER_ROWS_MAX])
{
    struct kv_ledger l;
    kv_cache_ledger(cache, &l);
    r->kv_bytes = (int64_t)((kv_ledger_sum(l.held) + 7) / 8);
    r->kv_full_bytes = (int64_t)(l.full / 8);
    r->kv_basis = "held";
    r->kv_read_bytes = (int64_t)((kv_ledger_sum(l.read) + 7) / 8);
    r->kv_read_full_bytes = (int64_t)(l.read_full / 8);
    r->ledger = out;
    r->n_ledger = ledger_rows(&l, weights.held / 8, weights.read / 8, out);
}

static int score_and_store(struct work *w, const struct group *g, int i, struct store_result *r,
                           struct err *e)
{
    const struct metric *m = g->task->metric;
    const struct sample *s = g->sample;
    struct store_score score = {m ? m->name : NULL, m ? m->version : 0, 0};
    struct err why;
    if (m && metric_item(m, r->prediction, g->task->task->task->first_line, s->answers,
                         s->n_answers, s->classes, s->n_classes, &score.value, &why)) {
        log_warn("%s[%d]: no score: %s", g->task->task->name, g->claim->sample_index, why.msg);
        m = NULL;
    }
    return finish(w, g, i, r, m ? &score : NULL, e);
}

static int run_setting(struct work *w, struct group *g, int i, struct err *e)
{
    struct model *m = g->variant->model;
    struct store_result r = STORE_RESULT;
    struct store_ledger ledger[LEDGER_ROWS_MAX];
    struct decoded d;
    struct buf text, ids;
    buf_init(&text);
    buf_init(&ids);
    decoded_init(&d);
    decode_greedy(m, g->caches[i], w->first, &g->rules, w->logits, &d);
    for (size_t t = 0; t < d.ids.n; t++)
        buf_printf(&ids, "%s%d", t ? " " : "", (int)d.ids.v[t]);
    fill_result(&r, g, &d, ids.s);
    put_ledger(&r, g->caches[i], (struct weight_bits){model_weight_bits(m), d.weight_bits}, ledger);
    struct err why;
    int rc;
    if (tokenizer_decode(model_get_tokenizer(m), d.ids.v, d.ids.n, &text, &why)) {
        r.error = why.msg;
        rc = finish(w, g, i, &r, NULL, e);
    } else {
        r.prediction = text_buf(&text);
        rc = score_and_store(w, g, i, &r, e);
    }
    decoded_release(&d);
    buf_release(&text);
    buf_release(&ids);
    return rc;
}

static int run_settings(struct work *w, struct group *g, struct err *e)
{
    for (int i = 0; i < g->claim->n && !stop_asked; i++) {
        tell(w, g, g->names[i]);
        if (run_setting(w, g, i, e))
            return -1;
        kv_cache_free(g->caches[i]);
        g->caches[i] = NULL;
    }
    return 0;
}

static int run_group(struct work *w, const struct store_claim *claim, struct err *e)
{
    struct group g = {.claim = claim};
    struct err why;
    tokens_init(&g.prompt.ids);
    int rc = find_in_plan(w, &g, e);
    if (!rc) {
        tell(w, &g, "prefill");
        if (make_prompt(&g, &why) || prefill(w, &g, &why))
            rc = fail_group(w, &g, &why, e);
        else
            rc = run_settings(w, &g, e);
    }
    for (int i = 0; i < claim->n; i++)
        kv_cache_free(g.caches[i]);
    tokens_release(&g.prompt.ids);
    return rc;
}

static int run_groups(struct work *w, struct err *e)
{
    while (!stop_asked) {
        struct store_claim c;
        if (store_claim(w->store, w->plan->experiment, &c, e))
            return -1;
        int n = c.n, rc = n ? run_group(w, &c, e) : 0;
        store_claim_free(&c);
        if (rc || n == 0)
            return rc;
    }
    return 0;
}

static size_t largest_vocab(const struct plan *p)
{
    int most = 0;
    for (int i = 0; i < p->x->n_variants; i++) {
        int vocab = model_get_config(p->variants[i].model)->vocab;
        most = vocab > most ? vocab : most;
    }
    return (size_t)most;
}

int work_run(struct plan *p, struct store *s, struct work_result *out, struct err *e)
{
    size_t vocab = largest_vocab(p);
    struct work w = {.plan = p, .store = s, .result = out};
    struct store_counts c;
    struct err ignored;
    *out = (struct work_result){0};
    if (store_reclaim(s, false, NULL, e) || store_count(s, p->experiment, &c, e))
        return -1;
    w.before = (double)(c.done + c.failed);
    w.first = xmalloc(vocab * sizeof *w.first);
    w.logits = xmalloc(vocab * sizeof *w.logits);
    progress_start(&w.progress, "items", (double)(c.ready + c.running) + w.before, w.before);
    stop_asked = 0;
    catch_signals(true);
    int rc = run_groups(&w, e);
    catch_signals(false);
    progress_end(&w.progress);
    out->interrupted = stop_asked;
    if (rc)
        store_unclaim(s, NULL, &ignored); // the first error is the one to tell
    else
        rc = store_unclaim(s, NULL, e);
    free(w.first);
    free(w.logits);
    return rc;
}
