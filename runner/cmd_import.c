/* kvlab import: a folder of prediction files as a run of the database, or published numbers. */
#include <stdio.h>
#include <string.h>

#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "runner/command.h"
#include "runner/import.h"
#include "runner/published_store.h"
#include "runner/scoring.h"

static int import(int argc, char **argv);

const struct command cmd_import = {
    .name = "import",
    .summary = "store anybody's predictions and scores, or published numbers, in the database",
    .usage = "import DIR --model NAME [--setting TEXT] [-e] [--backend NAME] [--db PATH]\n"
             "       kvlab import --published [PAPER|FILE.csv ...] [--db PATH]\n\n"
             "  DIR             holds TASK.jsonl as LongBench's pred.py writes them\n"
             "  --model NAME    whose answers they are\n"
             "  --setting TEXT  how they were made (imported); full is the reference of reports\n"
             "  -e              these are answers to LongBench-E\n"
             "  --backend NAME  of code_sim: difflib (default) or levenshtein\n"
             "  --published     numbers without answers: of the papers named, or of all in\n"
             "                  configs/papers/published, or of files of that form\n"
             "  --db PATH       the database (kvlab.db), made where there is none\n\n"
             "What is there already adds nothing. kvlab report table --experiment imports (-e:\n"
             "imports_e) shows imported answers, kvlab report against PAPER ours beside a paper's.",
    .run = import,
};

/* ---- predictions ---- */

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

static int import_folder(const char *dir, const struct import_request *r, const char *backend,
                         const char *db)
{
    struct scoring s;
    struct imported out = {0};
    struct err e;
    if (scoring_run(&s, dir, r->with_e, backend, &e))
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

/* ---- published numbers ---- */

/* Stated and recomputed: a reader of the numbers should know where they disagree. */
static void tell_of_averages(const struct published *p)
{
    struct buf wrong;
    buf_init(&wrong);
    struct published_check c = published_check(p, &wrong);
    if (c.wrong)
        log_note("%s: %zu of %zu stated averages are not what the stated tasks give, to the digits "
                 "that are printed (-v names them)",
                 p->paper, c.wrong, c.checked);
    for (char *line = wrong.s, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        log_verbose("%s", line);
    }
    buf_release(&wrong);
}

static int import_file(struct store *store, const char *path, struct err *e)
{
    struct published p;
    struct published_stored out;
    if (published_read(&p, path, e))
        return -1;
    int rc = published_store(store, &p, &out, e);
    if (!rc && !out.known)
        tell_of_averages(&p);
    if (!rc && out.known)
        printf("%s: is there already, nothing added\n", p.paper);
    else if (!rc)
        printf("%s: %zu numbers, %zu rows, %zu of them new\n", p.paper, p.n, out.runs, out.made);
    published_release(&p);
    return rc;
}

/* All files are found before the database is touched. */
static int import_files(char *const *files, size_t n, const char *db, struct err *e)
{
    struct store *store;
    if (store_open(db, STORE_CREATE, &store, e))
        return -1;
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++)
        rc = import_file(store, files[i], e);
    store_close(store);
    return rc;
}

static int import_published(const char *const *papers, int n, const char *db)
{
    struct err e;
    size_t n_files = (size_t)n;
    int rc = 0;
    char **files = n ? NULL : published_files_new(&n_files);
    if (n) {
        files = xcalloc(n_files, sizeof *files);
        for (int i = 0; i < n && !rc; i++)
            rc = (files[i] = published_path_dup(papers[i], &e)) ? 0 : -1;
    }
    if (!rc)
        rc = import_files(files, n_files, db, &e);
    published_free_files(files, n_files);
    return rc ? log_failure(&e) : 0;
}

/* ---- the command line ---- */

enum { MOST_PAPERS = 64 };

static int check_flags(const struct import_request *r, const char *backend, bool published, int n,
                       struct err *e)
{
    if (published && (r->model || r->setting || r->with_e || backend))
        return err_user(e, "import: --published goes with --db alone");
    if (published)
        return 0;
    if (n != 1)
        return err_user(e, "import: %s (usage: kvlab import DIR --model NAME)",
                        n ? "one folder at a time" : "which folder?");
    if (!r->model || !*r->model || (r->setting && !*r->setting))
        return err_user(e, "import: whose answers are they? --model NAME says it, and --setting "
                           "must not be empty");
    return 0;
}

static int import(int argc, char **argv)
{
    struct err e;
    const char *rest[MOST_PAPERS], *db = "kvlab.db", *backend = NULL;
    struct import_request r = {0};
    int n, with_e = 0, published = 0;
    const struct flag flags[] = {{.name = "--model", .value = &r.model},
                                 {.name = "--setting", .value = &r.setting},
                                 {.name = "--db", .value = &db},
                                 {.name = "--backend", .value = &backend},
                                 {.name = "--published", .on = &published},
                                 {.name = "-e", .on = &with_e},
                                 {0}};
    int rc = command_flags(&cmd_import, argc, argv, flags, rest, MOST_PAPERS, &n, &e);
    if (rc > 0)
        return 0;
    r.with_e = with_e;
    if (rc || check_flags(&r, backend, published, n, &e))
        return log_failure(&e);
    if (published)
        return import_published(rest, n, db);
    r.setting = r.setting ? r.setting : "imported";
    return import_folder(rest[0], &r, backend, db);
}
