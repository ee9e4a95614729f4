/*
 * A database of 840,000 scored items (--quick: 84,000), made up in a scratch folder: how fast items
 * are put, single rows and views are read, and every report is built. What reads much stands
 * against reading both tables once; the import against the same rows copied by SQLite into tables
 * without keys, indexes and checks. The reports are of a second database, whose items have bytes by
 * class.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/file.h"
#include "reports/doc.h"
#include "reports/report.h"
#include "runner/bench.h"
#include "runner/bench_paper.h"
#include "runner/made_up.h"

enum { SETTINGS = 200, SETTINGS_QUICK = 20, TASKS = 21, ITEMS = 200, KEYS = 7 };

struct files {
    char dir[64];
    char *db, *plain;
};

static void put(const struct bench *b, const char *name, const char *unit, struct spread value,
                const char *against, struct spread ratio)
{
    bench_put(b, &(struct bench_row){name, unit, value, against, ratio});
}

/* ---- import ---- */

static int copy_plainly(struct store *s, const char *path, double *seconds, struct err *e)
{
    struct db *db = store_db(s);
    struct stmt *q;
    struct db_val v = val_str(path);
    if (stmt_open(db, "ATTACH ?1 AS plain", &v, 1, &q, e))
        return -1;
    int rc = stmt_step(q, e);
    stmt_close(q);
    double start = clock_seconds();
    if (rc || db_exec(db, "CREATE TABLE plain.job AS SELECT * FROM main.job", e) ||
        db_exec(db, "CREATE TABLE plain.score AS SELECT * FROM main.score", e))
        return -1;
    *seconds = clock_seconds() - start;
    return 0;
}

static struct made_up size_of(const struct bench *b, bool ledgers)
{
    return (struct made_up){b->quick ? SETTINGS_QUICK : SETTINGS, TASKS, ITEMS, 1, ledgers};
}

static int bench_import(struct bench *b, const struct files *f, struct err *e)
{
    const struct made_up m = size_of(b, false);
    struct made_up_count count;
    struct store *s;
    double plain;
    if (store_open(f->db, STORE_CREATE, &s, e))
        return -1;
    int rc = made_up_fill(s, &m, &count, e) || copy_plainly(s, f->plain, &plain, e) ? -1 : 0;
    store_close(s);
    if (rc)
        return -1;
    double rate = (double)count.items / count.seconds, ratio = plain / count.seconds;
    put(b, "import", "items/s", bench_spread(&rate, 1), "plain copy", bench_spread(&ratio, 1));
    return 0;
}

/* What the rest is measured with. */
static int bench_import_all(struct bench *b, const struct files *f, struct err *e)
{
    const struct made_up m = size_of(b, true);
    struct made_up_count count;
    struct store *s;
    unlink(f->db);
    if (store_open(f->db, STORE_CREATE, &s, e))
        return -1;
    int rc = made_up_fill(s, &m, &count, e) || bench_paper_store(s, e) ? -1 : 0;
    store_close(s);
    if (rc)
        return -1;
    double rate = (double)count.items / count.seconds;
    put(b, "import with bytes by class", "items/s", bench_spread(&rate, 1), NULL,
        (struct spread){0});
    return 0;
}

/* ---- reading ---- */

static int read_all(struct store *s, const char *sql, double *seconds, struct err *e)
{
    struct stmt *q;
    int rc;
    double start = clock_seconds();
    if (stmt_open(store_db(s), sql, NULL, 0, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1)
        continue;
    stmt_close(q);
    *seconds = clock_seconds() - start;
    return rc;
}

static int read_tables(struct store *s, double *seconds, struct err *e)
{
    double job, score;
    if (read_all(s, "SELECT count(prediction), total(length(prediction)) FROM job", &job, e) ||
        read_all(s, "SELECT count(*), total(value) FROM score", &score, e))
        return -1;
    *seconds = job + score;
    return 0;
}

static int bench_keys(struct bench *b, struct store *s, struct err *e)
{
    static const struct {
        const char *name, *sql;
    } keys[] = {{"item by job", "SELECT * FROM item WHERE job = 4321"},
                {"item by run, task, place",
                 "SELECT * FROM item WHERE run = 7 AND task = 'qasper' AND sample_index = 17"},
                {"result of a run", "SELECT * FROM result WHERE run = 7"},
                {"comparison of a run", "SELECT * FROM comparison WHERE run = 7"}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        double ms[KEYS];
        for (int k = 0; k < KEYS; k++) {
            if (read_all(s, keys[i].sql, &ms[k], e))
                return -1;
            ms[k] *= 1000;
        }
        put(b, keys[i].name, "ms", bench_spread(ms, KEYS), NULL, (struct spread){0});
    }
    return 0;
}

/* In turns with the reading of both tables. */
static int put_read(struct bench *b, struct store *s, const char *name,
                    int (*read)(struct store *s, const void *what, double *seconds, struct err *e),
                    const void *what, struct err *e)
{
    double own[BENCH_REPEATS_MAX], tables[BENCH_REPEATS_MAX];
    int n = b->repeats < 3 ? b->repeats : 3;
    for (int i = 0; i < n; i++)
        if (read(s, what, &own[i], e) || read_tables(s, &tables[i], e))
            return -1;
    put(b, name, "s", bench_spread(own, n), "reading both tables once",
        bench_ratio(own, n, tables, n));
    return 0;
}

static int read_view(struct store *s, const void *what, double *seconds, struct err *e)
{
    return read_all(s, what, seconds, e);
}

/* Settings of it, and the paper made of it, for those that ask for names. */
static struct report_request request_of(const struct report *r)
{
    struct report_request q = REPORT_REQUEST;
    if (!strcmp(r->name, "compare"))
        q.arg[0] = "run:1", q.arg[1] = "run:2", q.n_args = 2;
    else if (!strcmp(r->name, "against"))
        q.arg[0] = BENCH_PAPER, q.n_args = 1;
    else if (!strcmp(r->name, "ablation"))
        q.baseline = "kvo 4 bit, read 1024, keep 100%, window 64, no. 1";
    return q;
}

static int build_page(const struct report *r, struct store *s, const struct report_request *q,
                      struct err *e)
{
    struct buf page;
    int undrawn = 0;
    buf_init(&page);
    int rc = r->page(s, q, &undrawn, &page, e);
    buf_release(&page);
    return rc;
}

static int build_report(struct store *s, const void *what, double *seconds, struct err *e)
{
    const struct report *r = what;
    const struct report_request request = request_of(r);
    struct doc *d = NULL;
    double start = clock_seconds();
    if (r->page ? build_page(r, s, &request, e) : report_build(r, s, &request, &d, e))
        return -1;
    *seconds = clock_seconds() - start;
    doc_free(d);
    return 0;
}

static int bench_reports(struct bench *b, struct store *s, struct err *e)
{
    if (put_read(b, s, "view result", read_view, "SELECT * FROM result", e) ||
        put_read(b, s, "view comparison", read_view, "SELECT * FROM comparison", e))
        return -1;
    for (const struct report *const *r = report_all; *r; r++) {
        char name[64];
        snprintf(name, sizeof name, "report %.40s", (*r)->name);
        if (request_of(*r).n_args < (*r)->min_args)
            bench_leave_out(b, name, "it asks for names");
        else if (!put_read(b, s, name, build_report, *r, e))
            continue;
        else if (e->class == ERR_USER)
            bench_leave_out(b, name, e->msg);
        else
            return -1;
    }
    return 0;
}

/* ---- the bench ---- */

static int bench_all_of_it(struct bench *b, const struct files *f, struct err *e)
{
    struct store *s;
    bench_title(b, "a large database");
    if (bench_import(b, f, e) || bench_import_all(b, f, e) ||
        store_open(f->db, STORE_READONLY, &s, e))
        return -1;
    int rc = bench_keys(b, s, e) || bench_reports(b, s, e) ? -1 : 0;
    store_close(s);
    return rc;
}

static int run(struct bench *b, struct err *e)
{
    const char *parent = getenv("TMPDIR");
    struct files f;
    snprintf(f.dir, sizeof f.dir, "%.40s/kvlab-XXXXXX", parent && *parent ? parent : "/var/tmp");
    if (!mkdtemp(f.dir))
        return err_user(e, "%s cannot be made; is TMPDIR a folder that can be written?", f.dir);
    f.db = file_join_dup(f.dir, "made_up.db");
    f.plain = file_join_dup(f.dir, "plain.db");
    int rc = bench_all_of_it(b, &f, e);
    unlink(f.db);
    unlink(f.plain);
    rmdir(f.dir);
    free(f.db);
    free(f.plain);
    return rc;
}

const struct bench_kind bench_database = {
    .name = "database",
    .summary = "a large database: import, rows by key, views and reports",
    .slow = true,
    .run = run,
};
