#include "runner/group.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"
#include "harness/model/reading.h"

/* ---- what it is of ---- */

static int find_task(struct group *g, const struct plan *p, struct err *e)
{
    const struct store_claim *c = &g->claim;
    g->variant = plan_find_variant(p, c->model, c->protocol);
    for (int t = 0; t < p->x->n_tasks && g->variant && !g->task; t++)
        if (g->variant->task_ids[t] == c->task)
            g->task = &p->tasks[t];
    if (!g->variant || !g->task || (size_t)c->sample_index >= g->task->samples.n ||
        strcmp(g->task->samples.list[c->sample_index].hash, c->sample_hash))
        return err_system(e, "a job of sample %s[%d] is not of this plan",
                          g->task ? g->task->task->name : "?", c->sample_index);
    g->sample = &g->task->samples.list[c->sample_index];
    g->model = g->variant->model;
    return 0;
}

static int find_settings(struct group *g, const struct plan *p, struct err *e)
{
    for (int i = 0; i < g->claim.n; i++) {
        for (int k = 0; k < p->x->n_settings; k++)
            if (p->setting_ids[k] == g->claim.jobs[i].setting)
                g->settings[i] = &p->x->settings[k];
        if (!g->settings[i])
            return err_system(e, "job %lld has a setting that is not of this plan",
                              (long long)g->claim.jobs[i].job);
    }
    g->weights = &g->settings[0]->weights;
    return 0;
}

int group_open(struct group **out, const struct plan *p, struct store_claim *claim, struct err *e)
{
    struct group *g = xcalloc(1, sizeof *g);
    g->claim = *claim;
    *claim = (struct store_claim){0};
    g->settings = xcalloc((size_t)g->claim.n, sizeof *g->settings);
    tokens_init(&g->prompt.ids);
    if (find_task(g, p, e) || find_settings(g, p, e)) {
        group_free(g);
        return -1;
    }
    *out = g;
    return 0;
}

void group_free(struct group *g)
{
    if (!g)
        return;
    for (int i = 0; g->sequences && i < g->claim.n; i++) {
        kv_cache_free(g->sequences[i].cache);
        decoded_release(&g->sequences[i].out);
    }
    for (int i = 0; g->layers && i < g->claim.n; i++)
        layer_sums_free(g->layers[i]);
    free(g->layers);
    free(g->sequences);
    free(g->replayed);
    free(g->refused);
    free(g->settings);
    tokens_release(&g->prompt.ids);
    teacher_release(&g->teacher);
    store_claim_free(&g->claim);
    free(g);
}

/* ---- its prompt ---- */

/* What is read in place of an answer of the model's own. */
static int find_teacher(struct group *g, struct text filled, struct err *e)
{
    int judge = g->variant->variant->protocol.judge;
    if (judge == JUDGE_TASK)
        return 0;
    struct text answer = g->sample->n_answers ? g->sample->answers[0] : text_of("");
    struct taught_prompt prompt = {.ends_line = !g->prompt.wrapped && filled.n &&
                                                filled.s[filled.n - 1] == '\n',
                                   .full = (size_t)g->prompt.read == g->prompt.ids.n};
    if (teacher_open(&g->teacher, judge, g->model, answer, g->rules.max_new, prompt, e))
        return -1;
    g->teacher.layers = g->variant->variant->protocol.layers;
    g->rules.max_new = (int)g->teacher.ids.n;
    return 0;
}

int group_prompt(struct group *g, struct err *e)
{
    const struct protocol *protocol = &g->variant->variant->protocol;
    const struct task *task = g->task->task->task;
    struct buf filled;
    buf_init(&filled);
    int rc = task_prompt_fill(&g->task->prompt, g->sample, &filled, e);
    if (!rc)
        rc = protocol_prompt(protocol, g->variant->spec, task, model_get_tokenizer(g->model),
                             text_buf(&filled), task_prompt_tail(&g->task->prompt, g->sample),
                             &g->prompt, e);
    if (!rc)
        rc = protocol_stop_rules(protocol, task, g->model, g->task->prompt.max_new_tokens,
                                 &g->rules, e);
    if (!rc)
        rc = find_teacher(g, text_buf(&filled), e);
    buf_release(&filled);
    int most = model_get_config(g->model)->max_positions;
    if (!rc && g->prompt.ids.n >= (size_t)most)
        rc =
            err_item(e, "prompt has %zu tokens, the model has %d positions", g->prompt.ids.n, most);
    if (!rc && g->prompt.ids.n + g->teacher.ids.n > (size_t)most)
        rc = err_item(e, "prompt and answer have %zu tokens, the model has %d positions",
                      g->prompt.ids.n + g->teacher.ids.n, most);
    return rc;
}

static int room_of(const struct group *g)
{
    return (int)g->prompt.ids.n + g->rules.max_new;
}

size_t group_cache_need(const struct model *m, const struct exp_setting *s, int room, bool layers)
{
    return kv_cache_bytes(&s->chain, model_shape(m), model_engine(m), room) +
           (layers ? layer_sums_bytes(model_shape(m), &s->chain, room) : 0);
}

/* One layer's rows, a copy for each thread, and the activations. */
size_t group_need(const struct model *m, int threads, size_t prompt_tokens, size_t caches)
{
    const struct kv_shape *s = model_shape(m);
    size_t row = (size_t)s->n_kv_heads * (size_t)s->head_dim * 2 * sizeof(float);
    return caches + prompt_tokens * row * (size_t)(1 + threads) +
           prompt_tokens * (size_t)model_get_config(m)->hidden * sizeof(float);
}

size_t group_cache_bytes(const struct group *g, int setting)
{
    return group_cache_need(g->model, g->settings[setting], room_of(g), g->teacher.layers);
}

size_t group_kept_bytes(const struct group *g)
{
    return teacher_kept_bytes(&g->teacher, g->model, (int)g->prompt.ids.n);
}

/* Replays follow each other: the largest. */
static size_t replay_bytes(const struct group *g, int n)
{
    size_t most = 0;
    for (int i = 0; i < n; i++) {
        size_t one = reading_replay_bytes(g->model, &g->settings[i]->chain, g->prompt.read);
        most = one > most ? one : most;
    }
    return most;
}

size_t group_bytes(const struct group *g, int n)
{
    size_t caches = replay_bytes(g, n) + teacher_bytes(&g->teacher, g->model, (int)g->prompt.ids.n);
    for (int i = 0; i < n; i++)
        caches += group_cache_bytes(g, i);
    return group_need(g->model, pool_threads(model_engine(g->model)->pool), g->prompt.ids.n,
                      caches);
}

static struct reading reading_of(const struct group *g, struct group_share share)
{
    int chat = g->prompt.wrapped ? g->variant->spec->chat : CHAT_NONE;
    return (struct reading){.ids = g->prompt.ids.v,
                            .n = g->prompt.read,
                            .end = model_chat_end(chat),
                            .prefix = share.prefix,
                            .have = share.have,
                            .keep = share.keep};
}

/* A setting that cannot be replayed has ended before it began. */
static void open_sequences(struct group *g, const struct reading *r)
{
    g->sequences = xcalloc((size_t)g->claim.n, sizeof *g->sequences);
    g->replayed = xcalloc((size_t)g->claim.n, sizeof *g->replayed);
    g->refused = xcalloc((size_t)g->claim.n, sizeof *g->refused);
    g->layers = xcalloc((size_t)g->claim.n, sizeof *g->layers);
    for (int i = 0; i < g->claim.n; i++) {
        const struct kv_chain *chain = &g->settings[i]->chain;
        struct sequence *s = &g->sequences[i];
        *s = (struct sequence){.rules = &g->rules,
                               .teacher = g->teacher.ids.n ? &g->teacher : NULL,
                               .tail = g->prompt.ids.v + g->prompt.read,
                               .n_tail = (int)g->prompt.ids.n - g->prompt.read};
        s->cache = kv_cache_new(chain, model_shape(g->model), model_engine(g->model), room_of(g));
        decoded_init(&s->out);
        if (g->teacher.full)
            g->layers[i] = layer_sums_new(g->teacher.full, s->cache);
        if (reading_check(g->model, r, chain, &g->refused[i]))
            s->out.stop = "refused";
    }
}

/* Those that go on take the prompt; which they are into place[], returns how many. */
static int read_sequences(struct group *g, const struct reading *r, int *place, float *logits)
{
    struct kv_cache **caches = xcalloc((size_t)g->claim.n, sizeof *caches);
    struct reading_replay *replayed = xcalloc((size_t)g->claim.n, sizeof *replayed);
    int n = 0;
    for (int i = 0; i < g->claim.n; i++)
        if (!g->sequences[i].out.stop) {
            caches[n] = g->sequences[i].cache;
            place[n++] = i;
        }
    g->replay_seconds = n ? reading_run(g->model, r, caches, n, logits, replayed) : 0;
    for (int i = 0; i < n; i++)
        g->replayed[place[i]] = replayed[i];
    free(caches);
    free(replayed);
    return n;
}

int group_prefill(struct group *g, struct group_share share, struct err *e)
{
    struct model *m = g->model;
    struct reading r = reading_of(g, share);
    if (model_use_weights(m, g->weights, e))
        return -1;
    teacher_read(&g->teacher, m, g->prompt.ids.v, g->prompt.read, (int)g->prompt.ids.n);
    double start = clock_seconds();
    int *place = xcalloc((size_t)g->claim.n, sizeof *place);
    float *logits = xmalloc((size_t)model_get_config(m)->vocab * sizeof *logits);
    open_sequences(g, &r);
    int n = read_sequences(g, &r, place, logits);
    g->prefill_seconds = clock_seconds() - start - g->replay_seconds;
    g->shared_tokens = share.have;
    for (int i = 0; i < n; i++)
        decode_begin(&g->sequences[place[i]], m, logits);
    g->going = g->claim.n;
    free(logits);
    free(place);
    return 0;
}

/* ---- what came of it ---- */

void group_name(const struct group *g, struct buf *out)
{
    buf_printf(out, "%s[%d]", g->task->task->name, g->claim.sample_index);
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

static void put_prompt(struct letter *l, const struct group *g)
{
    if (!g->prompt.ids.n)
        return;
    l->result.prompt_tokens = (int)g->prompt.ids.n;
    l->result.prompt_tokens_before_cut = g->prompt.tokens_before_cut;
}

static void put_decoded(struct letter *l, const struct group *g, int i)
{
    struct store_result *r = &l->result;
    const struct decoded *d = &g->sequences[i].out;
    const struct reading_replay *replay = &g->replayed[i];
    for (size_t t = 0; t < d->ids.n; t++)
        buf_printf(&l->ids, "%s%d", t ? " " : "", (int)d->ids.v[t]);
    r->new_tokens = (int)d->ids.n;
    r->stop = stop_name(g->model, d);
    r->new_ids = l->ids.s;
    r->prefill_seconds = g->prefill_seconds + d->tail_seconds;
    r->tail_tokens = (int)g->prompt.ids.n - g->prompt.read;
    r->shared_tokens = g->shared_tokens;
    r->replay_tokens = replay->tokens;
    r->replay_seconds = replay->seconds;
    r->decode_seconds = d->seconds;
    if (d->steps)
        r->decode_batch = (double)d->company / d->steps;
}

static void put_ledger(struct letter *l, const struct group *g, const struct sequence *s)
{
    struct kv_ledger all;
    struct store_result *r = &l->result;
    kv_cache_ledger(s->cache, &all);
    r->kv_bytes = (int64_t)((kv_ledger_sum(all.held) + 7) / 8);
    r->kv_full_bytes = (int64_t)(all.full / 8);
    r->kv_basis = "held";
    r->kv_read_bytes = (int64_t)((kv_ledger_sum(all.read) + 7) / 8);
    r->kv_read_full_bytes = (int64_t)(all.read_full / 8);
    r->ledger = l->ledger;
    r->n_ledger =
        ledger_rows(&all, model_weight_bits(g->model) / 8, s->out.weight_bits / 8, l->ledger);
}

static void put_layers(struct letter *l, const struct group *g, int i)
{
    if (!g->layers[i])
        return;
    l->result.n_layers = model_shape(g->model)->n_layers;
    l->layers = xcalloc((size_t)l->result.n_layers, sizeof *l->layers);
    layer_sums_put(g->layers[i], g->sequences[i].cache, l->layers);
    l->result.layers = l->layers;
}

static void put_score(struct letter *l, const struct group *g, struct buf *warning)
{
    const struct metric *m = g->task->metric;
    const struct sample *s = g->sample;
    struct err why;
    if (g->teacher.ids.n || !m)
        return;
    l->score = (struct store_score){m->name, m->version, 0};
    l->scored = !metric_item(m, l->result.prediction, g->task->task->task->first_line, s->answers,
                             s->n_answers, s->classes, s->n_classes, &l->score.value, &why);
    if (l->scored)
        return;
    group_name(g, warning);
    buf_printf(warning, ": no score: %s", why.msg);
}

static void put_taught(struct letter *l, const struct group *g, const struct decoded *d,
                       struct buf *warning)
{
    const struct judge_row *j = &judge_table[g->teacher.judge];
    int n = (int)g->teacher.ids.n - g->teacher.first;
    if (!g->teacher.ids.n)
        return;
    l->score = (struct store_score){j->name, j->version, d->taught / n};
    l->scored = isfinite(d->taught);
    if (l->scored)
        return;
    group_name(g, warning);
    buf_printf(warning, ": no score: %s is not a number", j->name);
}

static void close_sequence(struct group *g, int i)
{
    kv_cache_free(g->sequences[i].cache);
    g->sequences[i].cache = NULL;
    layer_sums_free(g->layers[i]);
    g->layers[i] = NULL;
    decoded_release(&g->sequences[i].out);
    g->going--;
}

/* It never began. */
static struct letter *refuse(struct group *g, int i, struct buf *warning)
{
    struct letter *l = group_fail(g, i, &g->refused[i]);
    buf_str(warning, l->result.error);
    close_sequence(g, i);
    return l;
}

struct letter *group_finish(struct group *g, int i, struct buf *warning)
{
    if (g->refused[i].msg[0])
        return refuse(g, i, warning);
    struct letter *l = letter_new(g->claim.jobs[i].job, g->variant->build_id);
    struct sequence *s = &g->sequences[i];
    const struct tokens *said = s->teacher ? &s->out.said : &s->out.ids;
    struct err why;
    put_prompt(l, g);
    put_decoded(l, g, i);
    put_ledger(l, g, s);
    put_layers(l, g, i);
    if (tokenizer_decode(model_get_tokenizer(g->model), said->v, said->n, &l->text, &why)) {
        buf_reset(&l->text);
        buf_str(&l->text, why.msg);
        l->result.error = l->text.s;
    } else {
        l->result.prediction = text_buf(&l->text);
        put_score(l, g, warning);
        put_taught(l, g, &s->out, warning);
    }
    close_sequence(g, i);
    return l;
}

struct letter *group_fail(struct group *g, int i, const struct err *why)
{
    struct letter *l = letter_new(g->claim.jobs[i].job, g->variant->build_id);
    put_prompt(l, g);
    group_name(g, &l->text);
    buf_printf(&l->text, ": %s", why->msg);
    l->result.error = l->text.s;
    return l;
}
