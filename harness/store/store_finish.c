/* What came out: a result, its ledger, its layers and its scores, in one transaction. */
#include "harness/store/store.h"

#include <assert.h>

#include "harness/base/clock.h"
#include "harness/store/store_int.h"

/* Only of a job that is still this process's: one that was taken over is left alone. */
static const char finish_sql[] =
    "UPDATE job SET state = ?3, owner = NULL, finished_at = ?4, build = ?5, prediction = ?6,"
    " error = ?7, prompt_tokens = ?8, prompt_tokens_before_cut = ?9, new_tokens = ?10, stop = ?11,"
    " new_ids = ?12, prefill_seconds = ?13, decode_seconds = ?14, kv_bytes = ?15,"
    " kv_full_bytes = ?16, kv_basis = ?17, kv_read_bytes = ?18, kv_read_full_bytes = ?19,"
    " shared_tokens = ?20, decode_batch = ?21, tail_tokens = ?22,"
    " replay_tokens = ?23, replay_seconds = ?24"
    " WHERE id = ?1 AND state = 'running' AND owner = ?2";

static int put_result(struct store *s, int64_t job, int64_t build, const struct store_result *r,
                      const char *now, int64_t *changes, struct err *e)
{
    struct text prediction = r->error          ? (struct text){NULL, 0}
                             : r->prediction.s ? r->prediction
                                               : text_of("");
    struct db_val v[] = {
        val_int(job),
        val_str(s->owner),
        val_str(r->error ? "failed" : "done"),
        val_str(now),
        val_int(build),
        val_text(prediction),
        val_str(r->error),
        val_int_or_null(r->prompt_tokens),
        val_int_or_null(r->prompt_tokens_before_cut),
        val_int_or_null(r->new_tokens),
        val_str(r->stop),
        val_str(r->new_ids),
        val_num(r->prefill_seconds),
        val_num(r->decode_seconds),
        val_int_or_null(r->kv_bytes),
        val_int_or_null(r->kv_full_bytes),
        val_str(r->kv_basis),
        val_int_or_null(r->kv_read_bytes),
        val_int_or_null(r->kv_read_full_bytes),
        val_int_or_null(r->shared_tokens),
        val_num(r->decode_batch),
        val_int_or_null(r->tail_tokens),
        val_int_or_null(r->replay_tokens),
        val_num(r->replay_seconds),
    };
    return db_run(s->db, finish_sql, v, sizeof v / sizeof *v, changes, e);
}

static int put_failure(struct store *s, int64_t job, int64_t build, const char *now,
                       const char *error, struct err *e)
{
    struct db_val v[] = {val_int(job), val_str(now), val_int(build), val_str(error)};
    return db_run(s->db,
                  "INSERT INTO failure (job, finished_at, build, error)"
                  " VALUES (?1, ?2, nullif(?3, 0), ?4)",
                  v, 4, NULL, e);
}

static int put_ledger(struct store *s, int64_t job, const struct store_ledger *l, struct err *e)
{
    struct db_val v[] = {val_int(job), val_str(l->class), val_int(l->held_bytes),
                         val_int(l->read_bytes), val_int(l->written_bytes)};
    return db_run(s->db, "INSERT INTO item_ledger VALUES (?1, ?2, ?3, ?4, ?5)", v, 5, NULL, e);
}

static int put_layer(struct store *s, int64_t job, const struct store_layer *l, struct err *e)
{
    struct db_val v[] = {val_int(job), val_int(l->layer), val_num(l->key_error),
                         val_num(l->value_error), val_num(l->mass_lost)};
    return db_run(s->db, "INSERT INTO layer_error VALUES (?1, ?2, ?3, ?4, ?5)", v, 5, NULL, e);
}

int store_put_score(struct store *s, int64_t job, const struct store_score *score, struct err *e)
{
    struct db_val v[] = {val_int(job), val_str(score->metric), val_int(score->metric_version),
                         val_num(score->value)};
    return db_run(s->db, "INSERT INTO score VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING", v, 4,
                  NULL, e);
}

int store_put_outcome(struct store *s, int64_t job, const char *now, const struct store_finished *f,
                      struct err *e)
{
    const struct store_result *r = f->result;
    assert(!r->error || !f->n_scores);
    if (r->error)
        return put_failure(s, job, f->build, now, r->error, e);
    for (int i = 0; i < r->n_ledger; i++)
        if (put_ledger(s, job, &r->ledger[i], e))
            return err_in(e, "class %s", r->ledger[i].class);
    for (int i = 0; i < r->n_layers; i++)
        if (put_layer(s, job, &r->layers[i], e))
            return err_in(e, "layer %d", r->layers[i].layer);
    for (int i = 0; i < f->n_scores; i++)
        if (store_put_score(s, job, &f->scores[i], e))
            return -1;
    return 0;
}

static int put_one(struct store *s, const char *now, struct store_finished *f, struct err *e)
{
    int64_t changes;
    if (put_result(s, f->job, f->build, f->result, now, &changes, e))
        return -1;
    f->kept = changes == 1;
    return f->kept ? store_put_outcome(s, f->job, now, f, e) : 0;
}

static int put_all(struct store *s, struct store_finished *list, int n, struct err *e)
{
    char now[32];
    clock_stamp(now);
    for (int i = 0; i < n; i++)
        if (put_one(s, now, &list[i], e))
            return err_in(e, "storing the result of job %lld", (long long)list[i].job);
    return 0;
}

int store_finish(struct store *s, struct store_finished *list, int n, struct err *e)
{
    if (db_begin(s->db, e))
        return -1;
    if (!put_all(s, list, n, e) && !db_commit(s->db, e))
        return 0;
    db_rollback(s->db);
    return -1;
}
