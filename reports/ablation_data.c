#include "reports/ablation_data.h"

#include <stdlib.h>

#include "harness/base/mem.h"

/* In the order in which the configuration comes to them. */
#define CHANGE_ORDER                                                                               \
    " ORDER BY min(iif(run = base, NULL, position)) OVER (PARTITION BY base, ablation), base,"     \
    " ablation, min(iif(run = base, NULL, position)) OVER (PARTITION BY base, ablation, factor),"  \
    " factor, run <> base, position"

static const char declared_sql[] =
    "SELECT ablation, factor, value, run, base FROM ("
    " SELECT f.ablation, f.factor, f.value, f.run, f.base, x.position FROM experiment_factor f"
    " JOIN experiment_run x ON x.experiment = f.experiment AND x.run = f.run"
    " WHERE f.experiment = ?1)" CHANGE_ORDER;

/* o: options of the runs that have the chain, model and protocol of a base. */
static const char found_sql[] =
    "WITH listed AS ("
    " SELECT x.run, x.position, x.name, r.setting, r.model, r.protocol, c.chain,"
    "        coalesce(c.weights, 'as stored') AS weights"
    "   FROM experiment_run x JOIN run r ON r.id = x.run JOIN setting c ON c.id = r.setting"
    "  WHERE x.experiment = ?1),"
    "o AS ("
    " SELECT l.run, l.position, b.run AS base, s.method || '.' || s.name AS factor, s.value"
    "   FROM listed b JOIN listed l ON l.model = b.model AND l.protocol = b.protocol"
    "        AND l.chain = b.chain"
    "   JOIN setting_option s ON s.setting = l.setting WHERE b.name = ?2"
    " UNION ALL"
    " SELECT l.run, l.position, b.run, 'weights', l.weights"
    "   FROM listed b JOIN listed l ON l.model = b.model AND l.protocol = b.protocol"
    "        AND l.chain = b.chain WHERE b.name = ?2),"
    "d AS ("
    " SELECT m.run, m.base, m.factor, b.value AS base_value, m.value, m.position,"
    "        count(*) OVER (PARTITION BY m.base, m.run) AS n"
    "   FROM o m JOIN o b ON b.run = m.base AND b.base = m.base AND b.factor = m.factor"
    "  WHERE m.value <> b.value)"
    "SELECT ablation, factor, value, run, base FROM ("
    " SELECT '' AS ablation, factor, value, run, base, position FROM d WHERE n = 1"
    " UNION"
    " SELECT '', factor, base_value, base, base, -1 FROM d WHERE n = 1)" CHANGE_ORDER;

int ablation_changes_load(struct ablation_changes *c, struct store *s, int64_t experiment,
                          const char *baseline, struct err *e)
{
    const struct db_val v[] = {val_int(experiment), val_str(baseline)};
    struct stmt *q;
    int rc;
    *c = (struct ablation_changes){0};
    if (stmt_open(store_db(s), baseline ? found_sql : declared_sql, v, baseline ? 2 : 1, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        c->v = xrealloc(c->v, mem_size((size_t)c->n + 1, sizeof *c->v));
        c->v[c->n++] = (struct ablation_change){.ablation = stmt_str_dup(q, 0),
                                                .factor = stmt_str_dup(q, 1),
                                                .value = stmt_str_dup(q, 2),
                                                .run = stmt_int(q, 3),
                                                .base = stmt_int(q, 4)};
    }
    stmt_close(q);
    if (rc)
        ablation_changes_release(c);
    return rc;
}

void ablation_changes_release(struct ablation_changes *c)
{
    for (int i = 0; i < c->n; i++) {
        free(c->v[i].ablation);
        free(c->v[i].factor);
        free(c->v[i].value);
    }
    free(c->v);
    *c = (struct ablation_changes){0};
}
