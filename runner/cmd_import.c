/* kvlab import: a folder of prediction files as a run of the database. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/log.h"
#include "runner/command.h"
#include "runner/import.h"
#include "runner/scoring.h"

static int import(int argc, char **argv);

const struct command cmd_import = {
    .name = "import",
    .summary = "store anybody's predictions and their scores in the database",
    .usage = "import DIR --model NAME [--setting TEXT] [-e] [--db PATH]\n\n"
             "  DIR             holds TASK.jsonl as LongBench's pred.py writes them\n"
             "  --model NAME    whose answers they are\n"
             "  --setting TEXT  how they were made (imported); full is the reference of reports\n"
             "  -e              these are answers to LongBench-E\n"
             "  --db PATH       the database (kvlab.db), made where there is none\n\n"
             "A folder that is there already adds nothing. kvlab report table --experiment\n"
             "imports (-e: imports_e) shows what was imported.",
    .run = import,
};

static int store_folder(const struct scoring *s, const struct import_request *r, const char *db,
                        struct imported *out, struct err *e)
{
    struct store *store;
    if (store_open(db, STORE_CREATE, &store, e))
        return -1;
    int rc = import_scored(store, s, r, out, e);
    store_close(store);
    return rc;
}

/* A file that is refused would be missing from the run without a trace. */
static int check(const struct scoring *s, struct err *e)
{
    int broken = 0;
    for (size_t i = 0; i < s->n; i++)
        broken += s->tasks[i].state == SCORING_BROKEN;
    return broken ? err_user(e, "%s: nothing is imported: %d of its files %s refused", s->dir,
                             broken, broken == 1 ? "is" : "are")
                  : 0;
}

static int import_folder(const char *dir, const struct import_request *r, const char *db)
{
    struct scoring s;
    struct imported out = {0};
    struct err e;
    if (scoring_run(&s, dir, r->with_e, NULL, &e))
        return log_failure(&e);
    int bad = scoring_complain(&s);
    int rc = check(&s, &e) || store_folder(&s, r, db, &out, &e) ? log_failure(&e) : 0;
    scoring_release(&s);
    if (rc)
        return rc;
    if (out.known)
        printf("run %lld: is there already, nothing added\n", (long long)out.run);
    else
        printf("run %lld: %zu predictions, %zu scores\n", (long long)out.run, out.predictions,
               out.scores);
    return bad ? ERR_ITEM : 0;
}

static int import(int argc, char **argv)
{
    struct err e;
    const char *dir = NULL, *db = "kvlab.db";
    struct import_request r = {.setting = "imported"};
    int n, with_e = 0;
    const struct flag flags[] = {{.name = "--model", .value = &r.model},
                                 {.name = "--setting", .value = &r.setting},
                                 {.name = "--db", .value = &db},
                                 {.name = "-e", .on = &with_e},
                                 {0}};
    int rc = command_flags(&cmd_import, argc, argv, flags, &dir, 1, &n, &e);
    if (rc > 0)
        return 0;
    if (!rc && !n)
        rc = err_user(&e, "import: which folder? (usage: kvlab import DIR --model NAME)");
    if (!rc && (!r.model || !*r.model || !*r.setting))
        rc = err_user(&e, "import: whose answers are they? --model NAME says it, and --setting "
                          "must not be empty");
    if (rc)
        return log_failure(&e);
    r.with_e = with_e;
    return import_folder(dir, &r, db);
}
