/* What is stored beside the runs of this program: records as they are scored, results of others. */
#include "harness/store/store.h"

#include <assert.h>

#include "harness/base/clock.h"
#include "harness/base/hash.h"
#include "harness/store/store_int.h"

int store_put_sample(struct store *s, const struct store_sample *p, struct err *e)
{
    struct db_val v[] = {val_str(p->hash), val_text(p->answers), val_text(p->classes),
                         val_int_or_null(p->length)};
    return db_run(s->db, "INSERT INTO sample VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING", v, 4,
                  NULL, e);
}

/* Planned and finished at once: a third of the work of one after the other. */
static const char insert_sql[] =
    "INSERT INTO job (identity, run, task, sample, sample_index, sample_hash, prefill_class, head,"
    " state, finished_at, build, prediction, error, prompt_tokens, prompt_tokens_before_cut,"
    " new_tokens, stop, new_ids, prefill_seconds, decode_seconds, kv_bytes, kv_full_bytes, "
    "kv_basis,"
    " kv_read_bytes, kv_read_full_bytes, shared_tokens, decode_batch,"
    " tail_tokens, replay_tokens, replay_seconds)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,"
    " ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30) ON CONFLICT (identity) DO NOTHING";

static int insert_job(struct store *s, const char *identity, const char *now,
                      const struct store_item *i, int64_t *made, struct err *e)
{
    const struct store_job *j = &i->job;
    const struct store_result *r = i->result;
    struct db_val v[] = {
        val_str(identity),
        val_int(j->run),
        val_int(j->task),
        val_str(j->sample_id),
        val_int(j->sample_index),
        val_str(j->sample_hash),
        val_str(j->prefill_class),
        val_str(j->head),
        val_str(r->error ? "failed" : "done"),
        val_str(now),
        val_int_or_null(i->build ? i->build : STORE_NONE),
        val_text(r->error ? (struct text){NULL, 0} : r->prediction),
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
    return db_run(s->db, insert_sql, v, sizeof v / sizeof *v, made, e);
}

/* The job was there: it only joins the experiment. */
static int join_known(struct store *s, const char *identity, int64_t experiment, struct err *e)
{
    int64_t job;
    struct db_val v = val_str(identity);
    if (db_get_int(s->db, "SELECT id FROM job WHERE identity = ?1", &v, 1, &job, e) < 0)
        return -1;
    return store_join_experiment(s, experiment, job, e);
}

/* *id is 0 where the job was there. */
static int put_item(struct store *s, struct store_item *i, const char *now, int64_t *id,
                    struct err *e)
{
    char identity[SHA256_HEX];
    int64_t changes;
    const char *when = i->finished_at ? i->finished_at : now;
    assert(i->result->error || i->result->prediction.s);
    *id = 0;
    if (store_job_identity(s, &i->job, identity, e) ||
        insert_job(s, identity, when, i, &changes, e))
        return -1;
    i->made = changes == 1;
    if (!i->made)
        return join_known(s, identity, i->job.experiment, e);
    *id = db_last_id(s->db);
    struct store_finished f = {*id, i->build, i->result, i->scores, i->n_scores, true};
    return store_put_outcome(s, *id, when, &f, e);
}

/* Nobody else could insert between them: their ids have no gap. One that the list has twice has
 * joined already. */
static int join_new(struct store *s, int64_t experiment, int64_t first, int64_t last, struct err *e)
{
    struct db_val v[] = {val_int(experiment), val_int(first), val_int(last)};
    return db_run(s->db,
                  "INSERT INTO experiment_job SELECT ?1, id FROM job WHERE id BETWEEN ?2 AND ?3"
                  " ON CONFLICT DO NOTHING",
                  v, 3, NULL, e);
}

int store_put_items(struct store *s, struct store_item *list, size_t n, struct err *e)
{
    char now[32];
    int64_t first = 0, last = 0, id;
    assert(db_in_transaction(s->db));
    clock_stamp(now);
    for (size_t i = 0; i < n; i++) {
        assert(list[i].job.experiment == list[0].job.experiment);
        if (put_item(s, &list[i], now, &id, e))
            return -1;
        first = first ? first : id;
        last = id ? id : last;
    }
    return first ? join_new(s, list[0].job.experiment, first, last, e) : 0;
}

int store_put_published(struct store *s, const struct store_published *p, struct err *e)
{
    struct db_val v[] = {val_int(p->run),       val_int(p->task),           val_num(p->score),
                         val_int_or_null(p->n), val_num(p->standard_error), val_str(p->source)};
    return db_run(s->db,
                  "INSERT INTO published VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING", v,
                  6, NULL, e);
}

int store_find_run(struct store *s, const char *identity, int64_t *id, struct err *e)
{
    struct db_val v = val_str(identity);
    *id = 0;
    return db_get_int(s->db, "SELECT id FROM run WHERE identity = ?1", &v, 1, id, e) < 0 ? -1 : 0;
}
