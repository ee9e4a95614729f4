/* What the column task of a file of published numbers may say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/near.h"
#include "runner/published.h"

static const char *const languages[] = {"en", "zh"};
enum { LANGUAGES = 2, CATEGORY_COUNT = CAT_CODE + 1, MOST_TASKS = 34, NAME_MAX_BYTES = 64 };

static const struct task *find_task(const char *name)
{
    for (size_t i = 0; i < task_count; i++)
        if (task_all[i].source == SOURCE_LONGBENCH && !strcmp(task_all[i].name, name))
            return &task_all[i];
    return NULL;
}

static void category_average(char out[NAME_MAX_BYTES], int c, int language)
{
    snprintf(out, NAME_MAX_BYTES, "%s (%s)", category_name((enum category)c), languages[language]);
}

static bool is_category(const char *name, struct published_what *out)
{
    char wanted[NAME_MAX_BYTES];
    for (int l = 0; l < LANGUAGES; l++) {
        out->language = languages[l];
        snprintf(wanted, sizeof wanted, "mean of 6 categories (%s)", languages[l]);
        out->kind = PUBLISHED_CATEGORIES;
        if (!strcmp(name, wanted))
            return true;
        out->kind = PUBLISHED_CATEGORY;
        for (int c = 0; c < CATEGORY_COUNT; c++) {
            out->category = (enum category)c;
            category_average(wanted, c, l);
            if (!strcmp(name, wanted))
                return true;
        }
    }
    return false;
}

static bool is_mean(const char *name, struct published_what *out)
{
    char wanted[NAME_MAX_BYTES];
    *out = (struct published_what){.kind = PUBLISHED_TASKS};
    if (!strcmp(name, "mean of tasks"))
        return true;
    for (out->n = 2; out->n <= MOST_TASKS; out->n++) {
        snprintf(wanted, sizeof wanted, "mean of %d tasks", out->n);
        if (!strcmp(name, wanted))
            return true;
    }
    return false;
}

static int unknown(const char *name, struct err *e)
{
    char average[LANGUAGES * CATEGORY_COUNT][NAME_MAX_BYTES], hint[128];
    const char *names[64] = {"mean of tasks", "mean of 16 tasks", "mean of 15 tasks",
                             "mean of 6 categories (en)", "mean of 6 categories (zh)"};
    size_t n = 5;
    for (int i = 0; i < LANGUAGES * CATEGORY_COUNT; i++) {
        category_average(average[i], i / LANGUAGES, i % LANGUAGES);
        names[n++] = average[i];
    }
    for (size_t i = 0; i < task_count && n < sizeof names / sizeof *names; i++)
        if (task_all[i].source == SOURCE_LONGBENCH)
            names[n++] = task_all[i].name;
    return err_user(e,
                    "task is '%s', must be one of LongBench or an average (\"mean of 16 tasks\", "
                    "\"mean of 6 categories (en)\", \"code (en)\")%s",
                    name, near_hint(hint, name, names, n));
}

int published_what(const char *name, struct published_what *out, struct err *e)
{
    *out = (struct published_what){.kind = PUBLISHED_TASK, .task = find_task(name)};
    if (out->task || is_category(name, out) || is_mean(name, out))
        return 0;
    return unknown(name, e);
}
