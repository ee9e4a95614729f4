#include "reports/build_shares.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"

/* ---- loading ---- */

static void read_time(char out[BUILD_TIME], struct text t)
{
    snprintf(out, BUILD_TIME, "%.*s", (int)t.n, t.s ? t.s : "");
}

/* As strcmp. */
static int compare_times(struct text a, const char *b)
{
    const size_t n = strlen(b);
    const int c = memcmp(a.s, b, a.n < n ? a.n : n);
    return c ? c : (a.n > n) - (a.n < n);
}

/* The share of a build among those of the last run, which begin at `from`; a new one in its order
 * where there is none. */
static struct build_share *share_of(struct build_shares *b, int from, int64_t build)
{
    int at = from;
    while (at < b->n && b->share[at].build < build)
        at++;
    if (at < b->n && b->share[at].build == build)
        return &b->share[at];
    b->share = xrealloc(b->share, mem_size((size_t)b->n + 1, sizeof *b->share));
    memmove(&b->share[at + 1], &b->share[at], (size_t)(b->n++ - at) * sizeof *b->share);
    b->share[at] = (struct build_share){.build = build};
    return &b->share[at];
}

static void add_item(struct build_share *x, const struct stmt *q)
{
    const struct text when = stmt_text(q, 2);
    x->items++;
    x->failed += stmt_int(q, 1);
    if (x->items == 1 || compare_times(when, x->first) < 0)
        read_time(x->first, when);
    if (compare_times(when, x->last) > 0)
        read_time(x->last, when);
}

/* A GROUP BY of the same would sort all items by build. */
static int load_run(struct build_shares *b, struct db *db, const struct stmt *run, struct err *e)
{
    static const char sql[] = "SELECT build, state = 'failed', finished_at FROM job"
                              " WHERE run = ?1 AND finished_at IS NOT NULL";
    const struct db_val v = val_int(stmt_int(run, 2));
    const int from = b->n;
    struct stmt *q;
    int rc;
    if (stmt_open(db, sql, &v, 1, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1)
        add_item(share_of(b, from, stmt_int(q, 0)), q);
    stmt_close(q);
    for (int i = from; i < b->n; i++) {
        b->share[i].setting = stmt_str_dup(run, 0);
        b->share[i].model = stmt_str_dup(run, 1);
        b->share[i].run = stmt_int(run, 2);
    }
    return rc;
}

static struct build_share *total_of(struct build_shares *b, int64_t build)
{
    int at = 0;
    while (at < b->n_builds && b->total[at].build < build)
        at++;
    if (at < b->n_builds && b->total[at].build == build)
        return &b->total[at];
    b->total = xrealloc(b->total, mem_size((size_t)b->n_builds + 1, sizeof *b->total));
    memmove(&b->total[at + 1], &b->total[at], (size_t)(b->n_builds++ - at) * sizeof *b->total);
    b->total[at] = (struct build_share){.build = build};
    return &b->total[at];
}

static void add_up(struct build_shares *b)
{
    for (int i = 0; i < b->n; i++) {
        const struct build_share *x = &b->share[i];
        struct build_share *sum = total_of(b, x->build);
        sum->items += x->items;
        sum->failed += x->failed;
        if (!*sum->first || strcmp(x->first, sum->first) < 0)
            memcpy(sum->first, x->first, sizeof sum->first);
        if (strcmp(x->last, sum->last) > 0)
            memcpy(sum->last, x->last, sizeof sum->last);
    }
}

int build_shares_load(struct build_shares *b, struct store *s, int64_t experiment, struct err *e)
{
    static const char sql[] =
        "SELECT x.name, m.name, x.run FROM experiment_run x JOIN run r ON r.id = x.run"
        " JOIN model m ON m.id = r.model WHERE x.experiment = ?1 ORDER BY x.position, x.run";
    const struct db_val v = val_int(experiment);
    struct stmt *q;
    int rc;
    *b = (struct build_shares){0};
    if (stmt_open(store_db(s), sql, &v, 1, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1)
        if (load_run(b, store_db(s), q, e)) {
            rc = -1;
            break;
        }
    stmt_close(q);
    add_up(b);
    return rc;
}

void build_shares_release(struct build_shares *b)
{
    for (int i = 0; i < b->n; i++) {
        free(b->share[i].setting);
        free(b->share[i].model);
    }
    free(b->share);
    free(b->total);
}

/* ---- builds ---- */

static const char build_sql[] =
    "SELECT version, \"commit\", CASE dirty WHEN 1 THEN 'yes' WHEN 0 THEN 'no' END AS"
    " \"uncommitted changes\", compiler, cflags AS flags, blas, kernels, cpu, host, threads"
    " FROM build WHERE id = ?1";

static void tell_build(const struct build_share *total, const struct stmt *q, struct doc *d)
{
    if (total->build)
        doc_heading(d, "Build %lld", (long long)total->build);
    else
        doc_heading(d, "Made elsewhere, imported");
    for (int i = 0; q && i < stmt_columns(q); i++) {
        const struct text t = stmt_text(q, i);
        if (t.s)
            doc_fact(d, stmt_name(q, i), "%.*s", (int)t.n, t.s);
    }
    doc_fact(d, "items", "%lld", (long long)total->items);
    if (total->failed)
        doc_fact(d, "failed", "%lld", (long long)total->failed);
    doc_fact(d, "first finished", "%s", total->first);
    doc_fact(d, "last finished", "%s", total->last);
}

static void put_totals(struct grid *g, const struct build_share *x)
{
    grid_number(g, (double)x->items, 0);
    grid_number(g, (double)x->failed, 0);
    grid_cell(g, text_of(x->first));
    grid_cell(g, text_of(x->last));
}

static void add_total_columns(struct grid *g)
{
    grid_column(g, "", "items", GRID_RIGHT);
    grid_column(g, "", "failed", GRID_RIGHT);
    grid_column(g, "", "first finished", GRID_LEFT);
    grid_key(g, "first_finished");
    grid_column(g, "", "last finished", GRID_LEFT);
    grid_key(g, "last_finished");
}

enum { BUILD_COLUMNS = 10 };

static struct grid *builds_new(struct doc *d)
{
    static const char *const key[BUILD_COLUMNS] = {"version", "commit", "dirty",   "compiler",
                                                   "flags",   "blas",   "kernels", "cpu",
                                                   "host",    "threads"};
    struct grid *g = doc_grid(d, DOC_DATA, "builds", NULL);
    doc_main(d, g);
    grid_column(g, "", "build", GRID_RIGHT);
    for (int i = 0; i < BUILD_COLUMNS; i++)
        grid_column(g, "", key[i], GRID_LEFT);
    add_total_columns(g);
    return g;
}

/* q: NULL where the build is not known. */
static void keep_build(const struct build_share *total, const struct stmt *q, struct grid *g)
{
    if (total->build)
        grid_number(g, (double)total->build, 0);
    else
        grid_blank(g);
    for (int i = 0; i < BUILD_COLUMNS; i++) {
        const struct text t = q ? stmt_text(q, i) : (struct text){NULL, 0};
        if (t.s)
            grid_cell(g, t);
        else
            grid_blank(g);
    }
    put_totals(g, total);
}

int build_shares_put_builds(const struct build_shares *b, struct store *s, struct doc *d,
                            struct err *e)
{
    struct grid *g = builds_new(d);
    for (int i = 0; i < b->n_builds; i++) {
        const struct db_val v = val_int(b->total[i].build);
        struct stmt *q;
        if (stmt_open(store_db(s), build_sql, &v, 1, &q, e))
            return -1;
        int rc = stmt_step(q, e);
        if (rc >= 0) {
            tell_build(&b->total[i], rc ? q : NULL, d);
            keep_build(&b->total[i], rc ? q : NULL, g);
        }
        stmt_close(q);
        if (rc < 0)
            return -1;
    }
    return 0;
}

void build_shares_put_items(const struct build_shares *b, struct doc *d)
{
    struct grid *g =
        doc_grid(d, b->n_builds > 1 ? DOC_BOTH : DOC_DATA, "build_items", "Items by run and build");
    grid_column(g, "", "setting", GRID_LEFT);
    grid_column(g, "", "model", GRID_LEFT);
    grid_column(g, "", "run", GRID_RIGHT);
    grid_column(g, "", "build", GRID_RIGHT);
    add_total_columns(g);
    for (int i = 0; i < b->n; i++) {
        const struct build_share *x = &b->share[i];
        grid_cell(g, text_of(x->setting));
        grid_cell(g, text_of(x->model));
        grid_number(g, (double)x->run, 0);
        if (x->build)
            grid_number(g, (double)x->build, 0);
        else
            grid_blank(g);
        put_totals(g, x);
    }
}
