/* The program: finds the command and runs it. */
#include <stdio.h>
#include <string.h>

#include "harness/base/log.h"
#include "harness/base/near.h"
#include "runner/command.h"

#define COMMAND(name) extern const struct command cmd_##name;
#include "runner/commands.def"
#undef COMMAND

#define COMMAND(name) &cmd_##name,
static const struct command *const commands[] = {
#include "runner/commands.def"
};
#undef COMMAND

enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void usage(FILE *f)
{
    fputs(
        "kvlab: what KV-cache compression does to a language model's answers, memory and speed\n\n"
        "usage: kvlab COMMAND ...        (kvlab COMMAND --help says more)\n\n",
        f);
    for (int i = 0; i < N_COMMANDS; i++)
        fprintf(f, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\nresults go to stdout, status to stderr; exit codes: 0 done, 1 some items failed,\n"
          "2 a mistake in what was asked (nothing was done), 3 cannot go on\n",
          f);
}

int main(int argc, char **argv)
{
    struct err e;
    char hint[128];
    const char *names[N_COMMANDS];
    if (argc < 2) {
        usage(stderr);
        return ERR_USER;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        usage(stdout);
        return 0;
    }
    for (int i = 0; i < N_COMMANDS; i++) {
        names[i] = commands[i]->name;
        if (!strcmp(argv[1], names[i]))
            return commands[i]->run(argc - 1, argv + 1);
    }
    err_user(&e, "unknown command '%s'%s (kvlab --help lists them)", argv[1],
             near_hint(hint, argv[1], names, N_COMMANDS));
    return log_failure(&e);
}
