/* kvlab query: SQL over the database, and nothing that could change it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/store/store.h"
#include "reports/questions.h"
#include "runner/command.h"
#include "runner/query.h"
#include "runner/terminal.h"

static int query(int argc, char **argv);

const struct command cmd_query = {
    .name = "query",
    .summary = "read-only SQL over every run",
    .usage =
        "query \"SELECT ...\" | - | -f FILE | --example NAME  [--param NAME=VALUE ...]\n"
        "             [--db PATH] [--format table|csv|json|markdown] [--time-limit SECONDS]\n"
        "       kvlab query --examples | --docs [OBJECT]  [--db PATH]\n\n"
        "  -              the SQL comes from stdin (-f FILE: from a file)\n"
        "  --param N=V    value of parameter :N, @N or $N; 1=V is that of the first ?. Numbers "
        "and\n"
        "                 null are taken as such; '7' in quotes is text\n"
        "  --db PATH      the database (kvlab.db)\n"
        "  --format FORM  table and markdown (people), csv and json (all digits, nothing cut)\n"
        "  --time-limit S stop after so many seconds (60; 0: never)\n"
        "  --examples     questions that researchers ask, with their SQL; --example NAME asks one\n"
        "  --docs         the tables and views; --docs OBJECT: the columns of one\n\n"
        "Start with the views result (a row a run and task) and item (a row a prediction).\n"
        "Exit codes: 0, 2 for what cannot be asked or took too long, 130 for Ctrl-C.",
    .run = query,
};

enum { EXIT_STOPPED = 130, DEFAULT_SECONDS = 60, SECONDS_MAX = 1000000 };

struct request {
    const char *sql, *db, *file, *example, *format_name, *seconds_text;
    int examples, docs;
    const char *object; // of docs
    long seconds;
    enum query_format format;
    struct query_params params;
    struct text read; // SQL of a file or stdin, owned
};

static volatile sig_atomic_t stop_asked;

static void ask_stop(int sig)
{
    (void)sig;
    stop_asked = 1;
}

/* The connection is closed in every case, so that it leaves no file behind. */
static void catch_signals(void)
{
    struct sigaction a = {.sa_handler = ask_stop};
    sigemptyset(&a.sa_mask);
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* ---- asking ---- */

static int ask(struct db *db, const struct request *r, struct buf *place, struct err *e)
{
    struct stmt *s;
    if (stmt_open(db, r->sql, NULL, 0, &s, e)) {
        query_explain(db, r->sql, e, place);
        return -1;
    }
    db_watch(db, (struct db_watch){(double)r->seconds, &stop_asked});
    int rc = query_bind(s, &r->params, e) || query_write(s, r->format, e) ? -1 : 0;
    stmt_close(s);
    if (rc && db_stopped(db) == DB_LATE)
        err_user(e, "stopped after %ld s; --time-limit SECONDS allows more (0: no limit)",
                 r->seconds);
    return rc;
}

static int put_docs(struct db *db, const struct request *r, struct err *e)
{
    struct buf out;
    buf_init(&out);
    int rc = query_put_docs(db, r->object, terminal_width(), &out, e);
    if (!rc)
        fputs(out.s, stdout);
    buf_release(&out);
    return rc;
}

static int run_query(const struct request *r, struct err *e)
{
    struct store *store;
    struct buf place;
    buf_init(&place);
    int rc = store_open(r->db, STORE_READONLY, &store, e);
    if (!rc) {
        struct db *db = store_db(store);
        db_only_read(db);
        rc = r->docs ? put_docs(db, r, e) : ask(db, r, &place, e);
        rc = rc ? err_in(e, "query") : 0;
        store_close(store);
    }
    int code = rc ? log_failure(e) : 0;
    fputs(place.s, stderr);
    buf_release(&place);
    return rc && stop_asked ? EXIT_STOPPED : code;
}

/* ---- examples ---- */

static void put_example(const struct question *q, struct buf *out)
{
    char *param;
    buf_printf(out, "%s: ", q->name);
    question_put_words(q, out);
    for (int i = 0; (param = question_param_dup(q, i)); i++) {
        buf_printf(out, "%s%s", i ? ", " : "\n    --param ", param);
        free(param);
    }
    buf_char(out, '\n');
    for (const char *s = question_statement(q); *s;) {
        size_t n = strcspn(s, "\n");
        buf_printf(out, "    %.*s\n", (int)n, s);
        s += n + (s[n] == '\n');
    }
}

static int put_examples(void)
{
    struct buf out;
    buf_init(&out);
    for (const struct question *q = question_all; q->name; q++) {
        buf_str(&out, q == question_all ? "" : "\n");
        put_example(q, &out);
    }
    fputs(out.s, stdout);
    buf_release(&out);
    return 0;
}

/* Its parameters' values come before those of the command line, which override them. */
static int take_example(struct request *r, struct err *e)
{
    static char *defaults[QUERY_PARAMS_MAX]; // until the program ends
    struct query_params given = r->params;
    const struct question *q = question_find(r->example, e);
    int n = 0;
    if (!q)
        return -1;
    while (n < QUERY_PARAMS_MAX && (defaults[n] = question_param_dup(q, n)))
        n++;
    if (n + given.n > QUERY_PARAMS_MAX)
        return err_user(e, "--param may be given %d times here", QUERY_PARAMS_MAX - n);
    memcpy(r->params.list, defaults, (size_t)n * sizeof *defaults);
    memcpy(r->params.list + n, given.list, (size_t)given.n * sizeof *given.list);
    r->params.n = n + given.n;
    r->sql = question_statement(q);
    return 0;
}

/* ---- the command line ---- */

static int read_stdin(struct text *out, struct err *e)
{
    struct buf b;
    char part[4096];
    size_t n;
    buf_init(&b);
    while ((n = fread(part, 1, sizeof part, stdin)))
        buf_add(&b, part, n);
    *out = text_buf(&b);
    return ferror(stdin) ? err_system(e, "stdin cannot be read") : 0;
}

static int take_text(struct request *r, struct err *e)
{
    bool from_stdin = r->sql && !strcmp(r->sql, "-");
    if (r->file ? file_read(r->file, &r->read, e) : from_stdin && read_stdin(&r->read, e))
        return -1;
    r->sql = r->read.s ? r->read.s : r->sql;
    if (r->read.s && strlen(r->read.s) != r->read.n)
        return err_user(e, "the SQL holds a byte 0; is it text?");
    return 0;
}

static int take_sql(struct request *r, struct err *e)
{
    if (r->docs && r->sql) {
        r->object = r->sql;
        r->sql = NULL;
    }
    int ways = !!r->sql + !!r->file + !!r->example + r->examples + r->docs;
    if (ways > 1)
        return err_user(e, "SQL, -f, --example, --examples and --docs: one of them at a time");
    if (!ways)
        return err_user(e, "what shall be asked? (usage: kvlab query \"SELECT ...\"; --examples "
                           "shows some, --docs what there is)");
    return r->example ? take_example(r, e) : take_text(r, e);
}

static int query(int argc, char **argv)
{
    struct err e;
    struct request r = {.db = "kvlab.db", .format_name = "table", .seconds = DEFAULT_SECONDS};
    int n;
    const struct flag flags[] = {
        {.name = "--db", .value = &r.db},
        {.name = "--format", .value = &r.format_name},
        {.name = "--param", .list = r.params.list, .max = QUERY_PARAMS_MAX, .n = &r.params.n},
        {.name = "--time-limit", .value = &r.seconds_text},
        {.name = "-f", .value = &r.file},
        {.name = "--example", .value = &r.example},
        {.name = "--examples", .on = &r.examples},
        {.name = "--docs", .on = &r.docs},
        {0}};
    int rc = command_flags(&cmd_query, argc, argv, flags, &r.sql, 1, &n, &e);
    if (rc > 0)
        return 0;
    if (!rc && (query_find_format(r.format_name, &r.format, &e) || take_sql(&r, &e) ||
                (r.seconds_text &&
                 command_int("--time-limit", r.seconds_text, 0, SECONDS_MAX, &r.seconds, &e))))
        rc = err_in(&e, "query");
    if (rc)
        return log_failure(&e);
    if (r.examples)
        return put_examples();
    catch_signals();
    rc = run_query(&r, &e);
    free((char *)r.read.s);
    return rc;
}
