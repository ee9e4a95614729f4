/*
 * A command of the program is one file runner/cmd_NAME.c and one line in commands.def.
 * argv[0] is the command's name. Returns the exit code: 0, or that of the error's class.
 */
#ifndef KVLAB_COMMAND_H
#define KVLAB_COMMAND_H

#include <stddef.h>

#include "harness/base/err.h"

struct command {
    const char *name;
    const char *summary; // one line of `kvlab --help`
    const char *usage;   // what `kvlab NAME --help` prints
    int (*run)(int argc, char **argv);
};

/* Flags of a command line: --name VALUE, --name=VALUE, or --name alone for a switch. */
struct flag {
    const char *name;   // with its dashes: "--db"
    const char **value; // where a value goes, or NULL for a switch
    int *on;            // set to 1 for a switch; for a repeated value flag see list
    const char **list;  // room for `max` values of a flag that may be repeated, or NULL
    int max, *n;
};

/* Parses argv[1..]; what is no flag goes to rest (at most max_rest), *n_rest of them. Unknown flags
 * are refused with the nearest. --help prints the usage and returns 1. The common -q and -v are
 * understood here. Returns 0, or -1 with the error. */
int command_flags(const struct command *c, int argc, char **argv, const struct flag *flags,
                  const char **rest, int max_rest, int *n_rest, struct err *e);

/* A whole number from a flag's value. */
int command_int(const char *flag, const char *value, long min, long max, long *out, struct err *e);

/* Bytes: a number above 0 with K, M, G or T behind it, powers of 1024. */
int command_size(const char *flag, const char *value, size_t *out, struct err *e);

/* Where configs/ lies: KVLAB_HOME, or beside or above the program, or installed. The caller frees.
 */
char *command_home_dup(void);
/* home + "/" + name; the caller frees. */
char *command_path_dup(const char *name);

#endif
