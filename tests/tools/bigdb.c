/* Makes a large database of made-up results, for timing: build/release/tools/bigdb FILE. */
#include <stdio.h>

#include "harness/base/file.h"
#include "harness/base/log.h"
#include "runner/command.h"
#include "runner/made_up.h"

static const struct command bigdb = {
    .name = "bigdb",
    .usage = "bigdb FILE [--settings 200] [--tasks 21] [--items 200] [--seed 1] [--ledgers]",
};

static int make(const char *path, const struct made_up *m, struct err *e)
{
    struct store *s;
    struct made_up_count count;
    if (file_exists(path))
        return err_user(e, "%s is there already", path);
    if (store_open(path, STORE_CREATE, &s, e))
        return -1;
    int rc = made_up_fill(s, m, &count, e);
    store_close(s);
    if (!rc)
        printf("%lld items in %.1f s: %.0f a second\n", (long long)count.items, count.seconds,
               (double)count.items / count.seconds);
    return rc;
}

int main(int argc, char **argv)
{
    struct err e;
    const char *path, *settings = "200", *tasks = "21", *items = "200", *seed = "1";
    int n, ledgers = 0;
    long size[4];
    const struct flag flags[] = {
        {.name = "--settings", .value = &settings}, {.name = "--tasks", .value = &tasks},
        {.name = "--items", .value = &items},       {.name = "--seed", .value = &seed},
        {.name = "--ledgers", .on = &ledgers},      {0}};
    int rc = command_flags(&bigdb, argc, argv, flags, &path, 1, &n, &e);
    if (rc > 0)
        return 0;
    if (!rc && !n)
        rc = err_user(&e, "which file? (usage: %s)", bigdb.usage);
    if (rc || command_int("--settings", settings, 1, MADE_UP_SETTINGS_MAX, &size[0], &e) ||
        command_int("--tasks", tasks, 1, 21, &size[1], &e) ||
        command_int("--items", items, 1, 100000, &size[2], &e) ||
        command_int("--seed", seed, 0, 1000000000, &size[3], &e))
        return log_failure(&e);
    const struct made_up m = {(int)size[0], (int)size[1], (int)size[2], (uint64_t)size[3], ledgers};
    return make(path, &m, &e) ? log_failure(&e) : 0;
}
