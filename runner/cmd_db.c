/* kvlab db: looking after databases: check, merge, prune, vacuum. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/log.h"
#include "harness/base/near.h"
#include "harness/store/store_care.h"
#include "runner/command.h"

static int db(int argc, char **argv);

const struct command cmd_db = {
    .name = "db",
    .summary = "check a database, merge several, prune, vacuum",
    .usage =
        "db check [FILE]\n"
        "       kvlab db merge INTO FROM...\n"
        "       kvlab db prune [FILE] WHAT... [--dry-run] [--yes]\n"
        "       kvlab db vacuum [FILE]\n\n"
        "FILE is kvlab.db unless it is said.\n\n"
        "check: is the file whole, and does what must hold between its rows hold? Changes\n"
        "nothing. Exit code 1 when something is wrong, 2 when it is no database of kvlab's.\n\n"
        "merge: all that the other files hold, also of earlier versions, goes into the first,\n"
        "which is made when it is missing. Results are known by what decides them: none is\n"
        "doubled, done goes before failed before not run. The order of the files does not\n"
        "matter, and merging again changes nothing. Two different answers to one question,\n"
        "scores of one answer or published numbers are named, both values and which is kept\n"
        "(the earlier answer, the lower number), and the exit code is 1. A file that cannot\n"
        "be read is named and the others go on. Others may write to the first file meanwhile;\n"
        "a merge that was stopped can be done again.\n\n"
        "prune: removes\n"
        "  --experiment NAME          an experiment, and results that no other one asks for\n"
        "  --runs-without-experiment  runs that no experiment shows, with their items\n"
        "  --failed                   items that failed; kvlab run plans them again\n"
        "  --published                numbers of papers\n"
        "after showing how much and asking; --yes asks nothing, --dry-run only shows.\n\n"
        "vacuum: makes the file as small as what it holds; not while others work on it.",
    .run = db,
};

static const char default_path[] = "kvlab.db";

/* ---- check ---- */

static void print_finding(void *arg, bool bad, const char *text)
{
    int *wrong = arg;
    *wrong += bad;
    printf("%s: %s\n", bad ? "wrong" : "note", text);
}

static int db_check(int argc, char **argv, struct err *e)
{
    const char *path = default_path;
    const struct flag flags[] = {{"--db", &path, NULL, NULL, 0, NULL}, {0}};
    int n, wrong = 0;
    int rc = command_flags(&cmd_db, argc, argv, flags, &path, 1, &n, e);
    if (rc)
        return rc > 0 ? 0 : -1;
    if (store_check(path, print_finding, &wrong, e))
        return err_in(e, "db check");
    printf("%s: %s\n", path, wrong ? "not sound" : "sound");
    return wrong ? ERR_ITEM : 0;
}

/* ---- merge ---- */

enum { SOURCES_MAX = 256, TOLD_MAX = 20 };

static void print_conflict(void *arg, const struct store_conflict *c)
{
    int *n = arg;
    if (++*n <= TOLD_MAX)
        printf("conflict: %s: %s: here %s, there %s: %s\n", c->what, c->where, c->ours, c->theirs,
               c->takes_theirs ? "took the one there" : "kept the one here");
}

/* 0, or the exit code of what was found. */
static int merge_one(struct store *s, const char *path)
{
    struct err e;
    struct store_merged m;
    int told = 0;
    int rc = store_merge(s, path, &m, print_conflict, &told, &e);
    if (told > TOLD_MAX)
        printf("conflict: %d more\n", told - TOLD_MAX);
    if (rc)
        return log_failure(&e);
    printf("%s: items %lld: new %lld, more than before %lld, the same %lld, conflicts %lld\n", path,
           (long long)m.items, (long long)m.added, (long long)m.better, (long long)m.same,
           (long long)m.conflicts);
    return told ? ERR_ITEM : 0;
}

static int db_merge(int argc, char **argv, struct err *e)
{
    const char *paths[SOURCES_MAX];
    struct store *s;
    int n, worst = 0;
    int rc =
        command_flags(&cmd_db, argc, argv, (const struct flag[]){{0}}, paths, SOURCES_MAX, &n, e);
    if (rc)
        return rc > 0 ? 0 : -1;
    if (n < 2)
        return err_user(e, "db merge: into which database, and which others? (usage: kvlab db "
                           "merge INTO FROM...)");
    if (store_open(paths[0], STORE_CREATE, &s, e))
        return err_in(e, "db merge");
    for (int i = 1; i < n; i++) {
        rc = merge_one(s, paths[i]);
        worst = rc > worst ? rc : worst;
    }
    store_close(s);
    return worst;
}

/* ---- prune ---- */

static void print_pruned(const char *path, const char *verb, const struct store_pruned *p)
{
    printf("%s: %s: experiments %lld, runs %lld, items %lld (done: %lld)\n", path, verb,
           (long long)p->experiments, (long long)p->runs, (long long)p->jobs, (long long)p->done);
}

/* A name that is not there, with the nearest that is. */
static int check_experiment(struct store *s, const char *name, struct err *e)
{
    enum { MAX = 256 };
    struct stmt *q;
    char *names[MAX], hint[128];
    int n = 0, rc;
    bool found = false;
    if (stmt_open(store_db(s), "SELECT DISTINCT name FROM experiment ORDER BY plans DESC", NULL, 0,
                  &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        found = found || text_is(stmt_text(q, 0), name);
        if (n < MAX)
            names[n++] = stmt_str_dup(q, 0);
    }
    stmt_close(q);
    if (!rc && !found)
        rc = err_user(e, "there is no experiment '%s'%s", name,
                      near_hint(hint, name, (const char *const *)names, (size_t)n));
    while (n)
        free(names[--n]);
    return rc;
}

/* Only a person at a terminal is asked. */
static int ask(struct err *e)
{
    char line[16];
    if (!isatty(STDIN_FILENO))
        return err_user(e, "nothing was removed: --yes does it, --dry-run only shows it");
    fputs("remove them? (y/n) ", stderr);
    if (fgets(line, sizeof line, stdin) && (*line == 'y' || *line == 'Y'))
        return 0;
    return err_user(e, "nothing was removed");
}

static int prune_open(struct store *s, const char *path, const struct store_prune *what, bool dry,
                      bool yes, struct err *e)
{
    struct store_pruned p;
    if (what->experiment && check_experiment(s, what->experiment, e))
        return -1;
    if (store_prune(s, what, true, &p, e))
        return -1;
    print_pruned(path, "would remove", &p);
    fflush(stdout);
    if (dry || !(p.experiments + p.runs + p.jobs))
        return 0;
    if (!yes && ask(e))
        return -1;
    if (store_prune(s, what, false, &p, e))
        return -1;
    print_pruned(path, "removed", &p);
    return 0;
}

static int db_prune(int argc, char **argv, struct err *e)
{
    const char *path = default_path, *experiment = NULL;
    int runs = 0, failed = 0, published = 0, dry = 0, yes = 0, n;
    const struct flag flags[] = {{.name = "--experiment", .value = &experiment},
                                 {.name = "--runs-without-experiment", .on = &runs},
                                 {.name = "--failed", .on = &failed},
                                 {.name = "--published", .on = &published},
                                 {.name = "--dry-run", .on = &dry},
                                 {.name = "--yes", .on = &yes},
                                 {.name = "--db", .value = &path},
                                 {0}};
    struct store *s;
    int rc = command_flags(&cmd_db, argc, argv, flags, &path, 1, &n, e);
    if (rc)
        return rc > 0 ? 0 : -1;
    const struct store_prune what = {experiment, runs, failed, published};
    if (!experiment && !runs && !failed && !published)
        return err_user(e, "db prune: what? --experiment NAME, --runs-without-experiment, "
                           "--failed or --published");
    if (store_open(path, STORE_READWRITE, &s, e))
        return err_in(e, "db prune");
    rc = prune_open(s, path, &what, dry, yes, e);
    store_close(s);
    return rc ? err_in(e, "db prune") : 0;
}

/* ---- vacuum ---- */

static int db_vacuum(int argc, char **argv, struct err *e)
{
    const char *path = default_path;
    const struct flag flags[] = {{.name = "--db", .value = &path}, {0}};
    struct store *s;
    int64_t before, after;
    int n, rc = command_flags(&cmd_db, argc, argv, flags, &path, 1, &n, e);
    if (rc)
        return rc > 0 ? 0 : -1;
    if (store_open(path, STORE_READWRITE, &s, e))
        return err_in(e, "db vacuum");
    rc = store_vacuum(s, &before, &after, e);
    store_close(s);
    if (rc)
        return err_in(e, "db vacuum");
    printf("%s: %lld bytes before, %lld after\n", path, (long long)before, (long long)after);
    return 0;
}

/* ---- the command ---- */

/* Each returns an exit code, or -1 with the error. */
static const struct {
    const char *name;
    int (*run)(int argc, char **argv, struct err *e);
} verbs[] = {{"check", db_check}, {"merge", db_merge}, {"prune", db_prune}, {"vacuum", db_vacuum}};

enum { N_VERBS = sizeof verbs / sizeof *verbs };

static int db(int argc, char **argv)
{
    struct err e;
    char hint[128];
    const char *names[N_VERBS];
    if (argc < 2 || *argv[1] == '-') {
        int n, rc = command_flags(&cmd_db, argc, argv, (const struct flag[]){{0}}, NULL, 0, &n, &e);
        if (!rc)
            err_user(&e, "db: what? check, merge, prune or vacuum (kvlab db --help)");
        return rc > 0 ? 0 : log_failure(&e);
    }
    for (int i = 0; i < N_VERBS; i++) {
        names[i] = verbs[i].name;
        if (strcmp(argv[1], names[i]))
            continue;
        int rc = verbs[i].run(argc - 1, argv + 1, &e);
        return rc < 0 ? log_failure(&e) : rc;
    }
    err_user(&e, "db: '%s' is no part of it: check, merge, prune or vacuum%s", argv[1],
             near_hint(hint, argv[1], names, N_VERBS));
    return log_failure(&e);
}
