#include "runner/scoring.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "harness/base/near.h"
#include "harness/base/pool.h"

/* ---- which files ---- */

static int order_of(const struct scoring_task *t)
{
    return t->task ? (int)(t->task - task_all) : (int)task_count;
}

static int by_order(const void *a, const void *b)
{
    const struct scoring_task *x = a, *y = b;
    return order_of(x) != order_of(y) ? order_of(x) - order_of(y) : strcmp(x->file, y->file);
}

static bool ends_in_jsonl(const char *name)
{
    size_t n = strlen(name);
    return n >= 5 && !strcmp(name + n - 5, "jsonl");
}

/* By its exact name: the E files of LongBench have the names of the others in official folders. */
static const struct task *find_exactly(const char *name)
{
    for (size_t i = 0; i < task_count; i++)
        if (!strcmp(task_all[i].name, name))
            return &task_all[i];
    return NULL;
}

static void add_file(struct scoring *s, const char *file)
{
    s->tasks = xrealloc(s->tasks, mem_size(s->n + 1, sizeof *s->tasks));
    s->tasks[s->n++] = (struct scoring_task){
        .file = xstrdup(file), .name = xstrndup(file, strcspn(file, ".")), .all = {0, NAN, NAN}};
    struct scoring_task *t = &s->tasks[s->n - 1];
    t->task = find_exactly(t->name);
}

static int list_files(struct scoring *s, struct err *e)
{
    DIR *d = opendir(s->dir);
    if (!d)
        return err_user(e, "%s: %s; a folder of LongBench predictions (TASK.jsonl) is wanted",
                        s->dir, strerror(errno));
    for (struct dirent *f; (f = readdir(d));)
        if (ends_in_jsonl(f->d_name))
            add_file(s, f->d_name);
    closedir(d);
    if (!s->n)
        return err_user(e, "%s holds no file whose name ends in jsonl; eval.py would write {}",
                        s->dir);
    qsort(s->tasks, s->n, sizeof *s->tasks, by_order);
    return 0;
}

/* ---- what each is ---- */

static int unknown_task(struct scoring_task *t)
{
    struct err none;
    char hint[128];
    const char *names[64];
    size_t n = 0;
    const struct task *base = task_find(t->name, &none);
    if (base)
        return err_item(&t->why,
                        "%s: eval.py knows no task '%s' and would end with KeyError; in its "
                        "folders LongBench-E's file is %s.jsonl, too",
                        t->file, t->name, base->name);
    for (; n < task_count && n < sizeof names / sizeof *names; n++)
        names[n] = task_all[n].name;
    return err_item(&t->why, "%s: unknown task '%s'%s; eval.py would end with KeyError", t->file,
                    t->name, near_hint(hint, t->name, names, n));
}

static int check_task(struct scoring *s, size_t i)
{
    struct scoring_task *t = &s->tasks[i];
    struct err none;
    if (!t->task)
        return unknown_task(t);
    if (i && s->tasks[i - 1].task == t->task)
        return err_item(&t->why,
                        "%s: task %s has its predictions in %s; of two files eval.py would keep "
                        "the one that the system happens to list last",
                        t->file, t->name, s->tasks[i - 1].file);
    t->metric_name = scoring_metric(t->task, s->backend);
    t->metric = metric_find(t->metric_name, &none);
    return 0;
}

const char *scoring_metric(const struct task *t, const char *backend)
{
    bool code = !strcmp(t->metric, "code_sim_difflib");
    return code && !strcmp(backend, "levenshtein") ? "code_sim_levenshtein" : t->metric;
}

/* ---- the work, shared out: files first, then items ---- */

static void read_file(void *arg, int item, int worker)
{
    struct scoring *s = arg;
    struct scoring_task *t = &s->tasks[item];
    struct text content;
    (void)worker;
    char *path = file_join_dup(s->dir, t->file);
    int rc = check_task(s, (size_t)item);
    if (!rc && !(rc = file_read(path, &content, &t->why))) {
        rc = predictions_read(content, t->file, s->with_e, &t->predictions, &t->why);
        free((void *)content.s);
    }
    free(path);
    t->state = rc ? SCORING_BROKEN : t->metric ? SCORING_DONE : SCORING_SKIPPED;
    t->why.class = ERR_ITEM;
    if (t->state == SCORING_SKIPPED)
        err_item(&t->why, "%s: skipped: metric %s is not in this version", t->file, t->metric_name);
}

struct items {
    struct scoring *s;
    size_t *first; // [s->n + 1]: items before the task's
};

static int score_item(const struct scoring_task *t, size_t i, double *out, struct err *e)
{
    /* eval.py has read the file when it scores, and all_classes is that of the last line. */
    const struct prediction *p = &t->predictions.list[i],
                            *last = &t->predictions.list[t->predictions.n - 1];
    return metric_item(t->metric, p->pred, t->task->first_line, p->answers, p->n_answers,
                       last->classes, last->n_classes, out, e);
}

static void score_one(void *arg, int item, int worker)
{
    const struct items *all = arg;
    struct err e;
    size_t k = 0;
    (void)worker;
    while (all->first[k + 1] <= (size_t)item)
        k++;
    struct scoring_task *t = &all->s->tasks[k];
    size_t i = (size_t)item - all->first[k];
    if (score_item(t, i, &t->scores[i], &e))
        t->scores[i] = NAN;
}

/* The first item without a score is scored again for its message. */
static void find_unscored(struct scoring_task *t)
{
    double x;
    for (size_t i = 0; i < t->predictions.n; i++) {
        if (!isnan(t->scores[i]))
            continue;
        if (score_item(t, i, &x, &t->why))
            err_in(&t->why, "%s:%zu", t->file, i + 1);
        t->state = SCORING_UNSCORED;
        return;
    }
}

static void sum_up(struct scoring *s, struct scoring_task *t)
{
    size_t n = t->predictions.n;
    find_unscored(t);
    if (t->state != SCORING_DONE)
        return;
    t->all = aggregate_scorer(t->scores, n);
    if (!s->with_e)
        return;
    long *length = xmalloc(mem_size(n, sizeof *length));
    for (size_t i = 0; i < n; i++)
        length[i] = t->predictions.list[i].length;
    aggregate_scorer_e(t->scores, length, n, t->bucket);
    free(length);
}

static void score_all(struct scoring *s, struct pool *pool)
{
    struct items all = {s, xcalloc(s->n + 1, sizeof *all.first)};
    for (size_t k = 0; k < s->n; k++) {
        struct scoring_task *t = &s->tasks[k];
        size_t n = t->state == SCORING_DONE ? t->predictions.n : 0;
        t->scores = xcalloc(n + 1, sizeof *t->scores);
        all.first[k + 1] = all.first[k] + n;
    }
    pool_run(pool, (int)all.first[s->n], score_one, &all);
    for (size_t k = 0; k < s->n; k++)
        if (s->tasks[k].state == SCORING_DONE)
            sum_up(s, &s->tasks[k]);
    free(all.first);
}

int scoring_run(struct scoring *s, const char *dir, bool with_e, const char *backend, struct err *e)
{
    *s = (struct scoring){xstrdup(dir), with_e, backend ? backend : "difflib", NULL, 0};
    if (strcmp(s->backend, "difflib") && strcmp(s->backend, "levenshtein")) {
        err_user(e, "--backend is '%s', must be difflib or levenshtein", backend);
        scoring_release(s);
        return -1;
    }
    if (list_files(s, e)) {
        scoring_release(s);
        return -1;
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct pool *pool = pool_new(cores > 0 ? (int)cores : 1);
    pool_run(pool, (int)s->n, read_file, s);
    score_all(s, pool);
    pool_free(pool);
    return 0;
}

void scoring_release(struct scoring *s)
{
    for (size_t i = 0; i < s->n; i++) {
        struct scoring_task *t = &s->tasks[i];
        predictions_release(&t->predictions);
        free(t->scores);
        free(t->file);
        free(t->name);
    }
    free(s->tasks);
    free(s->dir);
    *s = (struct scoring){0};
}

int scoring_complain(const struct scoring *s)
{
    int n = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct scoring_task *t = &s->tasks[i];
        if (t->state == SCORING_DONE)
            continue;
        n++;
        log_warn("%s%s", t->why.msg,
                 t->state == SCORING_UNSCORED ? "; eval.py would end here with an exception" : "");
    }
    return n;
}
