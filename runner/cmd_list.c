/* kvlab list: what is registered. A list is one function and one row of the table. */
#include <stdio.h>
#include <string.h>

#include "harness/base/log.h"
#include "harness/base/near.h"
#include "metrics/metric.h"
#include "runner/command.h"

static int list(int argc, char **argv);

const struct command cmd_list = {
    .name = "list",
    .summary = "what there is: metrics",
    .usage = "list metrics",
    .run = list,
};

static void list_metrics(void)
{
    for (const struct metric *const *m = metric_all; *m; m++)
        printf("%-22s %d  %s\n", (*m)->name, (*m)->version, (*m)->summary);
}

static const struct {
    const char *name;
    void (*print)(void);
} lists[] = {
    {"metrics", list_metrics},
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
