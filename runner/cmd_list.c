/* kvlab list: what is registered. A list is one function and one row of the table. */
#include <stdio.h>
#include <string.h>

#include "datasets/dataset.h"
#include "harness/base/log.h"
#include "harness/base/near.h"
#include "harness/kv/method.h"
#include "harness/store/store.h"
#include "metrics/metric.h"
#include "reports/grid.h"
#include "reports/report.h"
#include "runner/command.h"
#include "runner/model_spec.h"
#include "runner/teacher.h"

static int list(int argc, char **argv);

const struct command cmd_list = {
    .name = "list",
    .summary = "what there is: tasks, metrics, methods, models, reports, runs",
    .usage = "list tasks|metrics|methods|models|reports\n"
             "       kvlab list runs [--db PATH]",
    .run = list,
};

static const char *protocol(const struct task *t)
{
    static const char *const names[] = {"", "no chat wrapper", "first line",
                                        "no chat wrapper, first line"};
    return names[t->no_chat + 2 * t->first_line];
}

static void list_tasks(void)
{
    printf("%-22s%-15s%-22s%-10s%s\n", "task", "category", "metric", "language", "protocol");
    for (size_t i = 0; i < task_count; i++) {
        const struct task *t = &task_all[i];
        const char *how = protocol(t);
        printf("%-22s%-15s%-22s%-*s%s%s\n", t->name, category_name(t->category), t->metric,
               *how ? 10 : 0, t->language, how, t->newline_stop ? ", stops at newline" : "");
    }
    puts("\nNAME_e is LongBench-E's file of a task (kvlab data list shows which have one)");
}

static void list_metrics(void)
{
    for (const struct metric *const *m = metric_all; *m; m++)
        printf("%-22s %d  %s\n", (*m)->name, (*m)->version, (*m)->summary);
    for (const struct judge_row *j = judge_table + 1; j->name; j++)
        printf("%-22s %d  %s\n", j->name, j->version, j->summary);
}

static void list_methods(void)
{
    struct buf hooks;
    buf_init(&hooks);
    for (const struct kv_method *const *m = kv_method_all; *m; m++) {
        buf_reset(&hooks);
        kv_method_put_hooks(*m, &hooks);
        printf("%-14s%d  %s\n%17shooks: %s; %s\n", (*m)->name, (*m)->version, (*m)->summary, "",
               hooks.s, (*m)->cite);
    }
    buf_release(&hooks);
    puts("\nA chain takes methods that fill different hooks; kvlab show method NAME has its "
         "options");
}

static void list_models(void)
{
    struct buf b;
    struct err e;
    buf_init(&b);
    if (model_spec_list(&b, &e))
        log_failure(&e);
    fputs(b.s, stdout);
    buf_release(&b);
}

static void list_reports(void)
{
    for (const struct report *const *r = report_all; *r; r++)
        printf("%-12s %s\n", (*r)->name, (*r)->summary);
}

static const char runs_sql[] =
    "SELECT r.id, m.name, c.name, c.chain, coalesce(p.preset, ''), r.origin,"
    " count(DISTINCT j.task), total(j.state = 'done'), total(j.state = 'failed'),"
    " total(j.state IN ('ready', 'running')), r.created"
    " FROM run r JOIN model m ON m.id = r.model JOIN setting c ON c.id = r.setting"
    " JOIN protocol p ON p.id = r.protocol LEFT JOIN job j ON j.run = r.id"
    " GROUP BY r.id ORDER BY r.id";

static int put_runs(struct store *s, struct grid *g, struct err *e)
{
    static const char *const heads[] = {"run",      "model",  "setting", "methods",
                                        "protocol", "origin", "tasks",   "done",
                                        "failed",   "left",   "created"};
    enum { N = sizeof heads / sizeof *heads };
    struct stmt *q;
    int rc;
    for (int i = 0; i < N; i++)
        grid_column(g, "", heads[i], i == 0 || (i >= 6 && i <= 9) ? GRID_RIGHT : GRID_LEFT);
    if (stmt_open(store_db(s), runs_sql, NULL, 0, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1)
        for (int i = 0; i < N; i++)
            if (i >= 7 && i <= 9)
                grid_printf(g, "%lld", (long long)stmt_int(q, i));
            else
                grid_cell(g, stmt_text(q, i));
    stmt_close(q);
    return rc;
}

static int list_runs(const char *db, struct err *e)
{
    struct store *s;
    struct buf out;
    if (store_open(db, STORE_READONLY, &s, e))
        return -1;
    struct grid *g = grid_new();
    buf_init(&out);
    int rc = put_runs(s, g, e);
    if (!rc) {
        grid_put_text(g, (struct grid_look){0}, &out);
        fputs(out.s, stdout);
    }
    buf_release(&out);
    grid_free(g);
    store_close(s);
    return rc;
}

/* What is in the program, or what is in a database. */
static const struct {
    const char *name;
    void (*print)(void);
    int (*read)(const char *db, struct err *e);
} lists[] = {
    {"tasks", list_tasks, NULL},   {"metrics", list_metrics, NULL}, {"methods", list_methods, NULL},
    {"models", list_models, NULL}, {"reports", list_reports, NULL}, {"runs", NULL, list_runs},
};

enum { N_LISTS = sizeof lists / sizeof *lists };

static int list(int argc, char **argv)
{
    struct err e;
    const char *what = NULL, *db = "kvlab.db", *names[N_LISTS];
    char hint[128];
    int n;
    const struct flag flags[] = {{.name = "--db", .value = &db}, {0}};
    int rc = command_flags(&cmd_list, argc, argv, flags, &what, 1, &n, &e);
    if (rc)
        return rc > 0 ? 0 : log_failure(&e);
    for (int i = 0; i < N_LISTS; i++) {
        names[i] = lists[i].name;
        if (n && !strcmp(what, names[i])) {
            if (lists[i].read)
                return lists[i].read(db, &e) ? log_failure(&e) : 0;
            lists[i].print();
            return 0;
        }
    }
    if (!n)
        err_user(&e, "list: of what? (usage: kvlab %s)", cmd_list.usage);
    else
        err_user(&e, "list: there is no list '%s'%s (usage: kvlab %s)", what,
                 near_hint(hint, what, names, N_LISTS), cmd_list.usage);
    return log_failure(&e);
}
