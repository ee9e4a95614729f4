#include "runner/worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"
#include "runner/estimate.h"
#include "runner/shared_head.h"

/* A step of so many sequences uses the machine well: below, another group is welcome. */
enum { BATCH_WANTED = 24 };
static const double news_every = 0.2, stop_within = 10; // seconds

static volatile sig_atomic_t stop_asked;

void worker_ask_stop(void)
{
    stop_asked = 1;
}

struct worker {
    const struct worker_options *o;
    struct store *store;
    struct outbox outbox;
    struct group **groups;   // at work
    int n_groups, going;     // and the sequences of all of them that go on
    struct group *waiting;   // claimed, with its prompt, until there is room
    struct shared_head head; // of the prompt read last
    bool alone;              // what is at work crashed a process before
    size_t used;             // bytes of caches
    float *logits;           // [MODEL_BATCH_MAX][vocab]
    const struct model *logits_of;
    struct news news;
    double told, stopped; // clock
};

/* ---- news ---- */

static int variant_of(const struct worker *w, const struct group *g)
{
    return (int)(g->variant - w->o->plan->variants);
}

static void tell(struct worker *w, bool now)
{
    double t = clock_seconds();
    if (!now && t - w->told < news_every)
        return;
    w->told = t;
    news_send(w->o->news, &w->news);
    struct news next = {.kind = NEWS_WORK, .worker = w->o->place, .variant = w->news.variant};
    memcpy(next.text, w->news.text, sizeof next.text);
    w->news = next;
}

/* News are of one variant. */
static void turn_to(struct worker *w, int variant)
{
    if (variant != w->news.variant)
        tell(w, true);
    w->news.variant = variant;
}

static void tell_text(struct worker *w, enum news_kind kind, const struct err *why)
{
    struct news n = {.kind = kind, .worker = w->o->place, .class = why->class};
    snprintf(n.text, sizeof n.text, "%.511s", why->msg);
    news_send(w->o->news, &n);
}

static void tell_group(struct worker *w, const struct group *g, const char *what)
{
    struct buf b;
    buf_init(&b);
    group_name(g, &b);
    turn_to(w, variant_of(w, g));
    snprintf(w->news.text, sizeof w->news.text, "%.60s%s", b.s, what);
    buf_release(&b);
    tell(w, true);
}

/* ---- results ---- */

static void send_result(struct worker *w, const struct group *g, struct letter *l)
{
    l->variant = variant_of(w, g);
    outbox_send(&w->outbox, l);
}

/* Counted when they are stored: what a killed worker had not stored is done again. */
static void count_stored(void *arg, const struct letter *l)
{
    struct worker *w = arg;
    turn_to(w, l->variant);
    if (l->result.error)
        w->news.failed++;
    else
        w->news.done++;
}

static int flush(struct worker *w, bool due, struct err *e)
{
    return outbox_flush(&w->outbox, due, count_stored, w, e);
}

/* Of an answer that is as long as it may be: the tokens of the prompt that were not read at once
 * are steps, too. */
static int most_steps(const struct group *g)
{
    return (int)g->prompt.ids.n - g->prompt.read + g->rules.max_new;
}

static double replay_cost(const struct group *g)
{
    const struct kv_chain **chains = xcalloc((size_t)g->claim.n, sizeof *chains);
    for (int i = 0; i < g->claim.n; i++)
        chains[i] = &g->settings[i]->chain;
    struct estimate_replay r = estimate_replay(g->model, chains, g->claim.n, g->prompt.read);
    free(chains);
    return estimate_replay_cost(g->model, &r);
}

static int fail_group(struct worker *w, struct group *g, const struct err *why, struct err *e)
{
    struct err shown = {why->class, ""};
    struct buf name;
    buf_init(&name);
    group_name(g, &name);
    snprintf(shown.msg, sizeof shown.msg, "%.100s: %.800s", name.s, why->msg);
    buf_release(&name);
    tell_text(w, NEWS_WARN, &shown);
    w->news.cost +=
        estimate_group(g->model, g->prompt.read, most_steps(g), g->claim.n) + replay_cost(g);
    for (int i = 0; i < g->claim.n; i++)
        send_result(w, g, group_fail(g, i, why));
    group_free(g);
    return flush(w, true, e);
}

static void finish_sequence(struct worker *w, struct group *g, int i)
{
    struct buf warning;
    buf_init(&warning);
    w->used -= group_cache_bytes(g, i);
    w->news.cost += estimate_decode(g->model, g->prompt.read, most_steps(g));
    send_result(w, g, group_finish(g, i, &warning));
    if (warning.n) {
        struct err e;
        err_item(&e, "%s", warning.s);
        tell_text(w, NEWS_WARN, &e);
    }
    buf_release(&warning);
    w->going--;
}

/* ---- groups join ---- */

static void want_logits(struct worker *w, const struct model *m)
{
    if (w->logits_of == m)
        return;
    free(w->logits);
    w->logits = mem_aligned(
        mem_size((size_t)model_get_config(m)->vocab, MODEL_BATCH_MAX * sizeof *w->logits));
    w->logits_of = m;
}

/* May the waiting group join what is at work? */
static bool fits_batch(const struct worker *w, const struct group *g)
{
    if (w->n_groups == 0)
        return true;
    const struct group *first = w->groups[0];
    return g->model == first->model && quant_format_equal(g->weights, first->weights) &&
           !w->alone && g->claim.crashes == 0 && w->going + g->claim.n <= MODEL_BATCH_MAX &&
           w->used + shared_head_bytes(&w->head) + group_bytes(g, g->claim.n) <= w->o->memory;
}

/* With nothing else at work: as many of its settings as memory takes; the others are given back and
 * are another group. ERR_ITEM: not one. */
static int cut_to_memory(struct worker *w, struct group *g, struct err *why, struct err *e)
{
    int n = g->claim.n < MODEL_BATCH_MAX ? g->claim.n : MODEL_BATCH_MAX;
    while (n > 1 && group_bytes(g, n) > w->o->memory)
        n--;
    size_t need = group_bytes(g, n);
    if (need > w->o->memory) {
        err_item(why, "prompt of %zu tokens needs %.1f MiB for its cache, %.1f MiB are allowed",
                 g->prompt.ids.n, (double)need / 0x1p20, (double)w->o->memory / 0x1p20);
        return 1;
    }
    return n < g->claim.n ? store_unclaim_from(w->store, &g->claim, n, e) : 0;
}

static void add_group(struct worker *w, struct group *g)
{
    w->groups = xrealloc(w->groups, mem_size((size_t)w->n_groups + 1, sizeof(struct group *)));
    w->groups[w->n_groups++] = g;
    w->alone = g->claim.crashes > 0;
    w->going += g->claim.n;
    for (int i = 0; i < g->claim.n; i++)
        w->used += group_cache_bytes(g, i);
    w->used += group_kept_bytes(g);
}

static int retire(struct worker *w, struct err *e);

static int begin_group(struct worker *w, struct store_claim *c, struct err *e);

/* Claims a group whose prompt begins as g's does, to be the next. */
static int look_ahead(struct worker *w, const struct group *g, struct err *e)
{
    struct store_claim c;
    if (!g->claim.head || stop_asked || g->claim.crashes)
        return 0;
    if (store_claim_like(w->store, w->o->plan->experiment, &g->claim, &c, e))
        return -1;
    return c.n ? begin_group(w, &c, e) : 0;
}

static int read_prompt(struct worker *w, struct group *g, struct err *why)
{
    size_t taken = w->used + group_bytes(g, g->claim.n);
    size_t room = w->o->memory > taken ? w->o->memory - taken : 0;
    struct group_share share = shared_head_before(&w->head, w->o->plan, g, w->waiting, room);
    tell_group(w, g, " prefill");
    if (group_prefill(g, share, why))
        return -1;
    shared_head_after(&w->head, g);
    w->news.prefill_tokens += (double)((int)g->prompt.ids.n - share.have);
    return 0;
}

/* The waiting group's prompt is read. */
static int join(struct worker *w, struct err *e)
{
    struct group *g = w->waiting;
    struct err why;
    w->waiting = NULL;
    if (!w->n_groups && shared_head_bytes(&w->head) + group_bytes(g, g->claim.n) > w->o->memory)
        shared_head_release(&w->head);
    int rc = w->n_groups ? 0 : cut_to_memory(w, g, &why, e);
    if (rc < 0 || look_ahead(w, g, e)) {
        group_free(g);
        return -1;
    }
    if (rc > 0 || read_prompt(w, g, &why))
        return fail_group(w, g, &why, e);
    want_logits(w, g->model);
    w->news.cost += estimate_prefill(g->model, g->prompt.read) + replay_cost(g);
    add_group(w, g);
    tell_group(w, g, "");
    return retire(w, e); // answers of one token
}

/* Makes the prompt of what was claimed: it waits, or has failed. */
static int begin_group(struct worker *w, struct store_claim *c, struct err *e)
{
    struct group *g;
    struct err why;
    if (group_open(&g, w->o->plan, c, e)) {
        store_claim_free(c);
        return -1;
    }
    if (group_prompt(g, &why))
        return fail_group(w, g, &why, e);
    w->waiting = g;
    return 0;
}

/* Claims the next group. 1: there was one; 0: nothing is ready. */
static int claim(struct worker *w, struct err *e)
{
    struct store_claim c;
    if (store_claim(w->store, w->o->plan->experiment, &c, e))
        return -1;
    if (!c.n)
        return 0;
    return begin_group(w, &c, e) ? -1 : 1;
}

/* Fills the batch. 0, or -1; *ready tells whether there may be more. */
static int fill(struct worker *w, bool *ready, struct err *e)
{
    *ready = true;
    while (!stop_asked && w->going < BATCH_WANTED) {
        int rc = w->waiting ? 1 : claim(w, e);
        if (rc < 0)
            return -1;
        *ready = rc > 0;
        if (!rc || (w->waiting && !fits_batch(w, w->waiting)))
            return 0;
        if (w->waiting && join(w, e))
            return -1;
    }
    return 0;
}

/* ---- steps ---- */

/* Sequences that have ended leave, and groups without any. */
static int retire(struct worker *w, struct err *e)
{
    for (int k = 0; k < w->n_groups; k++) {
        struct group *g = w->groups[k];
        for (int i = 0; i < g->claim.n; i++)
            if (g->sequences[i].cache && g->sequences[i].out.stop)
                finish_sequence(w, g, i);
        if (g->going)
            continue;
        w->used -= group_kept_bytes(g);
        group_free(g);
        w->groups[k--] = w->groups[--w->n_groups];
    }
    return flush(w, true, e);
}

static void step(struct worker *w)
{
    struct sequence *all[MODEL_BATCH_MAX];
    int n = 0;
    for (int k = 0; k < w->n_groups; k++)
        for (int i = 0; i < w->groups[k]->claim.n; i++)
            if (w->groups[k]->sequences[i].cache)
                all[n++] = &w->groups[k]->sequences[i];
    decode_step(w->groups[0]->model, all, n, w->logits);
    w->news.decode_tokens += n;
    tell(w, false);
}

/* Has the time passed that a worker takes after it was asked to stop? */
static bool must_stop(struct worker *w)
{
    if (!stop_asked)
        return false;
    double t = clock_seconds();
    if (w->stopped == 0)
        w->stopped = t;
    return t - w->stopped > stop_within;
}

static int work(struct worker *w, struct err *e)
{
    bool ready = true;
    while (!must_stop(w)) {
        if (fill(w, &ready, e))
            return -1;
        if (w->n_groups == 0 && (!ready || stop_asked))
            return 0;
        if (w->n_groups == 0)
            continue; // the last group failed
        step(w);
        if (retire(w, e))
            return -1;
    }
    return 0;
}

/* ---- beginning and end ---- */

static int open_worker(struct worker *w, struct err *e)
{
    if (store_open(w->o->db, STORE_READWRITE, &w->store, e))
        return -1;
    w->outbox = (struct outbox){.store = w->store};
    w->news = (struct news){.kind = NEWS_WORK, .worker = w->o->place};
    shared_head_init(&w->head);
    plan_set_threads(w->o->plan, w->o->threads);
    return 0;
}

static int close_worker(struct worker *w, struct err *e)
{
    int rc = w->store ? flush(w, false, e) : 0;
    tell(w, true);
    for (int k = 0; k < w->n_groups; k++)
        group_free(w->groups[k]);
    group_free(w->waiting);
    free(w->groups);
    free(w->logits);
    shared_head_release(&w->head);
    outbox_release(&w->outbox);
    if (w->store && store_unclaim(w->store, NULL, e))
        rc = -1;
    store_close(w->store);
    return rc;
}

int worker_run(const struct worker_options *o)
{
    struct worker w = {.o = o};
    struct err e, end;
    int rc = open_worker(&w, &e);
    if (!rc)
        rc = work(&w, &e);
    if (rc)
        tell_text(&w, NEWS_FAILURE, &e);
    if (close_worker(&w, &end) && !rc) { // the first error is the one to tell
        e = end;
        tell_text(&w, NEWS_FAILURE, &e);
        rc = -1;
    }
    return rc ? (int)e.class : 0;
}
