/* kvlab status: what is done, failed, running and left of each experiment, and how long yet. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/json.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "harness/store/store.h"
#include "reports/grid.h"
#include "reports/visible.h"
#include "runner/command.h"

static int status(int argc, char **argv);

const struct command cmd_status = {
    .name = "status",
    .summary = "what is done, failed, running and left, and how long yet",
    .usage = "status [--db PATH] [--json]\n\n"
             "  --db PATH  the database (kvlab.db)\n"
             "  --json     for programs",
    .run = status,
};

enum { REASONS = 3 };

struct reason {
    int64_t n;
    char *text;
};

struct progress_of {
    char *name, *planned;
    int64_t id, done, failed, running, ready;
    int64_t interrupted; // running by a process that is no more
    double rate;         // jobs a minute while it runs, else NaN
    struct reason reason[REASONS];
    int n_reasons;
};

struct overview {
    struct progress_of *experiment;
    int n;
};

/* ---- reading ---- */

/* The rate is that of the jobs finished since the running processes' first claim, of the last ten
 * minutes at most: what was done on another day says nothing. */
static const char status_sql[] =
    "WITH recent AS (SELECT x.experiment AS experiment, count(*) AS n,"
    "   (julianday('now') - min(julianday(j.claimed_at))) * 1440 AS minutes"
    "   FROM experiment_job x JOIN job j ON j.id = x.job"
    "   WHERE j.state IN ('done', 'failed') AND j.claimed_at >= strftime('%Y-%m-%dT%H:%M:%SZ',"
    "     'now', '-10 minutes') GROUP BY x.experiment)"
    " SELECT e.id, e.name, e.planned, total(j.state = 'done'), total(j.state = 'failed'),"
    "   total(j.state = 'running'), total(j.state = 'ready'), r.n / max(r.minutes, 1.0 / 60)"
    " FROM experiment e LEFT JOIN experiment_job x ON x.experiment = e.id"
    " LEFT JOIN job j ON j.id = x.job LEFT JOIN recent r ON r.experiment = e.id"
    " WHERE NOT EXISTS (SELECT 1 FROM experiment_run k JOIN run p ON p.id = k.run"
    "   WHERE k.experiment = e.id AND p.origin = 'published')"
    " GROUP BY e.id ORDER BY e.plans DESC";

static int read_experiments(struct overview *o, struct db *db, struct err *e)
{
    struct stmt *q;
    int rc;
    if (stmt_open(db, status_sql, NULL, 0, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        o->experiment = xrealloc(o->experiment, mem_size((size_t)o->n + 1, sizeof *o->experiment));
        o->experiment[o->n++] = (struct progress_of){.id = stmt_int(q, 0),
                                                     .name = stmt_str_dup(q, 1),
                                                     .planned = stmt_str_dup(q, 2),
                                                     .done = stmt_int(q, 3),
                                                     .failed = stmt_int(q, 4),
                                                     .running = stmt_int(q, 5),
                                                     .ready = stmt_int(q, 6),
                                                     .rate = stmt_num(q, 7)};
    }
    stmt_close(q);
    return rc;
}

static int read_reasons(struct progress_of *p, struct db *db, struct err *e)
{
    struct stmt *q;
    struct db_val v[] = {val_int(p->id), val_int(REASONS)};
    /* "TASK[N]: why" is one reason for all N. */
    const char *sql = "SELECT substr(j.error, CASE WHEN j.error GLOB '*[[][0-9]*]: *'"
                      "   THEN instr(j.error, ']: ') + 3 ELSE 1 END) AS why, count(*) AS n"
                      " FROM experiment_job x JOIN job j ON j.id = x.job"
                      " WHERE x.experiment = ?1 AND j.state = 'failed' GROUP BY why"
                      " ORDER BY n DESC, why LIMIT ?2";
    int rc;
    if (stmt_open(db, sql, v, 2, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1)
        p->reason[p->n_reasons++] = (struct reason){stmt_int(q, 1), stmt_str_dup(q, 0)};
    stmt_close(q);
    return rc;
}

static int read_interrupted(struct progress_of *p, struct db *db, struct err *e)
{
    struct stmt *q;
    struct db_val v = val_int(p->id);
    const char *sql = "SELECT j.owner, count(*) FROM experiment_job x JOIN job j ON j.id = x.job"
                      " WHERE x.experiment = ?1 AND j.state = 'running' GROUP BY j.owner";
    int rc;
    if (stmt_open(db, sql, &v, 1, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1)
        if (store_owner_is_dead(stmt_text(q, 0).s))
            p->interrupted += stmt_int(q, 1);
    stmt_close(q);
    if (p->running == p->interrupted) // nobody works on it
        p->rate = NAN;
    return rc;
}

static int read_overview(struct overview *o, struct store *s, struct err *e)
{
    struct db *db = store_db(s);
    if (read_experiments(o, db, e))
        return -1;
    for (int i = 0; i < o->n; i++)
        if (read_reasons(&o->experiment[i], db, e) || read_interrupted(&o->experiment[i], db, e))
            return -1;
    return 0;
}

static void release_overview(struct overview *o)
{
    for (int i = 0; i < o->n; i++) {
        for (int k = 0; k < o->experiment[i].n_reasons; k++)
            free(o->experiment[i].reason[k].text);
        free(o->experiment[i].name);
        free(o->experiment[i].planned);
    }
    free(o->experiment);
}

/* NaN when nobody works on it. */
static double seconds_left(const struct progress_of *p)
{
    return 60 * (double)(p->ready + p->running) / p->rate;
}

/* ---- for people ---- */

static void put_experiments(const struct overview *o, struct buf *out)
{
    static const char *const heads[] = {"experiment", "done",     "failed",    "running",
                                        "ready",      "jobs/min", "time left", "planned"};
    struct grid *g = grid_new();
    char span[32];
    for (int i = 0; i < 8; i++)
        grid_column(g, "", heads[i], i == 0 || i == 7 ? GRID_LEFT : GRID_RIGHT);
    for (int i = 0; i < o->n; i++) {
        const struct progress_of *p = &o->experiment[i];
        grid_cell(g, text_of(p->name));
        grid_printf(g, "%lld", (long long)p->done);
        grid_printf(g, "%lld", (long long)p->failed);
        grid_printf(g, "%lld", (long long)(p->running - p->interrupted));
        grid_printf(g, "%lld", (long long)(p->ready + p->interrupted));
        if (isnan(p->rate))
            grid_cell(g, text_of("-")), grid_cell(g, text_of("-"));
        else {
            grid_printf(g, "%.1f", p->rate);
            grid_cell(g, text_of(clock_span(span, seconds_left(p))));
        }
        grid_cell(g, text_of(p->planned));
    }
    grid_put_text(g, (struct grid_look){0}, out);
    grid_free(g);
}

static void put_remarks(const struct progress_of *p, struct buf *out)
{
    for (int i = 0; i < p->n_reasons; i++) {
        struct buf reason = visible_new(text_of(p->reason[i].text));
        buf_printf(out, "%s: %lld failed: %s\n", p->name, (long long)p->reason[i].n, reason.s);
        buf_release(&reason);
    }
    if (p->interrupted)
        buf_printf(out, "%s: %lld were interrupted; running it again goes on with them\n", p->name,
                   (long long)p->interrupted);
}

static void put_text(const struct overview *o, struct buf *out)
{
    if (!o->n) {
        buf_str(out, "no experiment yet\n");
        return;
    }
    put_experiments(o, out);
    size_t before = out->n;
    buf_char(out, '\n');
    for (int i = 0; i < o->n; i++)
        put_remarks(&o->experiment[i], out);
    if (out->n == before + 1)
        out->n = before;
}

/* ---- for programs ---- */

static void put_json_count(struct buf *out, const char *key, int64_t n)
{
    buf_printf(out, ", \"%s\": %lld", key, (long long)n);
}

static void put_json_number(struct buf *out, const char *key, double x)
{
    buf_printf(out, ", \"%s\": ", key);
    json_put_number(out, x);
}

static void put_json_experiment(const struct progress_of *p, struct buf *out)
{
    buf_str(out, "{\"experiment\": ");
    json_put_string(out, text_of(p->name));
    buf_str(out, ", \"planned\": ");
    json_put_string(out, text_of(p->planned));
    put_json_count(out, "done", p->done);
    put_json_count(out, "failed", p->failed);
    put_json_count(out, "running", p->running - p->interrupted);
    put_json_count(out, "ready", p->ready);
    put_json_count(out, "interrupted", p->interrupted);
    put_json_number(out, "jobs_per_minute", p->rate);
    put_json_number(out, "seconds_left", seconds_left(p));
    buf_str(out, ", \"reasons\": [");
    for (int i = 0; i < p->n_reasons; i++) {
        buf_printf(out, "%s{\"n\": %lld, \"error\": ", i ? ", " : "", (long long)p->reason[i].n);
        json_put_string(out, text_of(p->reason[i].text));
        buf_char(out, '}');
    }
    buf_str(out, "]}");
}

static void put_json(const struct overview *o, struct buf *out)
{
    buf_char(out, '[');
    for (int i = 0; i < o->n; i++) {
        buf_str(out, i ? ",\n " : "");
        put_json_experiment(&o->experiment[i], out);
    }
    buf_str(out, "]\n");
}

static int show(const char *db, bool json, struct err *e)
{
    struct store *s;
    struct overview o = {0};
    struct buf out;
    if (store_open(db, STORE_READONLY, &s, e))
        return -1;
    int rc = read_overview(&o, s, e);
    buf_init(&out);
    if (!rc) {
        (json ? put_json : put_text)(&o, &out);
        fwrite(out.s, 1, out.n, stdout);
    }
    buf_release(&out);
    release_overview(&o);
    store_close(s);
    return rc;
}

static int status(int argc, char **argv)
{
    struct err e;
    const char *db = "kvlab.db";
    int n, json = 0;
    const struct flag flags[] = {
        {.name = "--db", .value = &db}, {.name = "--json", .on = &json}, {0}};
    int rc = command_flags(&cmd_status, argc, argv, flags, NULL, 0, &n, &e);
    if (rc)
        return rc > 0 ? 0 : log_failure(&e);
    return show(db, json, &e) ? log_failure(&e) : 0;
}
