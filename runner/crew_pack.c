#include "runner/crew_pack.h"

static const char ready_sql[] =
    "SELECT DISTINCT r.model, r.protocol, r.setting FROM experiment_job x"
    " JOIN job j ON j.id = x.job JOIN run r ON r.id = j.run"
    " WHERE x.experiment = ?1 AND j.state = 'ready' ORDER BY 1, 2, 3";

int crew_pack(struct plan *p, struct store *s, int threads, struct err *e)
{
    struct db_val v = val_int(p->experiment);
    struct stmt *q;
    struct err ignored;
    int rc;
    if (stmt_open(store_db(s), ready_sql, &v, 1, &q, e))
        return -1;
    plan_set_threads(p, threads);
    while ((rc = stmt_step(q, e)) == 1) {
        const struct plan_variant *at = plan_find_variant(p, stmt_int(q, 0), stmt_int(q, 1));
        for (int k = 0; at && k < p->x->n_settings; k++)
            if (p->setting_ids[k] == stmt_int(q, 2))
                (void)model_use_weights(at->model, &p->x->settings[k].weights, &ignored);
    }
    plan_set_threads(p, 1);
    stmt_close(q);
    return rc;
}
