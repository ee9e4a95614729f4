/* kvlab demo: the built-in model on its tasks, full cache against KVO. */
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/log.h"
#include "runner/command.h"
#include "runner/session.h"

static int demo(int argc, char **argv);

const struct command cmd_demo = {
    .name = "demo",
    .summary = "the built-in model and tasks: a small ablation and its table (a minute)",
    .usage = "demo [--db PATH] [--threads N]\n\n"
             "  --db PATH    the database (kvlab.db)\n"
             "  --threads N  threads (one for each processor)\n\n"
             "Runs configs/demo.json; a second time it only prints the table.",
    .run = demo,
};

static void say_what_next(const char *db)
{
    printf("\nAll of it is in %s. Try next:\n"
           "  ./kvlab query --db %s \"SELECT setting, task, n, score, stderr FROM result\"\n"
           "  ./kvlab query --db %s \"SELECT task, sample, setting, prediction FROM item WHERE "
           "score < 100\"\n"
           "  ./kvlab run configs/demo.json --db %s --set samples=20\n",
           db, db, db, db);
}

static int demo(int argc, char **argv)
{
    struct session_options o = {.db = "kvlab.db"};
    const char *threads = NULL;
    struct err e;
    int n;
    long value = 0;
    const struct flag flags[] = {
        {.name = "--db", .value = &o.db}, {.name = "--threads", .value = &threads}, {0}};
    int rc = command_flags(&cmd_demo, argc, argv, flags, NULL, 0, &n, &e);
    if (rc)
        return rc > 0 ? 0 : log_failure(&e);
    if (threads && command_int("--threads", threads, 1, 1024, &value, &e))
        return log_failure(&e);
    o.threads = (int)value;
    char *config = command_path_dup("configs/demo.json");
    o.config = config;
    rc = session_run(&o);
    free(config);
    if (rc == 0)
        say_what_next(o.db);
    return rc;
}
