#include "reports/report.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/base/near.h"

#define REPORT(name) extern const struct report report_##name;
#include "reports/reports.def"
#undef REPORT

#define REPORT(name) &report_##name,
const struct report *const report_all[] = {
#include "reports/reports.def"
    NULL};
#undef REPORT

enum { N_REPORTS = sizeof report_all / sizeof *report_all - 1 };

const struct report *report_find(const char *name, struct err *e)
{
    const char *names[N_REPORTS];
    char hint[128];
    for (int i = 0; i < N_REPORTS; i++) {
        names[i] = report_all[i]->name;
        if (!strcmp(name, names[i]))
            return report_all[i];
    }
    err_user(e, "there is no report '%s'%s (kvlab list reports)", name,
             near_hint(hint, name, names, N_REPORTS));
    return NULL;
}

/* ---- which experiment ---- */

static int unknown_experiment(struct store *s, const char *wanted, struct err *e)
{
    struct stmt *q;
    const char *names[64];
    char hint[128];
    int n = 0, rc;
    if (stmt_open(store_db(s), "SELECT DISTINCT name FROM experiment ORDER BY plans DESC LIMIT 64",
                  NULL, 0, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1)
        names[n++] = stmt_str_dup(q, 0);
    stmt_close(q);
    if (!rc && wanted)
        err_user(e, "%s has no experiment '%s'%s (kvlab status lists them)", db_path(store_db(s)),
                 wanted, near_hint(hint, wanted, names, (size_t)n));
    else if (!rc)
        err_user(e, "%s holds no experiment yet; kvlab run makes one", db_path(store_db(s)));
    while (n)
        free((void *)names[--n]);
    return -1;
}

int report_experiment(struct store *s, const char *wanted, int64_t *id, char **name, struct err *e)
{
    struct stmt *q;
    struct db_val v = val_str(wanted);
    const char *sql = "SELECT id, name FROM experiment WHERE ?1 IS NULL OR name = ?1"
                      " ORDER BY plans DESC LIMIT 1";
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
