/* "samples", "data" and "tasks" of a configuration. */
#include "runner/experiment_int.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "runner/product.h"

#define AT(field) offsetof(struct exp_task, field)
/* clang-format off */
const struct opt exp_task_options[] = {
    {.name = "name", .type = OPT_STR, .offset = AT(name), .def_str = "",
     .help = "kvlab list tasks"},
    {.name = "samples", .type = OPT_INT, .offset = AT(samples), .min = 0, .max = 1e6, .def = 0,
     .help = "the first so many records; 0: all (of a generated task 10)"},
    {.name = "data_dir", .type = OPT_STR, .offset = AT(data_dir), .def_str = "",
     .help = "LongBench: folder with data.zip or data/*.jsonl and its two configs"},
    {.name = "words", .type = OPT_INT, .offset = AT(words), .min = 1, .max = 1e5, .def = 1000,
     .help = "generated tasks: length of a document; of a text: of what is read before"},
    {.name = "seed", .type = OPT_INT, .offset = AT(seed), .min = 0, .max = 2147483647, .def = 1,
     .help = "generated tasks: which records"},
    {.name = "file", .type = OPT_STR, .offset = AT(file), .def_str = "",
     .help = "task text: any UTF-8 text, of which windows are read"},
    {.name = "answer", .type = OPT_INT, .offset = AT(answer), .min = 1, .max = 1e5, .def = 64,
     .help = "task text: tokens behind a window by which it is judged"},
    {0}};
/* clang-format on */

enum { GENERATED_SAMPLES = 10, OPTIONS = sizeof exp_task_options / sizeof *exp_task_options };

/* Of texts alone; they came later. */
static bool of_text(const struct opt *o)
{
    return o->offset == AT(file) || o->offset == AT(answer);
}

void exp_task_put(const struct exp_task *t, struct buf *out)
{
    struct opt table[OPTIONS];
    size_t n = 0;
    for (const struct opt *o = exp_task_options; o->name; o++)
        if (!of_text(o) || t->task->source == SOURCE_TEXT)
            table[n++] = *o;
    table[n] = (struct opt){0};
    opt_put_json(table, t, out);
}

void exp_task_data(const struct exp_task *t, struct data_options *out)
{
    *out = (struct data_options){.words = t->words, .seed = t->seed, .answer = t->answer};
    snprintf(out->data_dir, sizeof out->data_dir, "%s", t->data_dir);
    snprintf(out->file, sizeof out->file, "%s", t->file);
}

/* Defaults of all tasks: "samples" and "data" at the top. */
static int read_task_defaults(struct exp_task *t, const struct json *root, const char *path,
                              struct err *e)
{
    const struct json *samples = json_get(root, "samples"), *data = json_get(root, "data");
    opt_defaults(exp_task_options, t);
    if (samples && opt_read_member(exp_task_options, t, samples, path, e))
        return -1;
    if (!data)
        return 0;
    struct buf where;
    buf_init(&where);
    buf_printf(&where, "%s: data", path);
    int rc = opt_read(exp_task_options, t, data, where.s, e);
    buf_release(&where);
    if (!rc && t->name[0])
        return err_user(e, "%s: data: unknown key 'name'", path);
    return rc;
}

static int read_task(struct exp_task *t, const struct json *entry, const char *where, struct err *e)
{
    if (json_type(entry) == JSON_STRING)
        snprintf(t->name, sizeof t->name, "%.255s", json_string(entry).s);
    else if (opt_read(exp_task_options, t, entry, where, e))
        return -1;
    t->task = task_find(t->name, e);
    if (!t->task)
        return err_in(e, "%s", where);
    if (t->task->source == SOURCE_MINI && t->samples == 0)
        t->samples = GENERATED_SAMPLES;
    if (t->task->source == SOURCE_LONGBENCH && !t->data_dir[0])
        return err_user(e,
                        "%s: task '%s' reads LongBench's files: name their folder as data.data_dir "
                        "(README: LongBench)",
                        where, t->name);
    if (t->task->source == SOURCE_TEXT && !t->file[0])
        return err_user(e, "%s: task '%s' reads a text of yours: name its 'file'", where, t->name);
    return 0;
}

/* Only other records make a task of the same name another one. */
static bool same_records(const struct exp_task *a, const struct exp_task *b)
{
    if (strcmp(a->name, b->name))
        return false;
    if (a->task->source == SOURCE_TEXT)
        return !strcmp(a->file, b->file) && a->words == b->words && a->answer == b->answer;
    return a->task->source == SOURCE_LONGBENCH || (a->words == b->words && a->seed == b->seed);
}

/* What tells tasks of one name apart, for the message that nothing does. */
static const char *what_differs(const struct task *t)
{
    static const char *const what[] = {[SOURCE_LONGBENCH] = "",
                                       [SOURCE_MINI] = " with equal words and seed",
                                       [SOURCE_TEXT] = " with equal file, words and answer"};
    return what[t->source];
}

/* One entry's task, as the lists in it are at one of their combinations. */
static int add_task(struct experiment *x, const struct exp_task *defaults, const struct json *entry,
                    const char *where, struct err *e)
{
    struct exp_task *t = &x->tasks[x->n_tasks];
    if (x->n_tasks == TASKS_MAX)
        return err_user(e, "%s: there are more than %d tasks", where, TASKS_MAX);
    *t = *defaults;
    if (read_task(t, entry, where, e))
        return -1;
    if (x->limit && (t->samples == 0 || t->samples > x->limit))
        t->samples = x->limit;
    for (int i = 0; i < x->n_tasks; i++)
        if (same_records(&x->tasks[i], t))
            return err_user(e, "%s: task '%s' is listed twice%s", where, t->name,
                            what_differs(t->task));
    x->n_tasks++;
    return 0;
}

static bool is_key(const struct json *m, const char *name)
{
    return !strcmp(json_key(m), name);
}

/* Lists make several tasks, of generated ones and of texts. */
static int check_list(const struct json *m, const struct task *task, const char *where,
                      struct err *e)
{
    bool words = is_key(m, "words"), seed = is_key(m, "seed"), file = is_key(m, "file");
    if (!words && !seed && !file)
        return err_user(e, "%s: key '%s' is a list: only 'words', 'seed' and 'file' may be", where,
                        json_key(m));
    if (task && !(task->source == SOURCE_MINI && (words || seed)) &&
        !(task->source == SOURCE_TEXT && (words || file)))
        return err_user(e, "%s: key '%s' is a list, and task '%s' is not generated%s", where,
                        json_key(m), task->name, seed ? "" : " and no text");
    return 0;
}

static int check_members(const struct json *entry, const char *where, struct err *e)
{
    struct err none;
    const struct json *name = json_get(entry, "name");
    const struct task *task =
        name && json_type(name) == JSON_STRING ? task_find(json_string(name).s, &none) : NULL;
    for (const struct json *m = json_first(entry); m; m = json_next(m)) {
        if (task && task->source != SOURCE_TEXT && (is_key(m, "file") || is_key(m, "answer")))
            return err_user(e, "%s: key '%s' is of task 'text', not of '%s'", where, json_key(m),
                            task->name);
        if (json_type(m) == JSON_ARRAY && check_list(m, task, where, e))
            return -1;
    }
    return product_check(entry, where, e);
}

static int read_entry(struct experiment *x, const struct exp_task *defaults,
                      const struct json *entry, const char *where, struct err *e)
{
    if (json_type(entry) != JSON_OBJECT)
        return add_task(x, defaults, entry, where, e);
    if (check_members(entry, where, e))
        return -1;
    size_t n = product_count(entry);
    if (n > (size_t)(TASKS_MAX - x->n_tasks))
        return err_user(e, "%s: makes %zu tasks, at most %d in all are allowed", where, n,
                        TASKS_MAX);
    for (size_t i = 0; i < n; i++) {
        struct json *point = product_at(entry, i);
        int rc = add_task(x, defaults, point, where, e);
        json_free(point);
        if (rc)
            return rc;
    }
    return 0;
}

/* A text has nothing to answer. */
static int check_metrics(const struct experiment *x, const char *path, struct err *e)
{
    for (int i = 0; i < x->n_tasks; i++)
        for (int v = 0; v < x->n_variants; v++)
            if (x->tasks[i].task->source == SOURCE_TEXT &&
                x->variants[v].protocol.judge == JUDGE_TASK)
                return err_user(e,
                                "%s: task '%s' has no answers to score: set protocol.metric to "
                                "nll, kl or agree",
                                path, x->tasks[i].name);
    return 0;
}

int experiment_read_tasks(struct experiment *x, const struct json *root, const char *path,
                          struct err *e)
{
    const struct json *list = json_need(root, "tasks", JSON_ARRAY, e);
    struct exp_task defaults;
    int place = 0;
    if (!list)
        return err_in(e, "%s", path);
    if (json_length(list) == 0 || json_length(list) > TASKS_MAX)
        return err_user(e, "%s: key 'tasks' must list from 1 to %d tasks", path, TASKS_MAX);
    if (read_task_defaults(&defaults, root, path, e))
        return -1;
    for (const struct json *m = json_first(list); m; m = json_next(m)) {
        char where[512];
        snprintf(where, sizeof where, "%.400s: tasks[%d]", path, place++);
        if (read_entry(x, &defaults, m, where, e))
            return -1;
    }
    return check_metrics(x, path, e);
}
