#include "runner/published_store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/json.h"
#include "metrics/metric.h"
#include "reports/published_names.h"

struct work {
    struct store *store;
    const struct published *p;
    struct published_stored *out;
    int64_t experiment;
};

static void hash_words(const char *what, const char *word, char out[SHA256_HEX])
{
    struct buf b;
    buf_init(&b);
    buf_printf(&b, "published %s %s\n", what, word);
    hash_sha256(text_buf(&b), out);
    buf_release(&b);
}

/* ---- what a run is made of ---- */

static int put_model(struct work *w, const char *name, int64_t *id, struct err *e)
{
    char hash[SHA256_HEX];
    hash_words("model", name, hash);
    struct store_model row = {.identity = hash,
                              .name = name,
                              .layers = STORE_NONE,
                              .heads = STORE_NONE,
                              .kv_heads = STORE_NONE,
                              .head_dim = STORE_NONE,
                              .params = STORE_NONE};
    return store_put_model(w->store, &row, id, e);
}

static int put_setting(struct work *w, const char *name, int64_t *id, struct err *e)
{
    char hash[SHA256_HEX];
    struct buf json;
    struct store_setting row = STORE_SETTING;
    buf_init(&json);
    buf_str(&json, "{\"published\":");
    json_put_string(&json, text_of(name));
    buf_char(&json, '}');
    hash_words("setting", name, hash);
    row.identity = hash;
    row.name = name;
    row.chain = row.method = strcmp(name, PUBLISHED_FULL) ? "published" : "full";
    row.json = json.s;
    int rc = store_put_setting(w->store, &row, id, e);
    buf_release(&json);
    return rc;
}

static int put_protocol(struct work *w, const char *name, int64_t *id, struct err *e)
{
    char hash[SHA256_HEX];
    struct buf json;
    buf_init(&json);
    buf_str(&json, "{\"preset\":");
    json_put_string(&json, text_of(name));
    buf_char(&json, '}');
    hash_words("protocol", name, hash);
    struct store_protocol row = {.identity = hash,
                                 .json = json.s,
                                 .preset = name,
                                 .max_prompt_tokens = STORE_NONE,
                                 .bos = STORE_NONE};
    int rc = store_put_protocol(w->store, &row, id, e);
    buf_release(&json);
    return rc;
}

/* An average stands among the tasks with a category of its own. */
static int put_task(struct work *w, const struct published_number *x, int64_t *id, struct err *e)
{
    char hash[SHA256_HEX];
    const struct task *t = x->what.task;
    hash_words("task", x->task, hash);
    struct store_task row = {.identity = hash,
                             .name = x->task,
                             .source = "published",
                             .category = t ? category_name(t->category) : PUBLISHED_AVERAGE,
                             .metric = t ? t->metric : PUBLISHED_AVERAGE,
                             .metric_version = STORE_NONE,
                             .language = t ? t->language : x->what.language,
                             .data = "as published",
                             .max_new_tokens = STORE_NONE};
    return store_put_task(w->store, &row, id, e);
}

/* ---- runs ---- */

static bool is_first(const struct published *p, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (published_same_run(&p->list[k], &p->list[i]))
            return false;
    return true;
}

/* Everything that the file says of it. */
static void run_identity(const struct published *p, size_t first, char out[SHA256_HEX])
{
    struct buf b;
    const struct published_number *of = &p->list[first];
    buf_init(&b);
    buf_printf(&b, "origin published\npaper %s\nmodel %s\nprotocol %s\nsetting %s\n", p->paper,
               of->model, of->protocol, of->setting);
    for (size_t i = first; i < p->n; i++) {
        const struct published_number *x = &p->list[i];
        if (!published_same_run(x, of))
            continue;
        buf_printf(&b, "%s,%.*f,%ld,", x->task, x->decimals, x->score, x->n);
        json_put_number(&b, isnan(x->error) ? -1 : x->error);
        buf_printf(&b, ",%s,%s,%s\n", x->table, x->source, x->remarks);
    }
    hash_sha256(text_buf(&b), out);
    buf_release(&b);
}

/* Source, table and remarks, for people. */
static int put_number(struct work *w, int64_t run, const struct published_number *x, struct err *e)
{
    int64_t task;
    struct buf source;
    if (put_task(w, x, &task, e))
        return -1;
    buf_init(&source);
    buf_printf(&source, "%s, %s%s%s", x->source, x->table, *x->remarks ? "; " : "", x->remarks);
    struct db_val v[] = {val_int(run),      val_int(task),
                         val_num(x->score), x->n ? val_int(x->n) : val_int_or_null(STORE_NONE),
                         val_num(x->error), val_text(text_buf(&source))};
    int rc = db_run(store_db(w->store),
                    "INSERT INTO published (run, task, score, n, stderr, source)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    v, 6, NULL, e);
    buf_release(&source);
    return rc;
}

static int put_run(struct work *w, size_t first, struct err *e)
{
    const struct published_number *of = &w->p->list[first];
    char identity[SHA256_HEX];
    int64_t known, id;
    struct store_run row = {.identity = identity,
                            .origin = "published",
                            .experiment = w->experiment,
                            .position = (int)w->out->runs,
                            .name = of->setting};
    run_identity(w->p, first, identity);
    if (store_find_run(w->store, identity, &known, e) || put_model(w, of->model, &row.model, e) ||
        put_setting(w, of->setting, &row.setting, e) ||
        put_protocol(w, of->protocol, &row.protocol, e) || store_put_run(w->store, &row, &id, e))
        return -1;
    w->out->runs++;
    if (known)
        return 0;
    w->out->made++;
    for (size_t i = first; i < w->p->n; i++)
        if (published_same_run(&w->p->list[i], of) && put_number(w, id, &w->p->list[i], e))
            return -1;
    return 0;
}

/* ---- the file ---- */

static void put_config(const struct published *p, struct buf *config)
{
    char identity[SHA256_HEX];
    buf_str(config, "{\"published\":");
    json_put_string(config, text_of(p->paper));
    buf_str(config, ",\"runs\":[");
    const char *before = "";
    for (size_t i = 0; i < p->n; i++) {
        if (!is_first(p, i))
            continue;
        run_identity(p, i, identity);
        buf_printf(config, "%s\"%s\"", before, identity);
        before = ",";
    }
    buf_str(config, "]}");
}

/* Whether it is the latest of its name. */
static int is_latest(struct work *w, const struct store_experiment *x, bool *yes, struct err *e)
{
    int64_t found = 0;
    struct db_val v[] = {val_str(x->name), val_str(x->config_hash)};
    int rc = db_get_int(store_db(w->store),
                        "SELECT config_hash = ?2 FROM experiment WHERE name = ?1"
                        " ORDER BY plans DESC LIMIT 1",
                        v, 2, &found, e);
    *yes = found != 0;
    return rc < 0 ? -1 : 0;
}

static int put_all(struct work *w, const struct store_experiment *x, struct err *e)
{
    if (is_latest(w, x, &w->out->known, e))
        return -1;
    if (w->out->known)
        return 0;
    if (store_put_experiment(w->store, x, &w->experiment, e))
        return -1;
    for (size_t i = 0; i < w->p->n; i++)
        if (is_first(w->p, i) && put_run(w, i, e))
            return -1;
    return 0;
}

int published_store(struct store *s, const struct published *p, struct published_stored *out,
                    struct err *e)
{
    struct work w = {.store = s, .p = p, .out = out};
    char hash[SHA256_HEX];
    struct buf config, name;
    *out = (struct published_stored){0};
    buf_init(&config);
    buf_init(&name);
    put_config(p, &config);
    hash_sha256(text_buf(&config), hash);
    buf_printf(&name, PUBLISHED_EXPERIMENT "%s", p->paper);
    struct store_experiment x = {name.s, config.s, hash};
    int rc = store_begin(s, e);
    if (!rc && (rc = put_all(&w, &x, e)))
        store_rollback(s);
    else if (!rc)
        rc = store_commit(s, e);
    buf_release(&config);
    buf_release(&name);
    return rc;
}
