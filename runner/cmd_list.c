/* kvlab list: what is registered. A list is one function and one row of the table. */
#include <stdio.h>
#include <string.h>

#include "datasets/dataset.h"
#include "harness/base/log.h"
#include "harness/base/near.h"
#include "harness/kv/method.h"
#include "metrics/metric.h"
#include "runner/command.h"
#include "runner/model_spec.h"

static int list(int argc, char **argv);

const struct command cmd_list = {
    .name = "list",
    .summary = "what there is: tasks, metrics, methods, models",
    .usage = "list tasks|metrics|methods|models",
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
}

static void list_methods(void)
{
    for (const struct kv_method *const *m = kv_method_all; *m; m++)
        printf("%-12s %d  %s (%s)\n", (*m)->name, (*m)->version, (*m)->summary, (*m)->cite);
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

static const struct {
    const char *name;
    void (*print)(void);
} lists[] = {
    {"tasks", list_tasks},
    {"metrics", list_metrics},
    {"methods", list_methods},
    {"models", list_models},
};

enum { N_LISTS = sizeof lists / sizeof *lists };

static int list(int argc, char **argv)
{
    struct err e;
    const char *what = NULL, *names[N_LISTS];
    char hint[128];
    int n;
    const struct flag flags[] = {{0}};
    int rc = command_flags(&cmd_list, argc, argv, flags, &what, 1, &n, &e);
    if (rc)
        return rc > 0 ? 0 : log_failure(&e);
    for (int i = 0; i < N_LISTS; i++) {
        names[i] = lists[i].name;
        if (n && !strcmp(what, names[i])) {
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
