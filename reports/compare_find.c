#include "reports/compare_find.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/base/near.h"

struct found {
    int64_t run, model, protocol;
    char *words; // "run:3 (mini, longbench)"
};

struct list {
    struct found *v;
    int n;
};

/* Names of this experiment go first, then MODEL:SETTING of it, then those of others. */
static const char find_sql[] =
    "WITH f AS ("
    " SELECT r.id AS run, r.model, r.protocol, m.name AS m, coalesce(p.preset, '') AS p,"
    "        CASE WHEN x.experiment = ?1 AND x.name = ?2 THEN 0"
    "             WHEN x.experiment = ?1 AND m.name || ':' || x.name = ?2 THEN 1"
    "             WHEN e.name || ':' || x.name = ?2 THEN 2 END AS rank"
    "   FROM experiment_run x JOIN experiment e ON e.id = x.experiment JOIN run r ON r.id = x.run"
    "   JOIN model m ON m.id = r.model JOIN protocol p ON p.id = r.protocol"
    "  WHERE ?3 IS NULL OR m.name = ?3"
    " UNION"
    " SELECT r.id, r.model, r.protocol, m.name, coalesce(p.preset, ''), 3"
    "   FROM run r JOIN model m ON m.id = r.model JOIN protocol p ON p.id = r.protocol"
    "  WHERE 'run:' || r.id = ?2 OR '#' || r.id = ?2)"
    "SELECT DISTINCT run, model, protocol,"
    "       'run:' || run || ' (' || m || ', protocol ' || p || ' ' || protocol || ')'"
    "  FROM f WHERE rank = (SELECT min(rank) FROM f) ORDER BY run";

static void list_release(struct list *l)
{
    while (l->n)
        free(l->v[--l->n].words);
    free(l->v);
}

static int read_list(struct list *l, struct store *s, const char *sql, const struct db_val *v,
                     struct err *e)
{
    struct stmt *q;
    int rc;
    if (stmt_open(store_db(s), sql, v, 3, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        l->v = xrealloc(l->v, mem_size((size_t)l->n + 1, sizeof *l->v));
        l->v[l->n++] =
            (struct found){stmt_int(q, 0), stmt_int(q, 1), stmt_int(q, 2), stmt_str_dup(q, 3)};
    }
    stmt_close(q);
    return rc;
}

/* Every name that could have been meant, as the words of a list. */
static int unknown(struct store *s, const char *wanted, const struct db_val *v, struct err *e)
{
    static const char sql[] =
        "SELECT 0, 0, 0, w FROM ("
        " SELECT x.name AS w FROM experiment_run x WHERE x.experiment = ?1"
        " UNION SELECT m.name || ':' || x.name FROM experiment_run x JOIN run r ON r.id = x.run"
        "   JOIN model m ON m.id = r.model WHERE x.experiment = ?1 AND (?3 IS NULL OR ?3 = m.name)"
        " UNION SELECT n.name || ':' || x.name FROM experiment_run x"
        "   JOIN experiment n ON n.id = x.experiment"
        " UNION SELECT 'run:' || id FROM run) WHERE ?2 IS NOT NULL";
    struct list l = {0};
    char hint[128];
    if (!read_list(&l, s, sql, v, e)) {
        const char **name = xcalloc((size_t)l.n + 1, sizeof *name);
        for (int i = 0; i < l.n; i++)
            name[i] = l.v[i].words;
        err_user(e,
                 "%s has no run '%s'%s (a setting of the experiment, MODEL:SETTING, "
                 "EXPERIMENT:SETTING or run:ID)",
                 db_path(store_db(s)), wanted, near_hint(hint, wanted, name, (size_t)l.n));
        free(name);
    }
    list_release(&l);
    return -1;
}

static int find_side(struct list *l, struct store *s, int64_t experiment, const char *wanted,
                     const char *model, struct err *e)
{
    const struct db_val v[] = {val_int(experiment), val_str(wanted), val_str(model)};
    if (read_list(l, s, find_sql, v, e))
        return -1;
    return l->n ? 0 : unknown(s, wanted, v, e);
}

/* ---- which two ---- */

static void put_list(const struct list *l, struct buf *b)
{
    enum { LISTED = 6 };
    for (int i = 0; i < l->n && i < LISTED; i++)
        buf_printf(b, "%s%s", i ? ", " : "", l->v[i].words);
    if (l->n > LISTED)
        buf_printf(b, " and %d more", l->n - LISTED);
}

static int ambiguous(const struct report_request *r, const struct list *l, struct err *e)
{
    struct buf b;
    buf_init(&b);
    buf_printf(&b, "%s is ", r->arg[0]);
    put_list(&l[0], &b);
    buf_printf(&b, "; %s is ", r->arg[1]);
    put_list(&l[1], &b);
    err_user(e, "report compare: several runs fit, say run:ID or --model: %s", b.s);
    buf_release(&b);
    return -1;
}

static int choose(const struct report_request *r, const struct list *l, int64_t run[2],
                  struct err *e)
{
    int pairs = 0;
    for (int i = 0; i < l[0].n; i++)
        for (int k = 0; k < l[1].n; k++) {
            const struct found *a = &l[0].v[i], *b = &l[1].v[k];
            if (a->run == b->run || a->model != b->model || a->protocol != b->protocol)
                continue;
            run[0] = a->run;
            run[1] = b->run;
            pairs++;
        }
    if (!pairs && l[0].n == 1 && l[1].n == 1) {
        run[0] = l[0].v->run;
        run[1] = l[1].v->run;
        pairs = 1;
    }
    if (pairs != 1)
        return ambiguous(r, l, e);
    return run[0] != run[1]
               ? 0
               : err_user(e, "report compare: %s and %s are the same run", r->arg[0], r->arg[1]);
}

int compare_find(struct store *s, const struct report_request *r, int64_t run[2], struct err *e)
{
    struct list l[2] = {{0}, {0}};
    int64_t experiment;
    char *name;
    if (report_experiment(s, r->experiment, &experiment, &name, e))
        return -1;
    free(name);
    int rc = 0;
    for (int i = 0; i < 2 && !rc; i++)
        rc = find_side(&l[i], s, experiment, r->arg[i], r->model, e);
    if (!rc)
        rc = choose(r, l, run, e);
    list_release(&l[0]);
    list_release(&l[1]);
    return rc;
}
