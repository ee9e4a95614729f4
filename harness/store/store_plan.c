/* What is asked for: rows by identity, and the jobs. */
#include "harness/store/store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/hash.h"
#include "harness/store/store_int.h"

enum { MAX_COLUMNS = 24 };

/* A row to insert: names and values grow side by side, the identity first. */
struct row {
    const char *table;
    const char *column[MAX_COLUMNS];
    struct db_val value[MAX_COLUMNS];
    int n;
};

static void add(struct row *r, const char *column, struct db_val v)
{
    assert(r->n < MAX_COLUMNS);
    r->column[r->n] = column;
    r->value[r->n++] = v;
}

static struct row row_of(const char *table, const char *identity)
{
    struct row r = {.table = table};
    assert(identity && *identity);
    add(&r, "identity", val_str(identity));
    return r;
}

static void put_insert_sql(struct buf *b, const struct row *r)
{
    buf_printf(b, "INSERT INTO %s (", r->table);
    for (int i = 0; i < r->n; i++)
        buf_printf(b, "%s\"%s\"", i ? ", " : "", r->column[i]);
    buf_str(b, ") VALUES (");
    for (int i = 0; i < r->n; i++)
        buf_printf(b, "%s?%d", i ? ", " : "", i + 1);
    buf_str(b, ") ON CONFLICT (identity) DO NOTHING");
}

/* The id of the row with this identity; a row that is there stays as it is. */
static int put(struct store *s, const struct row *r, int64_t *id, bool *made, struct err *e)
{
    struct buf sql;
    int64_t changes = 0;
    buf_init(&sql);
    put_insert_sql(&sql, r);
    int rc = db_run(s->db, sql.s, r->value, r->n, &changes, e);
    if (!rc) {
        buf_reset(&sql);
        buf_printf(&sql, "SELECT id FROM %s WHERE identity = ?1", r->table);
        rc = db_get_int(s->db, sql.s, r->value, 1, id, e) == 1 ? 0 : -1;
    }
    if (made)
        *made = changes > 0;
    buf_release(&sql);
    return rc ? err_in(e, "storing %s", r->table) : 0;
}

int store_put_model(struct store *s, const struct store_model *m, int64_t *id, struct err *e)
{
    struct row r = row_of("model", m->identity);
    add(&r, "name", val_str(m->name));
    add(&r, "config_sha256", val_str(m->config_sha256));
    add(&r, "weights_sha256", val_str(m->weights_sha256));
    add(&r, "tokenizer_sha256", val_str(m->tokenizer_sha256));
    add(&r, "family", val_str(m->family));
    add(&r, "layers", val_int_or_null(m->layers));
    add(&r, "heads", val_int_or_null(m->heads));
    add(&r, "kv_heads", val_int_or_null(m->kv_heads));
    add(&r, "head_dim", val_int_or_null(m->head_dim));
    add(&r, "params", val_int_or_null(m->params));
    add(&r, "weights_dtype", val_str(m->weights_dtype));
    return put(s, &r, id, NULL, e);
}

int store_put_task(struct store *s, const struct store_task *t, int64_t *id, struct err *e)
{
    struct row r = row_of("task", t->identity);
    add(&r, "name", val_str(t->name));
    add(&r, "source", val_str(t->source));
    add(&r, "category", val_str(t->category));
    add(&r, "metric", val_str(t->metric));
    add(&r, "metric_version", val_int_or_null(t->metric_version));
    add(&r, "language", val_str(t->language));
    add(&r, "data_hash", val_str(t->data_hash));
    add(&r, "data", val_str(t->data));
    add(&r, "template_hash", val_str(t->template_hash));
    add(&r, "max_new_tokens", val_int_or_null(t->max_new_tokens));
    return put(s, &r, id, NULL, e);
}

static int put_setting_options(struct store *s, const struct store_setting *c, int64_t setting,
                               struct err *e)
{
    for (int i = 0; i < c->n_options; i++) {
        const struct store_option *o = &c->options[i];
        struct db_val v[] = {val_int(setting), val_str(o->method), val_str(o->name),
                             val_str(o->value)};
        if (db_run(s->db, "INSERT INTO setting_option VALUES (?1, ?2, ?3, ?4)", v, 4, NULL, e))
            return -1;
    }
    return 0;
}

/* Outside of the caller's transaction, a setting and its options need one of their own. */
static int begin_own(struct store *s, bool *own, struct err *e)
{
    *own = !db_in_transaction(s->db);
    return *own ? db_begin(s->db, e) : 0;
}

static int end_own(struct store *s, bool own, int rc, struct err *e)
{
    if (own && !rc)
        rc = db_commit(s->db, e);
    if (own && rc)
        db_rollback(s->db);
    return rc;
}

static int put_setting(struct store *s, const struct row *r, const struct store_setting *c,
                       int64_t *id, struct err *e)
{
    bool made;
    if (put(s, r, id, &made, e))
        return -1;
    return made ? put_setting_options(s, c, *id, e) : 0;
}

int store_put_setting(struct store *s, const struct store_setting *c, int64_t *id, struct err *e)
{
    struct row r = row_of("setting", c->identity);
    bool own;
    add(&r, "name", val_str(c->name));
    add(&r, "chain", val_str(c->chain));
    add(&r, "method", val_str(c->method));
    add(&r, "json", val_str(c->json));
    add(&r, "key_bits", val_int_or_null(c->key_bits));
    add(&r, "value_bits", val_int_or_null(c->value_bits));
    add(&r, "key_kept", val_num(c->key_kept));
    add(&r, "value_kept", val_num(c->value_kept));
    add(&r, "prune_keys", val_int_or_null(c->prune_keys));
    add(&r, "prune_values", val_int_or_null(c->prune_values));
    add(&r, "token_budget", val_int_or_null(c->token_budget));
    add(&r, "window", val_int_or_null(c->window));
    add(&r, "first_layer", val_int_or_null(c->first_layer));
    add(&r, "ordering", val_str(c->ordering));
    add(&r, "weights", val_str(c->weights));
    add(&r, "weight_bits", val_int_or_null(c->weight_bits));
    add(&r, "weight_group", val_int_or_null(c->weight_group));
    add(&r, "weight_symmetric", val_int_or_null(c->weight_symmetric));
    add(&r, "weight_clip", val_num(c->weight_clip));
    add(&r, "weight_pair_bits", val_int_or_null(c->weight_pair_bits));
    if (begin_own(s, &own, e))
        return -1;
    return end_own(s, own, put_setting(s, &r, c, id, e), e);
}

static int put_protocol(struct store *s, const struct row *r, const struct store_protocol *p,
                        int64_t *id, struct err *e)
{
    bool made;
    if (put(s, r, id, &made, e))
        return -1;
    for (int i = 0; made && i < p->n_options; i++) {
        const struct store_option *o = &p->options[i];
        struct db_val v[] = {val_int(*id), val_str(o->name), val_str(o->value)};
        if (db_run(s->db, "INSERT INTO protocol_option VALUES (?1, ?2, ?3)", v, 3, NULL, e))
            return -1;
    }
    return 0;
}

int store_put_protocol(struct store *s, const struct store_protocol *p, int64_t *id, struct err *e)
{
    struct row r = row_of("protocol", p->identity);
    bool own;
    add(&r, "json", val_str(p->json));
    add(&r, "preset", val_str(p->preset));
    add(&r, "max_prompt_tokens", val_int_or_null(p->max_prompt_tokens));
    add(&r, "truncation", val_str(p->truncation));
    add(&r, "chat", val_str(p->chat));
    add(&r, "bos", val_int_or_null(p->bos));
    add(&r, "prefill_path", val_str(p->prefill_path));
    add(&r, "compute", val_str(p->compute));
    add(&r, "newline_stop", val_int_or_null(p->newline_stop));
    add(&r, "first_may_stop", val_int_or_null(p->first_may_stop));
    add(&r, "max_new_tokens", val_int_or_null(p->max_new_tokens));
    add(&r, "compress_at", val_str(p->compress_at));
    add(&r, "decode_tail", val_int_or_null(p->decode_tail));
    if (begin_own(s, &own, e))
        return -1;
    return end_own(s, own, put_protocol(s, &r, p, id, e), e);
}

/* Parts joined by a byte that none of them holds. */
static void hash_parts(const char *const *part, int n, char out[SHA256_HEX])
{
    struct buf b;
    buf_init(&b);
    for (int i = 0; i < n; i++) {
        buf_str(&b, part[i] ? part[i] : "");
        buf_char(&b, 0);
    }
    hash_sha256(text_buf(&b), out);
    buf_release(&b);
}

int store_put_build(struct store *s, const struct store_build *b, int64_t *id, struct err *e)
{
    char numbers[64], hash[SHA256_HEX];
    snprintf(numbers, sizeof numbers, "%d %d", b->dirty, b->threads);
    const char *part[] = {b->version, b->commit, b->compiler, b->cflags, b->blas,
                          b->kernels, b->cpu,    b->host,     numbers};
    hash_parts(part, sizeof part / sizeof *part, hash);
    struct row r = row_of("build", hash);
    add(&r, "version", val_str(b->version));
    add(&r, "commit", val_str(b->commit));
    add(&r, "dirty", val_int_or_null(b->dirty));
    add(&r, "compiler", val_str(b->compiler));
    add(&r, "cflags", val_str(b->cflags));
    add(&r, "blas", val_str(b->blas));
    add(&r, "kernels", val_str(b->kernels));
    add(&r, "cpu", val_str(b->cpu));
    add(&r, "host", val_str(b->host));
    add(&r, "threads", val_int_or_null(b->threads));
    return put(s, &r, id, NULL, e);
}

int store_put_experiment(struct store *s, const struct store_experiment *x, int64_t *id,
                         struct err *e)
{
    char now[32];
    clock_stamp(now);
    struct db_val v[] = {val_str(x->name), val_str(x->config), val_str(x->config_hash),
                         val_str(now)};
    const char *sql =
        "INSERT INTO experiment (name, config, config_hash, created, planned, plans)"
        " VALUES (?1, ?2, ?3, ?4, ?4, (SELECT coalesce(max(plans), 0) + 1 FROM experiment))"
        " ON CONFLICT (name, config_hash)"
        " DO UPDATE SET planned = excluded.planned, plans = excluded.plans";
    if (db_run(s->db, sql, v, 4, NULL, e))
        return err_in(e, "storing experiment");
    struct db_val key[] = {v[0], v[2]};
    sql = "SELECT id FROM experiment WHERE name = ?1 AND config_hash = ?2";
    return db_get_int(s->db, sql, key, 2, id, e) == 1 ? 0 : -1;
}

int store_put_run(struct store *s, const struct store_run *run, int64_t *id, struct err *e)
{
    char now[32];
    struct row r = row_of("run", run->identity);
    clock_stamp(now);
    add(&r, "model", val_int(run->model));
    add(&r, "setting", val_int(run->setting));
    add(&r, "protocol", val_int(run->protocol));
    add(&r, "origin", val_str(run->origin));
    add(&r, "created", val_str(now));
    if (put(s, &r, id, NULL, e))
        return -1;
    struct db_val v[] = {val_int(run->experiment), val_int(*id), val_int(run->position),
                         val_str(run->name)};
    return db_run(s->db,
                  "INSERT INTO experiment_run VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING", v, 4,
                  NULL, e);
}

int store_put_factor(struct store *s, const struct store_factor *f, struct err *e)
{
    struct db_val v[] = {val_int(f->experiment), val_int(f->run),   val_str(f->ablation),
                         val_str(f->factor),     val_str(f->value), val_int(f->base)};
    const char *sql = "INSERT INTO experiment_factor VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
                      " ON CONFLICT DO NOTHING";
    return db_run(s->db, sql, v, 6, NULL, e);
}

/* ---- jobs ---- */

void store_forget(struct store *s)
{
    free(s->run_identity);
    free(s->task_identity);
    s->run_identity = s->task_identity = NULL;
    s->last_run = s->last_task = 0;
}

static int read_identities(struct store *s, int64_t run, int64_t task, struct err *e)
{
    struct stmt *q;
    struct db_val v[] = {val_int(run), val_int(task)};
    const char *sql = "SELECT run.identity, task.identity FROM run, task"
                      " WHERE run.id = ?1 AND task.id = ?2";
    store_forget(s);
    if (stmt_open(s->db, sql, v, 2, &q, e))
        return -1;
    int rc = stmt_step(q, e);
    assert(rc); // the caller has these ids from the puts
    if (rc == 1) {
        s->run_identity = stmt_str_dup(q, 0);
        s->task_identity = stmt_str_dup(q, 1);
        s->last_run = run;
        s->last_task = task;
    }
    stmt_close(q);
    return rc == 1 ? 0 : -1;
}

/* The same job has the same identity in every database, so it is formed from identities, not ids.
 */
int store_job_identity(struct store *s, const struct store_job *j, char out[65], struct err *e)
{
    if ((s->last_run != j->run || s->last_task != j->task) &&
        read_identities(s, j->run, j->task, e))
        return -1;
    const char *part[] = {s->run_identity, s->task_identity, j->sample_id, j->sample_hash};
    hash_parts(part, 4, out);
    return 0;
}

int store_join_experiment(struct store *s, int64_t experiment, int64_t job, struct err *e)
{
    struct db_val v[] = {val_int(experiment), val_int(job)};
    return db_run(s->db, "INSERT INTO experiment_job VALUES (?1, ?2) ON CONFLICT DO NOTHING", v, 2,
                  NULL, e);
}

int store_plan_job(struct store *s, const struct store_job *j, int64_t *id, bool *made,
                   struct err *e)
{
    char hash[SHA256_HEX];
    if (store_job_identity(s, j, hash, e))
        return -1;
    struct row r = row_of("job", hash);
    add(&r, "run", val_int(j->run));
    add(&r, "task", val_int(j->task));
    add(&r, "sample", val_str(j->sample_id));
    add(&r, "sample_index", val_int(j->sample_index));
    add(&r, "sample_hash", val_str(j->sample_hash));
    add(&r, "prefill_class", val_str(j->prefill_class));
    add(&r, "head", val_str(j->head));
    add(&r, "state", val_str("ready"));
    if (put(s, &r, id, made, e))
        return -1;
    return store_join_experiment(s, j->experiment, *id, e);
}

int store_count(struct store *s, int64_t experiment, struct store_counts *out, struct err *e)
{
    struct stmt *q;
    struct db_val v = val_int(experiment);
    const char *sql =
        "SELECT total(state = 'ready'), total(state = 'running'),"
        " total(state = 'done'), total(state = 'failed') FROM job"
        " WHERE ?1 = 0 OR id IN (SELECT job FROM experiment_job WHERE experiment = ?1)";
    if (stmt_open(s->db, sql, &v, 1, &q, e))
        return -1;
    int rc = stmt_step(q, e);
    if (rc == 1)
        *out =
            (struct store_counts){stmt_int(q, 0), stmt_int(q, 1), stmt_int(q, 2), stmt_int(q, 3)};
    stmt_close(q);
    return rc == 1 ? 0 : -1;
}
