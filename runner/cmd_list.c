/* kvlab list: what is registered. */
#include <stdio.h>
#include <string.h>

#include "harness/base/log.h"
#include "harness/base/near.h"
#include "runner/command.h"

static int list(int argc, char **argv);

const struct command cmd_list = {
    .name = "list",
    .summary = "what there is: metrics",
    .usage = "list metrics",
    .run = list,
};

static int list(int argc, char **argv)
{
    struct err e;
    const char *what = NULL;
    int n;
    const struct flag flags[] = {{0}};
    int rc = command_flags(&cmd_list, argc, argv, flags, &what, 1, &n, &e);
    if (rc)
        return rc > 0 ? 0 : log_failure(&e);
    (void)what;
    return 0;
}
