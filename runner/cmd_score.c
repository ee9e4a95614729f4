/* kvlab score: LongBench's official scores of a folder of prediction files, or of the database. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/file.h"
#include "harness/base/log.h"
#include "runner/command.h"
#include "runner/rescore.h"
#include "runner/scoring.h"
#include "runner/terminal.h"

static int score(int argc, char **argv);

const struct command cmd_score = {
    .name = "score",
    .summary = "the official scores of anybody's LongBench predictions",
    .usage = "score DIR [-e] [--backend difflib|levenshtein] [-o FILE] [--items FILE] [--json]\n"
             "       kvlab score --rescore [--db PATH]\n\n"
             "  DIR             holds TASK.jsonl as LongBench's pred.py writes them\n"
             "  -e              by length, as for LongBench-E\n"
             "  --backend NAME  of code_sim: difflib (the default, what a plain install of\n"
             "                  LongBench's requirements uses) or levenshtein\n"
             "  -o FILE         write what eval.py writes as result.json, tasks in the order of\n"
             "                  kvlab list tasks (eval.py has that of the folder's listing)\n"
             "  --items FILE    write the score of every item, a JSON object a line\n"
             "  --json          print JSON instead of the table\n"
             "  --rescore       of the stored predictions of a database (kvlab.db): adds the\n"
             "                  scores of newer metrics, keeps the old ones",
    .run = score,
};

struct request {
    const char *backend, *result, *items, *db;
    int with_e, json, rescore;
};

static int print(const struct buf *b, struct err *e)
{
    if (fwrite(b->s, 1, b->n, stdout) != b->n || fflush(stdout))
        return err_system(e, "cannot write to stdout: %s", strerror(errno));
    return 0;
}

static int write_file(const struct scoring *s, const char *path,
                      void (*put)(const struct scoring *s, struct buf *out), struct err *e)
{
    struct buf b;
    if (!path)
        return 0;
    buf_init(&b);
    put(s, &b);
    int rc = file_write(path, text_buf(&b), e);
    buf_release(&b);
    return rc;
}

static int put_all(const struct scoring *s, const struct request *r, struct err *e)
{
    struct buf b;
    buf_init(&b);
    if (r->json)
        scoring_put_json(s, &b);
    else
        scoring_put_table(s, terminal_width(), &b);
    int rc = write_file(s, r->result, scoring_put_result, e) ||
             write_file(s, r->items, scoring_put_items, e) || print(&b, e);
    buf_release(&b);
    return rc ? -1 : 0;
}

static int score_folder(const char *dir, const struct request *r)
{
    struct scoring s;
    struct err e;
    if (scoring_run(&s, dir, r->with_e, r->backend, &e))
        return log_failure(&e);
    int bad = scoring_complain(&s);
    int rc = put_all(&s, r, &e) ? log_failure(&e) : bad ? ERR_ITEM : 0;
    scoring_release(&s);
    return rc;
}

static int score_database(const struct request *r)
{
    struct store *s;
    struct err e;
    struct rescored n;
    if (store_open(r->db ? r->db : "kvlab.db", STORE_READWRITE, &s, &e))
        return log_failure(&e);
    int rc = rescore(s, &n, &e);
    store_close(s);
    if (rc)
        return log_failure(&e);
    printf("%lld scores added, %lld items still without one\n", (long long)n.added,
           (long long)n.failed);
    return n.failed ? ERR_ITEM : 0;
}

static int check(const struct request *r, int n, struct err *e)
{
    if (r->rescore && (n || r->backend || r->result || r->items || r->with_e || r->json))
        return err_user(e, "score: --rescore goes with --db alone");
    if (!r->rescore && r->db)
        return err_user(e, "score: --db goes with --rescore (kvlab import stores a folder)");
    if (!r->rescore && !n)
        return err_user(e, "score: which folder? (usage: kvlab score DIR ...)");
    return 0;
}

static int score(int argc, char **argv)
{
    struct err e;
    struct request r = {0};
    const char *dir = NULL;
    int n;
    const struct flag flags[] = {{.name = "--backend", .value = &r.backend},
                                 {.name = "-o", .value = &r.result},
                                 {.name = "--items", .value = &r.items},
                                 {.name = "--db", .value = &r.db},
                                 {.name = "-e", .on = &r.with_e},
                                 {.name = "--json", .on = &r.json},
                                 {.name = "--rescore", .on = &r.rescore},
                                 {0}};
    int rc = command_flags(&cmd_score, argc, argv, flags, &dir, 1, &n, &e);
    if (rc > 0)
        return 0;
    if (rc || check(&r, n, &e))
        return log_failure(&e);
    return r.rescore ? score_database(&r) : score_folder(dir, &r);
}
