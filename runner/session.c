#include "runner/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "reports/format.h"
#include "reports/report.h"
#include "runner/forecast.h"
#include "runner/terminal.h"

enum { EXIT_INTERRUPTED = 130 };

struct session {
    const struct session_options *o;
    struct experiment x;
    struct plan plan;
    struct forecast *forecast; // owned
    struct store *store;
    struct crew_result result;
};

int session_threads(int asked)
{
    long n = asked > 0 ? asked : sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : (int)n;
}

static void put_json(const struct session *s, struct buf *out)
{
    const struct store_counts *c = &s->forecast->counts;
    buf_char(out, '{');
    plan_describe_json(&s->plan, out);
    buf_printf(
        out, "\"in_database\":{\"ready\":%lld,\"running\":%lld,\"done\":%lld,\"failed\":%lld},",
        (long long)c->ready, (long long)c->running, (long long)c->done, (long long)c->failed);
    forecast_describe_json(s->forecast, out);
    buf_str(out, "\"configuration\":");
    buf_text(out, text_buf(&s->x.canonical));
    buf_str(out, "}\n");
}

static void put_text(const struct session *s, struct buf *out)
{
    const struct store_counts *c = &s->forecast->counts;
    plan_describe(&s->plan, out);
    buf_printf(out, "in %s: %lld done, %lld failed, %lld to do\n", s->o->db, (long long)c->done,
               (long long)c->failed, (long long)(c->ready + c->running));
    forecast_describe(s->forecast, out);
}

/* Planned in the database, where there is one, looked at, and taken back. */
static int look(struct session *s, struct err *e)
{
    if (!file_exists(s->o->db))
        return forecast_open(s->forecast, &s->plan, NULL, s->o->retry, e);
    if (store_open(s->o->db, STORE_READWRITE, &s->store, e) ||
        plan_try(&s->plan, s->store, session_threads(s->o->threads), e))
        return -1;
    int rc = forecast_open(s->forecast, &s->plan, s->store, s->o->retry, e);
    store_rollback(s->store);
    return rc;
}

static struct crew_size size_asked(const struct session *s)
{
    return (struct crew_size){s->o->workers, session_threads(s->o->threads), s->o->memory};
}

/* What would run, how much of it is in the database, and what the rest takes. */
static int describe(struct session *s, struct err *e)
{
    struct crew_size asked = size_asked(s);
    struct buf b;
    if (look(s, e))
        return -1;
    forecast_make(s->forecast, &asked, true);
    buf_init(&b);
    if (s->o->json)
        put_json(s, &b);
    else
        put_text(s, &b);
    fputs(b.s, stdout);
    buf_release(&b);
    return 0;
}

static int print_table(struct session *s, struct err *e)
{
    struct report_request q = REPORT_REQUEST;
    const struct format_look look = {.width = terminal_width(), .colour = terminal_colour()};
    const struct report *r = report_find("table", e);
    struct doc *d = NULL;
    struct buf b;
    buf_init(&b);
    q.experiment = s->x.name;
    int rc = r && !report_build(r, s->store, &q, &d, e) ? format_all[0]->put(d, &look, &b, e) : -1;
    doc_free(d);
    if (!rc && (fputs(b.s, stdout) < 0 || fflush(stdout)))
        rc = err_system(e, "cannot write to stdout");
    buf_release(&b);
    return rc;
}

static void say_what_runs(const struct session *s)
{
    struct buf b;
    buf_init(&b);
    plan_describe(&s->plan, &b);
    forecast_describe(s->forecast, &b);
    log_note("%sdatabase    %s, %lld of %lld items are new", b.s, s->o->db,
             (long long)s->plan.planned_now, (long long)s->plan.jobs);
    buf_release(&b);
}

/* Of processes of another machine nobody here can know whether they live. */
static void say_what_is_elsewhere(const struct session *s)
{
    if (s->result.elsewhere)
        log_note("at work on other machines: %lld of the items; if those are dead, --take-over has "
                 "them done here",
                 (long long)s->result.elsewhere);
}

static int work(struct session *s, struct err *e)
{
    char span[32];
    struct crew_size asked = size_asked(s);
    if (store_open(s->o->db, STORE_CREATE, &s->store, e) ||
        plan_store(&s->plan, s->store, session_threads(s->o->threads), e))
        return -1;
    if (s->o->retry && store_retry(s->store, s->plan.experiment, NULL, e))
        return -1;
    if (forecast_open(s->forecast, &s->plan, s->store, false, e))
        return -1;
    forecast_make(s->forecast, &asked, log_get_level() > LOG_QUIET);
    say_what_runs(s);
    struct crew_options crew = {s->o->db, s->forecast->size, s->o->take_over};
    const struct crew_result *r = &s->result;
    store_close(s->store); // before workers are forked
    s->store = NULL;
    if (crew_run(&s->plan, &crew, &s->result, e) ||
        store_open(s->o->db, STORE_READWRITE, &s->store, e))
        return -1;
    log_note(
        "%lld items done, %lld failed in %s; %.0f prompt and %.0f new tokens/s, largest worker "
        "%.0f MiB",
        (long long)r->done, (long long)r->failed, clock_span(span, r->seconds),
        r->prefill_tokens / r->seconds, r->decode_tokens / r->seconds, (double)r->peak / 0x1p20);
    say_what_is_elsewhere(s);
    return 0;
}

/* Items of the experiment that failed, now or in an earlier call. */
static int exit_code(struct session *s, struct err *e)
{
    struct store_counts c;
    if (s->result.interrupted) {
        log_note("stopped. The same command goes on where this one left off.");
        return EXIT_INTERRUPTED;
    }
    if (store_count(s->store, s->plan.experiment, &c, e))
        return log_failure(e);
    if (c.failed)
        log_note("%lld items have failed: kvlab query \"SELECT task, sample, error FROM item WHERE "
                 "error IS NOT NULL\" --db %s; --retry runs them again",
                 (long long)c.failed, s->o->db);
    return c.failed ? ERR_ITEM : 0;
}

static int carry_out(struct session *s, struct err *e)
{
    const struct session_options *o = s->o;
    if (experiment_read(&s->x, o->config, o->sets, o->n_sets, o->model, o->model_dir, o->limit, e))
        return -1;
    struct plan_engine engine = {1, o->kernels}; // workers have more threads
    if (plan_open(&s->plan, &s->x, &engine, e))
        return -1;
    if (o->dry_run)
        return describe(s, e);
    return work(s, e) || print_table(s, e) ? -1 : 0;
}

int session_run(const struct session_options *o)
{
    struct session *s = xcalloc(1, sizeof *s);
    struct err e;
    int code;
    s->o = o;
    s->forecast = xcalloc(1, sizeof *s->forecast);
    if (carry_out(s, &e))
        code = log_failure(&e);
    else
        code = o->dry_run ? 0 : exit_code(s, &e);
    forecast_close(s->forecast);
    free(s->forecast);
    store_close(s->store);
    plan_close(&s->plan);
    experiment_release(&s->x);
    free(s);
    return code;
}
