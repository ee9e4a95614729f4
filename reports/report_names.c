/* Names that a report is asked for, in the database: there, or an error with the nearest. */
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/base/near.h"
#include "reports/report.h"

struct names {
    char **name;
    size_t n;
};

static void names_release(struct names *l)
{
    while (l->n)
        free(l->name[--l->n]);
    free(l->name);
}

/* The first column of all rows. */
static int names_read(struct names *l, struct store *s, const char *sql, const struct db_val *v,
                      int n_values, struct err *e)
{
    struct stmt *q;
    int rc;
    *l = (struct names){0};
    if (stmt_open(store_db(s), sql, v, n_values, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        l->name = xrealloc(l->name, mem_size(l->n + 1, sizeof *l->name));
        l->name[l->n++] = stmt_str_dup(q, 0);
    }
    stmt_close(q);
    return rc;
}

static const char *hint_of(char hint[128], const char *wanted, const struct names *l)
{
    return near_hint(hint, wanted, (const char *const *)l->name, l->n);
}

/* ---- experiments ---- */

static int unknown_experiment(struct store *s, const char *wanted, struct err *e)
{
    struct names l;
    char hint[128];
    const char *sql = "SELECT DISTINCT name FROM experiment ORDER BY plans DESC";
    int rc = names_read(&l, s, sql, NULL, 0, e);
    if (!rc && wanted)
        err_user(e, "%s has no experiment '%s'%s (kvlab status lists them)", db_path(store_db(s)),
                 wanted, hint_of(hint, wanted, &l));
    else if (!rc)
        err_user(e, "%s holds no experiment yet; kvlab run makes one", db_path(store_db(s)));
    names_release(&l);
    return -1;
}

/* Published numbers have no items: nobody means them without saying so. */
#define NOT_PUBLISHED                                                                              \
    "NOT EXISTS (SELECT 1 FROM experiment_run x JOIN run r ON r.id = x.run"                        \
    " WHERE x.experiment = e.id AND r.origin = 'published')"

int report_experiment(struct store *s, const char *wanted, int64_t *id, char **name, struct err *e)
{
    struct stmt *q;
    struct db_val v = val_str(wanted);
    const char *sql = "SELECT e.id, e.name FROM experiment e"
                      " WHERE CASE WHEN ?1 IS NULL THEN " NOT_PUBLISHED " ELSE e.name = ?1 END"
                      " ORDER BY e.plans DESC LIMIT 1";
    if (stmt_open(store_db(s), sql, &v, 1, &q, e))
        return -1;
    int rc = stmt_step(q, e);
    if (rc == 1) {
        *id = stmt_int(q, 0);
        *name = stmt_str_dup(q, 1);
    }
    stmt_close(q);
    return rc == 1 ? 0 : rc ? -1 : unknown_experiment(s, wanted, e);
}

/* ---- what an experiment has ---- */

enum { LISTED = 12 };

static int is_among(const struct names *l, const char *kind, const char *wanted, struct err *e)
{
    char hint[128];
    struct buf b;
    for (size_t i = 0; i < l->n; i++)
        if (!strcmp(l->name[i], wanted))
            return 0;
    buf_init(&b);
    for (size_t i = 0; i < l->n && i < LISTED; i++)
        buf_printf(&b, "%s%s", i ? ", " : "", l->name[i]);
    if (l->n > LISTED)
        buf_printf(&b, " and %zu more", l->n - LISTED);
    err_user(e, "the experiment has no %s '%s'%s; it has: %s", kind, wanted,
             hint_of(hint, wanted, l), l->n ? b.s : "none");
    buf_release(&b);
    return -1;
}

static int has(struct store *s, int64_t experiment, const char *kind, const char *sql,
               const char *wanted, struct err *e)
{
    const struct db_val v = val_int(experiment);
    struct names l;
    int rc = names_read(&l, s, sql, &v, 1, e);
    if (!rc)
        rc = is_among(&l, kind, wanted, e);
    names_release(&l);
    return rc;
}

int report_has_model(struct store *s, int64_t experiment, const char *model, struct err *e)
{
    return has(
        s, experiment, "model",
        "SELECT DISTINCT m.name FROM experiment_run x JOIN run r ON r.id = x.run"
        " JOIN model m ON m.id = r.model WHERE x.experiment = ?1 ORDER BY x.position, m.name",
        model, e);
}

int report_has_setting(struct store *s, int64_t experiment, const char *setting, struct err *e)
{
    return has(s, experiment, "setting",
               "SELECT name FROM experiment_run WHERE experiment = ?1"
               " GROUP BY name ORDER BY min(position)",
               setting, e);
}
