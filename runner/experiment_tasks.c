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
     .help = "generated tasks: length of a document"},
    {.name = "seed", .type = OPT_INT, .offset = AT(seed), .min = 0, .max = 2147483647, .def = 1,
     .help = "generated tasks: which records"},
    {0}};
/* clang-format on */

enum { GENERATED_SAMPLES = 10 };

void exp_task_data(const struct exp_task *t, struct data_options *out)
{
    *out = (struct data_options){.words = t->words, .seed = t->seed};
    snprintf(out->data_dir, sizeof out->data_dir, "%s", t->data_dir);
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
    return 0;
}

/* Only other records make a task of the same name another one. */
static bool same_records(const struct exp_task *a, const struct exp_task *b)
{
    return !strcmp(a->name, b->name) &&
           (a->task->source != SOURCE_MINI || (a->words == b->words && a->seed == b->seed));
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
                            t->task->source == SOURCE_MINI ? " with equal words and seed" : "");
    x->n_tasks++;
    return 0;
}

/* Lists of words and seeds make several tasks, of generated ones. */
static int check_lists(const struct json *entry, const char *where, struct err *e)
{
    struct err none;
    const struct json *name = json_get(entry, "name");
    const struct task *task =
        name && json_type(name) == JSON_STRING ? task_find(json_string(name).s, &none) : NULL;
    for (const struct json *m = json_first(entry); m; m = json_next(m)) {
        if (json_type(m) != JSON_ARRAY)
            continue;
        if (strcmp(json_key(m), "words") && strcmp(json_key(m), "seed"))
            return err_user(e, "%s: key '%s' is a list: only 'words' and 'seed' may be", where,
                            json_key(m));
        if (task && task->source != SOURCE_MINI)
            return err_user(e, "%s: key '%s' is a list, and task '%s' is not generated", where,
                            json_key(m), task->name);
    }
    return product_check(entry, where, e);
}

static int read_entry(struct experiment *x, const struct exp_task *defaults,
                      const struct json *entry, const char *where, struct err *e)
{
    if (json_type(entry) != JSON_OBJECT)
        return add_task(x, defaults, entry, where, e);
    if (check_lists(entry, where, e))
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
    return 0;
}
