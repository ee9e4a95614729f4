/* Sums over the groups that are left. */
#include "runner/forecast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/model/weights.h"
#include "runner/group.h"

/* ---- tokens ---- */

static double expected_new(const struct forecast *f, int variant, int task)
{
    const struct forecast_answer *a = &f->answers[variant][task];
    double most = lengths_answer(&f->lengths, variant, task);
    return a->items && a->tokens < most ? a->tokens : most;
}

static struct estimate_replay replay_of(const struct forecast *f, const struct left_group *g, int n)
{
    const struct kv_chain *chains[SETTINGS_MAX];
    for (int i = 0; i < g->n; i++)
        chains[i] = &f->plan->x->settings[g->settings[i]].chain;
    return estimate_replay(f->plan->variants[g->variant].model, chains, g->n, n);
}

static void add_tokens(void *arg, const struct left_group *g)
{
    struct forecast *f = arg;
    struct forecast_tokens *t = &f->tokens;
    int tail = lengths_tail(&f->lengths, g->variant, g->task, g->sample);
    double n = lengths_prompt(&f->lengths, g->variant, g->task, g->sample) - tail;
    t->items += g->n;
    t->prompts++;
    t->prefill += n;
    t->prefill_single += n * g->n;
    t->replay += replay_of(f, g, (int)n).tokens;
    t->decode += g->n * (tail + expected_new(f, g->variant, g->task));
    t->decode_most += (double)g->n * (tail + lengths_answer(&f->lengths, g->variant, g->task));
}

static void count_tokens(struct forecast *f)
{
    f->tokens = (struct forecast_tokens){0};
    plan_left_groups(&f->left, add_tokens, f);
    for (int v = 0; v < f->plan->x->n_variants; v++)
        for (int t = 0; t < f->plan->x->n_tasks; t++)
            f->tokens.answers += f->answers[v][t].items;
}

/* ---- memory ---- */

struct memory_sum {
    struct forecast *f;
    int threads;
    int tokens, room, settings; // of what has been looked at, for the class at hand
    int variant, class;
};

/* Bytes grow with each of the three: most groups need no second look. */
static bool is_covered(struct memory_sum *s, const struct left_group *g, int tokens, int room)
{
    if (s->variant == g->variant && s->class == g->class && tokens <= s->tokens &&
        room <= s->room && g->n <= s->settings)
        return true;
    s->variant = g->variant;
    s->class = g->class;
    s->tokens = tokens;
    s->room = room;
    s->settings = g->n;
    return false;
}

static void add_memory(void *arg, const struct left_group *g)
{
    struct memory_sum *s = arg;
    const struct forecast *f = s->f;
    const struct model *m = f->plan->variants[g->variant].model;
    int n = lengths_prompt(&f->lengths, g->variant, g->task, g->sample);
    int answer = lengths_answer(&f->lengths, g->variant, g->task), room = n + answer;
    const struct protocol *p = &f->plan->variants[g->variant].variant->protocol;
    size_t caches = 0, largest = 0, replay = 0;
    if (is_covered(s, g, n, room))
        return;
    for (int i = 0; i < g->n && i < MODEL_BATCH_MAX; i++) {
        const struct exp_setting *setting = &f->plan->x->settings[g->settings[i]];
        size_t one = group_cache_need(m, setting, room, p->layers);
        size_t fed = reading_replay_bytes(m, &setting->chain, n);
        caches += one;
        largest = one + fed > largest ? one + fed : largest;
        replay = fed > replay ? fed : replay;
    }
    size_t teacher = teacher_need(m, p->judge, p->layers, n, answer);
    caches = group_need(m, s->threads, (size_t)n, caches + replay + teacher);
    largest = group_need(m, s->threads, (size_t)n, largest + teacher);
    s->f->memory.group = caches > s->f->memory.group ? caches : s->f->memory.group;
    s->f->memory.single = largest > s->f->memory.single ? largest : s->f->memory.single;
}

static size_t packed_bytes(const struct model *m, const struct quant_format *f)
{
    const struct weights *w = model_get_weights(m);
    size_t sum = 0;
    for (int i = 0; i < w->n_layers; i++) {
        const struct layer_weights *y = &w->layers[i];
        const struct matrix *all[] = {&y->q, &y->k, &y->v, &y->o, &y->gate, &y->up, &y->down};
        for (size_t k = 0; k < sizeof all / sizeof *all; k++)
            sum += quant_bytes(f, all[k]->rows, all[k]->cols);
    }
    return sum;
}

static bool model_seen(const struct plan *p, int variant)
{
    for (int i = 0; i < variant; i++)
        if (p->variants[i].model == p->variants[variant].model)
            return true;
    return false;
}

static bool format_seen(const struct plan *p, int setting)
{
    for (int i = 0; i < setting; i++)
        if (quant_format_equal(&p->x->settings[i].weights, &p->x->settings[setting].weights))
            return true;
    return false;
}

/* Returns the largest model's, as stored. */
static size_t add_weights(struct forecast *f)
{
    const struct plan *p = f->plan;
    size_t largest = 0;
    for (int v = 0; v < p->x->n_variants; v++) {
        const struct model *m = p->variants[v].model;
        const struct weights *w = model_get_weights(m);
        size_t bytes = (size_t)(weights_bits(w, w->layers) / 8);
        largest = bytes > largest ? bytes : largest;
        if (model_seen(p, v))
            continue;
        f->memory.weights += bytes;
        for (int k = 0; k < p->x->n_settings; k++)
            if (quant_format_on(&p->x->settings[k].weights) && !format_seen(p, k))
                f->memory.packed += packed_bytes(m, &p->x->settings[k].weights);
    }
    return largest;
}

/* Workers by what their groups need with the threads that they would have. */
static void size_crew(struct forecast *f, const struct crew_size *asked)
{
    struct crew_work work = {.groups = f->tokens.prompts};
    struct memory_sum s = {.f = f, .variant = -1};
    f->size = *asked;
    f->memory = (struct forecast_memory){0};
    work.weights = add_weights(f);
    crew_size_choose(&f->size, &work);
    s.threads = crew_size_threads_each(&f->size);
    plan_left_groups(&f->left, add_memory, &s);
    work.group_bytes = f->memory.group;
    f->size.workers = asked->workers;
    crew_size_choose(&f->size, &work);
    size_t share = f->size.memory / (size_t)f->size.workers;
    f->memory.cut = f->memory.group > share;
    f->memory.fails = f->memory.single > share;
}

/* ---- time ---- */

struct wants {
    struct forecast *f;
    struct rate_want *list;
    int *places; // [n_variants][n_settings]: place in list + 1 of a class, by its first setting
    int n;
};

/* The settings of a class stand side by side in by_class. */
static void add_want(struct wants *w, const struct left_group *g)
{
    const struct plan_left *l = &w->f->left;
    struct rate_want want = {.variant = g->variant, .class = g->class};
    int i = 0, n_settings = l->plan->x->n_settings;
    while (l->class_of[l->by_class[i]] != g->class)
        i++;
    want.settings = &l->by_class[i];
    while (i + want.n < n_settings && l->class_of[l->by_class[i + want.n]] == g->class)
        want.n++;
    w->list = xrealloc(w->list, mem_size((size_t)w->n + 1, sizeof *w->list));
    w->list[w->n++] = want;
}

static void want_rate(void *arg, const struct left_group *g)
{
    struct wants *w = arg;
    const struct forecast *f = w->f;
    int *place = &w->places[g->variant * f->plan->x->n_settings + g->class];
    if (rates_at(&f->rates, g->variant, g->class)->source != RATE_NONE)
        return;
    if (!*place) {
        add_want(w, g);
        *place = w->n;
    }
    struct rate_want *want = &w->list[*place - 1];
    int n = lengths_prompt(&f->lengths, g->variant, g->task, g->sample);
    want->tokens = n > want->tokens ? n : want->tokens;
    want->batch += g->n;
}

/* Sequences that a worker's memory has room for. */
static void limit_batch(const struct forecast *f, struct rate_want *want)
{
    const struct plan_variant *v = &f->plan->variants[want->variant];
    size_t cache = group_cache_need(v->model, &f->plan->x->settings[want->settings[0]],
                                    want->tokens, v->variant->protocol.layers);
    size_t room = f->size.memory / (size_t)f->size.workers / (cache + 1);
    if ((size_t)want->batch > room)
        want->batch = (int)room;
}

static void measure_rates(struct forecast *f)
{
    struct wants w = {.f = f};
    w.places =
        xcalloc((size_t)f->plan->x->n_variants * (size_t)f->plan->x->n_settings, sizeof *w.places);
    plan_left_groups(&f->left, want_rate, &w);
    for (int i = 0; i < w.n; i++)
        limit_batch(f, &w.list[i]);
    rates_measure(&f->rates, f->plan, w.list, w.n, f->size.workers,
                  crew_size_threads_each(&f->size));
    free(w.list);
    free(w.places);
}

static void add_seconds(void *arg, const struct left_group *g)
{
    struct forecast *f = arg;
    const struct rate *r = rates_at(&f->rates, g->variant, g->class);
    int tail = lengths_tail(&f->lengths, g->variant, g->task, g->sample);
    int n = lengths_prompt(&f->lengths, g->variant, g->task, g->sample) - tail;
    double overlap =
        r->source == RATE_STORED && !isnan(f->rates.overlap) ? f->rates.overlap : f->size.workers;
    if (r->source == RATE_NONE)
        f->seconds = NAN;
    struct estimate_replay fed = replay_of(f, g, n);
    f->seconds += (rate_prefill(r, n, g->n) + rate_replay(r, &fed) +
                   g->n * rate_decode(r, n, tail + expected_new(f, g->variant, g->task))) /
                  overlap;
}

/* ---- the whole ---- */

/* As reports find their reference. */
static bool is_full(const struct exp_setting *s)
{
    return !strcmp(s->chain.links[0].method->name, "full") && !quant_format_on(&s->weights);
}

static void find_difference(struct forecast *f)
{
    const struct experiment *x = f->plan->x;
    int k = 0;
    while (k < x->n_settings && !is_full(&x->settings[k]))
        k++;
    f->baseline = x->settings[k < x->n_settings ? k : 0].name;
    for (int t = 0; t < x->n_tasks; t++)
        f->pairs[t].items = (int64_t)f->plan->tasks[t].samples.n;
    difference_find(f->pairs, x->n_tasks, &f->difference);
}

void forecast_make(struct forecast *f, const struct crew_size *asked, bool measure)
{
    count_tokens(f);
    size_crew(f, asked);
    if (measure)
        measure_rates(f);
    rates_share(&f->rates, f->plan);
    f->seconds = 0;
    plan_left_groups(&f->left, add_seconds, f);
    find_difference(f);
}

void forecast_close(struct forecast *f)
{
    plan_left_close(&f->left);
    rates_close(&f->rates);
}
