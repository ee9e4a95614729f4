#include "runner/made_up.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/base/json.h"
#include "harness/base/mem.h"
#include "runner/made_up_int.h"

struct making {
    struct store *store;
    const struct made_up *m;
    int64_t experiment, model, protocol, build;
    int64_t *task;           // [tasks]
    struct made_item *items; // [tasks][items]
    struct made_up_count *count;
};

/* ---- settings ---- */

static void name_setting(struct made_setting *c, int place)
{
    if (c->full)
        snprintf(c->name, sizeof c->name, "full");
    else
        snprintf(c->name, sizeof c->name, "kvo %d bit, read %d, keep %d%%, window %d, no. %d",
                 c->key_bits, c->token_budget, (int)(100 * c->key_kept), c->window, place);
    snprintf(c->prefill_class, sizeof c->prefill_class, c->full ? "plain" : "kvo %d", c->key_bits);
}

static struct made_setting setting_at(int place)
{
    static const int budgets[] = {1024, 512, 256, 128, 64}, windows[] = {64, 32, 128};
    static const double kept[] = {1, 0.75, 0.5, 0.25};
    struct made_setting c = {.full = place == 0, .key_kept = 1, .value_kept = 1, .held = 1};
    int i = place - 1;
    if (place) {
        c.key_bits = c.value_bits = 4 - i % 4;
        c.token_budget = budgets[i / 4 % 5];
        c.key_kept = c.value_kept = kept[i / 20 % 4];
        c.window = windows[i / 80 % 3];
        c.held = 0.08 + c.key_bits / 16.0 * c.key_kept;
        c.touched = 0.05 + 0.08 * (4 - c.key_bits) + 0.1 * (1 - c.key_kept) + 0.05 * (i / 4 % 5);
        c.hurt = 0.2 + 0.3 * (4 - c.key_bits) + 0.5 * (1 - c.key_kept) + 0.2 * (i / 4 % 5);
    }
    name_setting(&c, place);
    return c;
}

static int put_setting(struct making *k, const struct made_setting *c, int64_t *id, struct err *e)
{
    char identity[SHA256_HEX], bits[16], budget[16];
    struct store_setting row = STORE_SETTING;
    snprintf(bits, sizeof bits, "%d", c->key_bits);
    snprintf(budget, sizeof budget, "%d", c->token_budget);
    const struct store_option options[] = {{"kvo", "key_bits", bits},
                                           {"kvo", "token_budget", budget}};
    hash_sha256(text_of(c->name), identity);
    row.identity = identity;
    row.name = c->name;
    row.chain = row.method = c->full ? "full" : "kvo";
    row.json = "{}";
    if (!c->full) {
        row.key_bits = c->key_bits, row.value_bits = c->value_bits;
        row.key_kept = c->key_kept, row.value_kept = c->value_kept;
        row.token_budget = c->token_budget, row.window = c->window;
        row.first_layer = 0;
        row.options = options, row.n_options = 2;
    }
    return store_put_setting(k->store, &row, id, e);
}

static int put_run(struct making *k, const struct made_setting *c, int place, int64_t *id,
                   struct err *e)
{
    int64_t setting;
    char key[128], identity[SHA256_HEX];
    snprintf(key, sizeof key, "made up %s", c->name);
    hash_sha256(text_of(key), identity);
    if (put_setting(k, c, &setting, e))
        return -1;
    struct store_run row = {identity, k->model,      setting, k->protocol,
                            "run",    k->experiment, place,   c->name};
    return store_put_run(k->store, &row, id, e);
}

/* ---- what all settings share ---- */

static int put_frame(struct making *k, struct err *e)
{
    const struct store_model model = {.identity = "made up",
                                      .name = "made-up-7b",
                                      .family = "llama2",
                                      .layers = 32,
                                      .heads = 32,
                                      .kv_heads = 32,
                                      .head_dim = 128,
                                      .params = 6738415616};
    struct store_protocol protocol = STORE_PROTOCOL;
    protocol.identity = "made up";
    protocol.json = "{}";
    protocol.preset = "longbench";
    protocol.max_prompt_tokens = 3500;
    protocol.truncation = "middle";
    protocol.bos = 1;
    const struct store_build build = {.version = "0",
                                      .commit = "0123456789ab",
                                      .cpu = "made up",
                                      .host = "nowhere",
                                      .threads = 2};
    return store_put_experiment(k->store, &(struct store_experiment){"made up", "{}", "made up"},
                                &k->experiment, e) ||
                   store_put_model(k->store, &model, &k->model, e) ||
                   store_put_protocol(k->store, &protocol, &k->protocol, e) ||
                   store_put_build(k->store, &build, &k->build, e)
               ? -1
               : 0;
}

static int put_sample(struct making *k, const struct made_item *i, struct err *e)
{
    struct store_sample row = {.hash = i->sample_hash,
                               .answers = text_of("[\"the first of the answers\"]"),
                               .classes = {NULL, 0},
                               .length = i->prompt_tokens / 2};
    return store_put_sample(k->store, &row, e);
}

static int put_task(struct making *k, int task, struct err *e)
{
    const struct task *t = &task_all[task];
    struct made_item *items = &k->items[(size_t)task * (size_t)k->m->items];
    char identity[64];
    snprintf(identity, sizeof identity, "made up %.40s", t->name);
    struct store_task row = {.identity = identity,
                             .name = t->name,
                             .source = "made up",
                             .category = category_name(t->category),
                             .metric = t->metric,
                             .metric_version = 1,
                             .language = t->language,
                             .max_new_tokens = 128};
    int rc = store_put_task(k->store, &row, &k->task[task], e);
    for (int i = 0; i < k->m->items && !rc; i++) {
        made_item_fill(&items[i], k->m->seed, t, i);
        rc = put_sample(k, &items[i], e);
    }
    return rc;
}

static int put_tasks(struct making *k, struct err *e)
{
    for (int t = 0; t < k->m->tasks; t++)
        if (put_task(k, t, e))
            return -1;
    return 0;
}

/* ---- items ---- */

/* Room for the rows of one task under one setting. */
struct batch {
    struct made_row *row;    // [items]
    struct store_item *item; // [items]
};

static int put_items(struct making *k, struct batch *b, const struct made_setting *c,
                     struct store_item like, int task, int n, struct err *e)
{
    for (int i = 0; i < n; i++) {
        const struct made_item *item = &k->items[(size_t)task * (size_t)k->m->items + (size_t)i];
        made_row_fill(&b->row[i], c, &task_all[task], item, k->m->ledgers);
        b->item[i] = like;
        b->item[i].job.sample_id = item->sample_id;
        b->item[i].job.sample_index = i;
        b->item[i].job.sample_hash = item->sample_hash;
        b->item[i].result = &b->row[i].result;
        b->item[i].scores = &b->row[i].score;
        b->item[i].n_scores = b->row[i].result.error ? 0 : 1;
    }
    double start = clock_seconds();
    int rc = store_put_items(k->store, b->item, (size_t)n, e);
    k->count->seconds += clock_seconds() - start;
    return rc;
}

/* The items that a run has not come to. */
static int plan_items(struct making *k, struct store_job job, int task, int from, struct err *e)
{
    for (int i = from; i < k->m->items; i++) {
        const struct made_item *item = &k->items[(size_t)task * (size_t)k->m->items + (size_t)i];
        int64_t id;
        job.sample_id = item->sample_id;
        job.sample_index = i;
        job.sample_hash = item->sample_hash;
        if (store_plan_job(k->store, &job, &id, NULL, e))
            return -1;
    }
    return 0;
}

static int make_setting(struct making *k, struct batch *b, int place, struct err *e)
{
    int64_t run;
    char when[32];
    struct made_setting c = setting_at(place);
    snprintf(when, sizeof when, "2026-03-%02dT%02d:%02d:00Z", 1 + place % 28, place / 28 % 24,
             place % 60);
    if (put_run(k, &c, place, &run, e))
        return -1;
    for (int t = 0; t < k->m->tasks; t++) {
        bool cut = place == k->m->settings - 1 && t == k->m->tasks - 1;
        int n = cut ? k->m->items / 2 : k->m->items;
        struct store_item like = {.job = {.experiment = k->experiment,
                                          .run = run,
                                          .task = k->task[t],
                                          .prefill_class = c.prefill_class},
                                  .build = k->build,
                                  .finished_at = when};
        if (put_items(k, b, &c, like, t, n, e) || plan_items(k, like.job, t, n, e))
            return -1;
        k->count->items += k->m->items;
    }
    return 0;
}

static int make_settings(struct making *k, struct err *e)
{
    struct batch b = {xcalloc((size_t)k->m->items, sizeof *b.row),
                      xcalloc((size_t)k->m->items, sizeof *b.item)};
    int rc = 0;
    for (int place = 0; place < k->m->settings && !rc; place++)
        rc = make_setting(k, &b, place, e);
    free(b.row);
    free(b.item);
    return rc;
}

static int make_all(struct making *k, struct err *e)
{
    return put_frame(k, e) || put_tasks(k, e) || make_settings(k, e) ? -1 : 0;
}

static int commit(struct making *k, struct err *e)
{
    double start = clock_seconds();
    int rc = store_commit(k->store, e);
    k->count->seconds += clock_seconds() - start;
    return rc;
}

/* One transaction, as an import: the disk is written once. */
static int make(struct making *k, struct err *e)
{
    db_bulk(store_db(k->store));
    if (store_begin(k->store, e))
        return -1;
    if (!make_all(k, e))
        return commit(k, e);
    store_rollback(k->store);
    return -1;
}

int made_up_fill(struct store *s, const struct made_up *m, struct made_up_count *out, struct err *e)
{
    struct making k = {.store = s, .m = m, .count = out};
    k.task = xcalloc((size_t)m->tasks, sizeof *k.task);
    k.items = xcalloc((size_t)m->tasks * (size_t)m->items, sizeof *k.items);
    *out = (struct made_up_count){0};
    int rc = make(&k, e);
    free(k.task);
    free(k.items);
    return rc;
}
