/* kvlab export: a run's predictions as the files that LongBench's eval.py reads. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "datasets/dataset.h"
#include "datasets/prediction.h"
#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "harness/store/store.h"
#include "runner/command.h"
#include "runner/import.h"

static int export(int argc, char **argv);

const struct command cmd_export = {
    .name = "export",
    .summary = "write a run's predictions as official files",
    .usage = "export RUN DIR [-e] [--db PATH]\n\n"
             "  RUN        its number (kvlab query \"SELECT DISTINCT run, model, setting FROM\n"
             "             result\")\n"
             "  DIR        gets a file TASK.jsonl a task; none of them may be there\n"
             "  -e         the run's LongBench-E tasks, which have other tasks' file names\n"
             "  --db PATH  the database (kvlab.db)",
    .run = export,
};

struct export
{
    struct store *store;
    int64_t run;
    bool with_e;
    const char *dir;
    int files, items, missing;
};

/* Everything of a task, in the order of its data set. */
static const char items_sql[] =
    "SELECT j.prediction, s.answers, s.classes, s.length, j.sample FROM job j"
    " LEFT JOIN sample s ON s.hash = j.sample_hash"
    " WHERE j.run = ?1 AND j.task = ?2 AND j.state = 'done' ORDER BY j.sample_index, j.id";

/* A stored list is written as pred.py writes it already. */
static void put_item(const struct stmt *q, struct buf *out)
{
    struct text classes = stmt_text(q, 2), id = stmt_text(q, 4);
    buf_str(out, "{\"pred\": ");
    prediction_put_string(stmt_text(q, 0), out);
    buf_str(out, ", \"answers\": ");
    buf_text(out, stmt_text(q, 1));
    buf_str(out, ", \"all_classes\": ");
    buf_text(out, classes.s ? classes : text_of("null"));
    if (stmt_type(q, 3) != COL_NULL)
        buf_printf(out, ", \"length\": %lld", (long long)stmt_int(q, 3));
    if (strncmp(id.s, IMPORT_UNNAMED, strlen(IMPORT_UNNAMED)) != 0) {
        buf_str(out, ", \"_id\": ");
        prediction_put_string(id, out);
    }
    buf_str(out, "}\n");
}

static int put_items(struct export *x, int64_t task, struct buf *out, bool *classes_differ,
                     struct err *e)
{
    struct stmt *q;
    struct db_val v[] = {val_int(x->run), val_int(task)};
    struct text first = {NULL, 0};
    int rc;
    if (stmt_open(store_db(x->store), items_sql, v, 2, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        struct text classes = stmt_text(q, 2);
        if (!stmt_text(q, 1).s) {
            rc = err_user(e, "the answers to sample %s are not in the database", stmt_text(q, 4).s);
            break;
        }
        if (!first.s)
            first = text_dup(classes.s ? classes : text_of(""));
        *classes_differ |= !text_eq(first, classes.s ? classes : text_of(""));
        put_item(q, out);
        x->items++;
    }
    stmt_close(q);
    free((void *)first.s);
    return rc;
}

/* The file's name is the task's without the suffix of LongBench-E. */
static void file_name(const char *task, char out[128], bool *is_e)
{
    struct err unknown;
    const struct task *t = task_find(task, &unknown);
    *is_e = t && strcmp(t->name, task) != 0;
    snprintf(out, 128, "%.100s.jsonl", *is_e ? t->name : task);
}

static int make_folder(const char *dir, struct err *e)
{
    if (file_is_dir(dir) || !mkdir(dir, 0777))
        return 0;
    return err_user(e, "%s: cannot be made: %s", dir, strerror(errno));
}

static int write_file(const struct export *x, const char *file, const struct buf *b, struct err *e)
{
    char *path = file_join_dup(x->dir, file);
    int rc = make_folder(x->dir, e) ? -1
             : file_exists(path) ? err_user(e, "%s is there already; nothing is written over", path)
                                 : file_write(path, text_buf(b), e);
    free(path);
    return rc;
}

static int export_task(struct export *x, int64_t task, const char *name, int missing, struct err *e)
{
    char file[128];
    bool is_e, classes_differ = false;
    struct buf b;
    file_name(name, file, &is_e);
    if (is_e != x->with_e)
        return 0;
    x->missing += missing;
    buf_init(&b);
    int rc = put_items(x, task, &b, &classes_differ, e);
    if (!rc && b.n) {
        rc = write_file(x, file, &b, e);
        x->files++;
    }
    buf_release(&b);
    if (classes_differ)
        log_warn("%s: the lists of classes differ between records, and eval.py (and kvlab score) "
                 "uses that of the last line for all: scores there will not be those stored",
                 file);
    return rc ? err_in(e, "task %s", name) : 0;
}

/* A run has all jobs of its model, setting and protocol, from every experiment: with two data sets
 * of one name it cannot be written into one folder. */
static const char tasks_sql[] =
    "SELECT t.id, t.name, sum(j.state <> 'done'),"
    "   count(*) OVER (PARTITION BY t.name) FROM job j JOIN task t ON t.id = j.task"
    " WHERE j.run = ?1 GROUP BY t.id ORDER BY min(j.id)";

static int export_tasks(struct export *x, struct err *e)
{
    struct stmt *q;
    struct db_val v = val_int(x->run);
    int rc, n = 0;
    if (stmt_open(store_db(x->store), tasks_sql, &v, 1, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        char *name = stmt_str_dup(q, 1);
        n++;
        rc = stmt_int(q, 3) > 1 ? err_user(e,
                                           "run %lld has two sets of records for task %s, which "
                                           "one folder cannot hold",
                                           (long long)x->run, name)
                                : export_task(x, stmt_int(q, 0), name, (int)stmt_int(q, 2), e);
        free(name);
        if (rc)
            break;
    }
    stmt_close(q);
    if (!rc && !n)
        return err_user(e, "%s has no run %lld", db_path(store_db(x->store)), (long long)x->run);
    if (!rc && !x->files)
        return err_user(e, "run %lld has no predictions of %s tasks%s", (long long)x->run,
                        x->with_e ? "LongBench-E's" : "plain",
                        x->with_e ? "" : "; -e writes LongBench-E's");
    return rc;
}

static int export_run(struct export *x, const char *db, struct err *e)
{
    if (store_open(db, STORE_READONLY, &x->store, e))
        return -1;
    int rc = export_tasks(x, e);
    store_close(x->store);
    return rc;
}

static int export(int argc, char **argv)
{
    struct err e;
    const char *rest[2], *db = "kvlab.db";
    struct export x = {0};
    int n, with_e = 0;
    long run = 0;
    const struct flag flags[] = {
        {.name = "--db", .value = &db}, {.name = "-e", .on = &with_e}, {0}};
    int rc = command_flags(&cmd_export, argc, argv, flags, rest, 2, &n, &e);
    if (rc > 0)
        return 0;
    if (!rc && n < 2)
        rc = err_user(&e, "export: which run, and where to? (usage: kvlab export RUN DIR)");
    if (rc || command_int("export: RUN", rest[0], 1, 1L << 40, &run, &e))
        return log_failure(&e);
    x.run = run;
    x.dir = rest[1];
    x.with_e = with_e;
    if (export_run(&x, db, &e))
        return log_failure(&e);
    printf("%d files, %d predictions\n", x.files, x.items);
    if (x.missing)
        log_warn("%d items of run %ld have no prediction and are left out", x.missing, run);
    return x.missing ? ERR_ITEM : 0;
}
