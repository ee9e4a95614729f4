#include "runner/import.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/json.h"
#include "harness/base/mem.h"
struct import {
    struct store *store;
    const struct scoring *scored;
    const struct import_request *r;
    struct imported *out;
    int64_t experiment, model, setting, protocol;
};

static void hash_words(const char *what, const char *word, char out[SHA256_HEX])
{
    struct buf b;
    buf_init(&b);
    buf_printf(&b, "import %s %s\n", what, word);
    hash_sha256(text_buf(&b), out);
    buf_release(&b);
}

/* ---- what a run is made of ---- */

static int put_model(struct import *m, struct err *e)
{
    char hash[SHA256_HEX];
    hash_words("model", m->r->model, hash);
    struct store_model row = {.identity = hash,
                              .name = m->r->model,
                              .layers = STORE_NONE,
                              .heads = STORE_NONE,
                              .kv_heads = STORE_NONE,
                              .head_dim = STORE_NONE,
                              .params = STORE_NONE};
    return store_put_model(m->store, &row, &m->model, e);
}

/* "full" is what reports compare with. */
static int put_setting(struct import *m, struct err *e)
{
    char hash[SHA256_HEX];
    struct buf json;
    struct store_setting row = STORE_SETTING;
    buf_init(&json);
    buf_str(&json, "{\"import\":");
    json_put_string(&json, text_of(m->r->setting));
    buf_char(&json, '}');
    hash_words("setting", m->r->setting, hash);
    row.identity = hash;
    row.name = m->r->setting;
    row.chain = row.method = strcmp(m->r->setting, "full") ? "imported" : "full";
    row.json = json.s;
    int rc = store_put_setting(m->store, &row, &m->setting, e);
    buf_release(&json);
    return rc;
}

static int put_protocol(struct import *m, struct err *e)
{
    char hash[SHA256_HEX];
    hash_words("protocol", "", hash);
    struct store_protocol row = STORE_PROTOCOL;
    row.identity = hash;
    row.json = "{\"preset\":\"imported\"}";
    row.preset = "imported";
    return store_put_protocol(m->store, &row, &m->protocol, e);
}

static int put_experiment(struct import *m, struct err *e)
{
    const char *name = m->r->with_e ? IMPORT_EXPERIMENT_E : IMPORT_EXPERIMENT;
    char hash[SHA256_HEX], config[64];
    snprintf(config, sizeof config, "{\"name\":\"%s\"}", name);
    hash_sha256(text_of(config), hash);
    struct store_experiment row = {name, config, hash};
    return store_put_experiment(m->store, &row, &m->experiment, e);
}

/* ---- the run ---- */

static void run_identity(const struct import *m, char out[SHA256_HEX])
{
    struct buf b;
    buf_init(&b);
    buf_printf(&b, "model %s\nsetting %s\norigin import\nlongbench-e %d\n", m->r->model,
               m->r->setting, m->r->with_e);
    for (size_t i = 0; i < m->scored->n; i++)
        buf_printf(&b, "%s %s\n", m->scored->tasks[i].name, m->scored->tasks[i].predictions.hash);
    hash_sha256(text_buf(&b), out);
    buf_release(&b);
}

static int put_run(struct import *m, const char *identity, struct err *e)
{
    int64_t position = 0;
    struct db_val v = val_int(m->experiment);
    if (db_get_int(store_db(m->store), "SELECT count(*) FROM experiment_run WHERE experiment = ?1",
                   &v, 1, &position, e) < 0)
        return -1;
    struct store_run row = {identity, m->model,      m->setting,    m->protocol,
                            "import", m->experiment, (int)position, m->r->setting};
    return store_put_run(m->store, &row, &m->out->run, e);
}

/* Other answers of the same name would stand in a report as a second row that nobody can tell from
 * the first. */
static int check_name(const struct import *m, int64_t task, const char *name, struct err *e)
{
    int64_t other = 0;
    struct db_val v[] = {val_int(m->model), val_int(m->setting), val_int(task),
                         val_int(m->out->run)};
    const char *sql = "SELECT r.id FROM run r WHERE r.model = ?1 AND r.setting = ?2"
                      " AND r.origin = 'import' AND r.id <> ?4"
                      " AND EXISTS (SELECT 1 FROM job j WHERE j.run = r.id AND j.task = ?3)";
    int rc = db_get_int(store_db(m->store), sql, v, 4, &other, e);
    if (rc <= 0)
        return rc;
    return err_user(e,
                    "run %lld holds other answers of model '%s', setting '%s' to %s; call these by "
                    "another --setting",
                    (long long)other, m->r->model, m->r->setting, name);
}

/* ---- tasks and items ---- */

static int put_task(struct import *m, const struct scoring_task *t, int64_t *id, struct err *e)
{
    char name[64], hash[SHA256_HEX];
    struct buf b;
    const struct task *k = t->task;
    snprintf(name, sizeof name, "%.60s%s", k->name, m->r->with_e ? "_e" : "");
    buf_init(&b);
    buf_printf(&b, "import task %s\nmetric %s\nfirst_line %d\n", name, t->metric_name,
               k->first_line);
    hash_sha256(text_buf(&b), hash);
    buf_release(&b);
    struct store_task row = {.identity = hash,
                             .name = name,
                             .source = "import",
                             .category = category_name(k->category),
                             .metric = t->metric_name,
                             .metric_version = t->metric ? t->metric->version : STORE_NONE,
                             .language = k->language,
                             .data = "official prediction files",
                             .max_new_tokens = STORE_NONE};
    if (store_put_task(m->store, &row, id, e))
        return -1;
    return check_name(m, *id, name, e);
}

/* The record as far as a prediction file tells it. */
static int put_sample(struct import *m, const struct prediction *p, char hash[SHA256_HEX],
                      struct err *e)
{
    struct buf answers, classes, all;
    buf_init(&answers);
    buf_init(&classes);
    buf_init(&all);
    prediction_put_list(p->answers, p->n_answers, &answers);
    prediction_put_list(p->classes, p->n_classes, &classes);
    buf_printf(&all, "import %ld\n", p->length);
    buf_text(&all, text_buf(&answers));
    buf_char(&all, '\n');
    buf_text(&all, text_buf(&classes));
    hash_sha256(text_buf(&all), hash);
    struct store_sample row = {hash, text_buf(&answers), {NULL, 0}, p->length};
    if (p->classes)
        row.classes = text_buf(&classes);
    int rc = store_put_sample(m->store, &row, e);
    buf_release(&answers);
    buf_release(&classes);
    buf_release(&all);
    return rc;
}

/* An item as the store takes it, and what it points to. */
struct row {
    struct store_result result;
    struct store_score score;
    char hash[SHA256_HEX], unnamed[32];
};

static int fill_item(struct import *m, const struct scoring_task *t, size_t i, struct row *row,
                     struct store_item *item, struct err *e)
{
    const struct prediction *p = &t->predictions.list[i];
    bool scored = t->metric && !isnan(t->scores[i]);
    snprintf(row->unnamed, sizeof row->unnamed, IMPORT_UNNAMED "%zu", i + 1);
    row->result = STORE_RESULT;
    row->result.prediction = p->pred;
    if (scored)
        row->score = (struct store_score){t->metric_name, t->metric->version, t->scores[i]};
    item->job.sample_id = p->id.s ? p->id.s : row->unnamed;
    item->job.sample_index = (int)i;
    item->job.sample_hash = row->hash;
    item->result = &row->result;
    item->scores = &row->score;
    item->n_scores = scored ? 1 : 0;
    m->out->scores += scored;
    return put_sample(m, p, row->hash, e);
}

static int check_new(const struct import *m, const struct scoring_task *t,
                     const struct store_item *items, struct err *e)
{
    for (size_t i = 0; i < t->predictions.n; i++)
        if (!items[i].made)
            return err_user(e, "%s/%s:%zu: '_id' %s was there before", m->scored->dir, t->file,
                            i + 1, items[i].job.sample_id);
    return 0;
}

static int put_task_items(struct import *m, const struct scoring_task *t, int64_t task,
                          struct err *e)
{
    size_t n = t->predictions.n;
    struct row *rows = xcalloc(n + 1, sizeof *rows);
    struct store_item *items = xcalloc(n + 1, sizeof *items);
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++) {
        items[i].job = (struct store_job){.experiment = m->experiment,
                                          .run = m->out->run,
                                          .task = task,
                                          .prefill_class = "import"};
        rc = fill_item(m, t, i, &rows[i], &items[i], e);
    }
    if (!rc)
        rc = store_put_items(m->store, items, n, e) || check_new(m, t, items, e) ? -1 : 0;
    m->out->predictions += n;
    free(rows);
    free(items);
    return rc;
}

static int put_items(struct import *m, struct err *e)
{
    for (size_t k = 0; k < m->scored->n; k++) {
        const struct scoring_task *t = &m->scored->tasks[k];
        int64_t task;
        if (put_task(m, t, &task, e) || put_task_items(m, t, task, e))
            return -1;
    }
    return 0;
}

static int put_all(struct import *m, struct err *e)
{
    char identity[SHA256_HEX];
    run_identity(m, identity);
    if (store_find_run(m->store, identity, &m->out->run, e))
        return -1;
    m->out->known = m->out->run != 0;
    if (m->out->known)
        return 0;
    if (put_experiment(m, e) || put_model(m, e) || put_setting(m, e) || put_protocol(m, e) ||
        put_run(m, identity, e))
        return -1;
    return put_items(m, e);
}

int import_scored(struct store *s, const struct scoring *scored, const struct import_request *r,
                  struct imported *out, struct err *e)
{
    struct import m = {.store = s, .scored = scored, .r = r, .out = out};
    *out = (struct imported){0};
    db_bulk(store_db(s));
    if (store_begin(s, e))
        return -1;
    if (put_all(&m, e)) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}
