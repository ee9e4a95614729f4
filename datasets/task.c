/* The table of tasks. */
#include "datasets/dataset.h"

#include <stdio.h>
#include <string.h>

#include "datasets/longbench.h"
#include "harness/base/near.h"

enum { NO_CHAT = 1, FIRST_LINE = 2, NEWLINE_STOP = 4 };

#define TASK(name_, source_, category_, metric_, language_, flags, max_new)                        \
    {.name = name_,                                                                                \
     .source = SOURCE_##source_,                                                                   \
     .category = CAT_##category_,                                                                  \
     .metric = metric_,                                                                            \
     .language = language_,                                                                        \
     .no_chat = ((flags)&NO_CHAT) != 0,                                                            \
     .first_line = ((flags)&FIRST_LINE) != 0,                                                      \
     .newline_stop = ((flags)&NEWLINE_STOP) != 0,                                                  \
     .max_new_tokens = max_new},
const struct task task_all[] = {
#include "datasets/tasks.def"
};
#undef TASK

#define N_TASKS (sizeof task_all / sizeof *task_all)
const size_t task_count = N_TASKS;

const char *category_name(enum category c)
{
    static const char *const names[] = {
        [CAT_SINGLE_DOC] = "single-doc QA",
        [CAT_MULTI_DOC] = "multi-doc QA",
        [CAT_SUMMARY] = "summarization",
        [CAT_FEW_SHOT] = "few-shot",
        [CAT_SYNTHETIC] = "synthetic",
        [CAT_CODE] = "code",
        [CAT_TEXT] = "text",
    };
    return names[c];
}

static const struct task *named(const char *name, size_t n)
{
    for (size_t i = 0; i < task_count; i++)
        if (strlen(task_all[i].name) == n && !memcmp(task_all[i].name, name, n))
            return &task_all[i];
    return NULL;
}

bool task_has_e(const struct task *t)
{
    char name[64];
    snprintf(name, sizeof name, "%s_e", t->name);
    return t->source == SOURCE_LONGBENCH && longbench_file_find(name) != NULL;
}

const struct task *task_find(const char *name, struct err *e)
{
    const char *names[N_TASKS];
    char hint[128];
    size_t n = strlen(name);
    const struct task *t = named(name, n);
    if (t)
        return t;
    bool is_e = n > 2 && !strcmp(name + n - 2, "_e");
    if (is_e && (t = named(name, n - 2)) != NULL) {
        if (task_has_e(t))
            return t;
        err_user(e, "unknown task '%s': LongBench-E has no file for %s", name, t->name);
        return NULL;
    }
    for (size_t i = 0; i < task_count; i++)
        names[i] = task_all[i].name;
    err_user(e, "unknown task '%s'%s (kvlab list tasks names them)", name,
             near_hint(hint, name, names, task_count));
    return NULL;
}
