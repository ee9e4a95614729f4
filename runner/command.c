#include "runner/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "harness/base/near.h"

static int common_flag(const struct command *c, const char *arg)
{
    if (!strcmp(arg, "-q") || !strcmp(arg, "--quiet"))
        log_set_level(LOG_QUIET);
    else if (!strcmp(arg, "-v") || !strcmp(arg, "--verbose"))
        log_set_level(LOG_VERBOSE);
    else if (!strcmp(arg, "-vv"))
        log_set_level(LOG_DEBUG);
    else if (!strcmp(arg, "--help") || !strcmp(arg, "-h")) {
        printf("usage: kvlab %s\n", c->usage);
        return 1;
    } else
        return -1;
    return 0;
}

static const struct flag *find_flag(const struct flag *flags, const char *arg, size_t n)
{
    for (const struct flag *f = flags; f->name; f++)
        if (strlen(f->name) == n && !strncmp(f->name, arg, n))
            return f;
    return NULL;
}

static int unknown_flag(const struct command *c, const struct flag *flags, const char *arg,
                        struct err *e)
{
    const char *names[40];
    size_t n = 0;
    char hint[128];
    for (const struct flag *f = flags; f->name && n < 39; f++)
        names[n++] = f->name;
    names[n++] = "--help";
    return err_user(e, "%s: unknown flag '%s'%s (kvlab %s --help lists them)", c->name, arg,
                    near_hint(hint, arg, names, n), c->name);
}

static int store_value(const struct command *c, const struct flag *f, const char *value,
                       struct err *e)
{
    if (f->list) {
        if (*f->n == f->max)
            return err_user(e, "%s: flag %s may be given %d times", c->name, f->name, f->max);
        f->list[(*f->n)++] = value;
        return 0;
    }
    if (*f->value && f->on && *f->on)
        return err_user(e, "%s: flag %s is given twice", c->name, f->name);
    *f->value = value;
    if (f->on)
        *f->on = 1;
    return 0;
}

int command_flags(const struct command *c, int argc, char **argv, const struct flag *flags,
                  const char **rest, int max_rest, int *n_rest, struct err *e)
{
    int plain = 0; // after "--" nothing is a flag
    *n_rest = 0;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i], *eq = strchr(arg, '=');
        if (!plain && !strcmp(arg, "--")) {
            plain = 1;
            continue;
        }
        if (plain || arg[0] != '-' || !arg[1]) {
            if (*n_rest == max_rest)
                return err_user(e, "%s: what is '%s'? (usage: kvlab %s)", c->name, arg, c->usage);
            rest[(*n_rest)++] = arg;
            continue;
        }
        int common = common_flag(c, arg);
        if (common >= 0) {
            if (common)
                return 1;
            continue;
        }
        const struct flag *f = find_flag(flags, arg, eq ? (size_t)(eq - arg) : strlen(arg));
        if (!f)
            return unknown_flag(c, flags, arg, e);
        if (!f->value && !f->list) {
            if (eq)
                return err_user(e, "%s: flag %s takes no value", c->name, f->name);
            *f->on = 1;
            continue;
        }
        if (!eq && i + 1 == argc)
            return err_user(e, "%s: flag %s needs a value", c->name, f->name);
        if (store_value(c, f, eq ? eq + 1 : argv[++i], e))
            return -1;
    }
    return 0;
}

int command_int(const char *flag, const char *value, long min, long max, long *out, struct err *e)
{
    char *end;
    errno = 0;
    long x = strtol(value, &end, 10);
    if (errno || end == value || *end || x < min || x > max)
        return err_user(e, "%s is '%s', must be a whole number from %ld to %ld", flag, value, min,
                        max);
    *out = x;
    return 0;
}

int command_size(const char *flag, const char *value, size_t *out, struct err *e)
{
    static const char units[] = "KMGT";
    char *end;
    double x = strtod(value, &end);
    const char *unit = *end ? strchr(units, *end) : NULL;
    double bytes = unit ? x * (double)((size_t)1 << 10 * (unit - units + 1)) : 0;
    if (end == value || !unit || end[1] || !(bytes >= 1) || bytes > 0x1p60)
        return err_user(e, "%s is '%s', must be a size above 0 such as 500M or 8G", flag, value);
    *out = (size_t)bytes;
    return 0;
}

/* dir, or its share/kvlab, whichever holds our configs; or NULL. */
static char *home_below_dup(const char *dir)
{
    static const char *const below[] = {"", "/share/kvlab"};
    for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
        struct buf home;
        buf_init(&home);
        buf_printf(&home, "%s%s", dir, below[i]);
        char *models = file_join_dup(home.s, "configs/models");
        bool found = file_is_dir(models);
        free(models);
        if (found)
            return home.s;
        buf_release(&home);
    }
    return NULL;
}

char *command_home_dup(void)
{
    const char *home = getenv("KVLAB_HOME");
    if (home && *home)
        return xstrdup(home);
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0)
        return xstrdup(".");
    path[n] = 0;
    /* ./kvlab lies at the top; build/VARIANT/kvlab and its tests lie deeper; an installed
     * PREFIX/bin/kvlab has PREFIX/share/kvlab. */
    for (char *slash = strrchr(path, '/'); slash; slash = strrchr(path, '/')) {
        *slash = 0;
        char *found = home_below_dup(path);
        if (found)
            return found;
    }
    return xstrdup(".");
}

char *command_path_dup(const char *name)
{
    char *home = command_home_dup();
    char *path = file_join_dup(home, name);
    free(home);
    return path;
}
