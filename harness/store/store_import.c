/* What is stored beside the runs of this program: records as they are scored, results of others. */
#include "harness/store/store.h"

#include <assert.h>

#include "harness/base/clock.h"
#include "harness/store/store_int.h"

int store_put_sample(struct store *s, const struct store_sample *p, struct err *e)
{
    struct db_val v[] = {val_str(p->hash), val_text(p->answers), val_text(p->classes),
                         val_int_or_null(p->length)};
    return db_run(s->db, "INSERT INTO sample VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING", v, 4,
                  NULL, e);
}

int store_put_imported(struct store *s, int64_t job, struct text prediction, struct err *e)
{
    char now[32];
    clock_stamp(now);
    assert(db_in_transaction(s->db) && prediction.s); // else another process could claim the job
    struct db_val v[] = {val_int(job), val_str(now), val_text(prediction)};
    return db_run(s->db,
                  "UPDATE job SET state = 'done', finished_at = ?2, prediction = ?3"
                  " WHERE id = ?1 AND state = 'ready'",
                  v, 3, NULL, e);
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
