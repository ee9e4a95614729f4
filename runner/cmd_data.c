/* kvlab data: LongBench's files and the built-in generator. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/dataset.h"
#include "datasets/longbench.h"
#include "datasets/mini.h"
#include "datasets/record.h"
#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/base/near.h"
#include "runner/command.h"

static int data(int argc, char **argv);

const struct command cmd_data = {
    .name = "data",
    .summary = "LongBench's files: list, verify; the built-in tasks: generate",
    .usage =
        "data list [DIR]       the tasks, and how many records DIR has of each\n"
        "       kvlab data verify DIR       is each file what LongBench published?\n"
        "       kvlab data generate --task NAME [--n N] [--seed S] [--words W]\n"
        "                                   records of a built-in task, as JSON lines\n"
        "\n"
        "DIR holds LongBench's data.zip or its data/*.jsonl, and dataset2prompt.json and\n"
        "dataset2maxlen.json (or config/ with them).\n"
        "generate: --n (1) records of about --words (500) words, from --seed (1);\n"
        "--min-words M draws each record's length from M to W; --train Q writes training text\n"
        "with up to Q questions on one context instead",
    .run = data,
};

static int finish(struct err *e)
{
    return fflush(stdout) || ferror(stdout) ? err_system(e, "cannot write to stdout") : 0;
}

/* Records of one file of DIR, -1 when it is not there, -2 on error. */
static long count_records(const char *dir, const char *name, struct err *e)
{
    struct text content = {0};
    struct buf label;
    buf_init(&label);
    int rc = longbench_read(dir, name, &content, &label, e);
    long n = rc ? (rc == 1 ? -1 : -2) : record_count(content);
    free((void *)content.s);
    buf_release(&label);
    return n;
}

/* "found of published", padded to a column's width. */
static int put_count(const char *dir, const char *name, int width, struct err *e)
{
    char text[48];
    const struct longbench_file *f = longbench_file_find(name);
    long n = dir ? count_records(dir, name, e) : -1;
    if (n == -2)
        return -1;
    if (dir)
        snprintf(text, sizeof text, "%ld of %ld", n < 0 ? 0 : n, f->records);
    else
        snprintf(text, sizeof text, "%ld", f->records);
    printf("  %-*s", width, text);
    return 0;
}

static int list_task(const char *dir, const struct task *t, struct err *e)
{
    char name_e[64];
    printf("%-22s%-15s%-22s%-8s", t->name, category_name(t->category), t->metric, t->language);
    if (t->source != SOURCE_LONGBENCH) {
        puts(t->source == SOURCE_MINI ? "  generated" : "  a file of yours");
        return 0;
    }
    snprintf(name_e, sizeof name_e, "%s_e", t->name);
    bool has_e = task_has_e(t);
    if (put_count(dir, t->name, has_e ? 12 : 0, e) || (has_e && put_count(dir, name_e, 0, e)))
        return -1;
    putchar('\n');
    return 0;
}

static int data_list(const char *dir, struct err *e)
{
    if (dir && !file_is_dir(dir))
        return longbench_missing(dir, "", e);
    printf("%-22s%-15s%-22s%-8s  %-12s  %s\n", "task", "category", "metric", "language", "records",
           "of NAME_e");
    for (size_t i = 0; i < task_count; i++)
        if (list_task(dir, &task_all[i], e))
            return -1;
    return 0;
}

static int data_verify(const char *dir, struct err *e)
{
    struct buf out;
    int found, wrong;
    buf_init(&out);
    int rc = longbench_verify(dir, &out, &found, &wrong, e);
    fputs(out.s, stdout);
    buf_release(&out);
    if (rc)
        return -1;
    if (!found)
        return err_item(e, "%s: none of LongBench's files is there", dir);
    if (wrong)
        return err_item(e, "%s: %d of %d files are not the complete ones", dir, wrong, found);
    return 0;
}

struct generate_flags {
    const char *task, *n, *seed, *words, *min_words, *train;
};

static int data_generate(const struct generate_flags *f, struct err *e)
{
    long n = 1, seed = 1, words = 500, min_words = 0, questions = 0;
    if (!f->task)
        return err_user(e, "data generate: which --task? (kvlab data list names them: mini_...)");
    if ((f->n && command_int("--n", f->n, 1, LONG_MAX, &n, e)) ||
        (f->seed && command_int("--seed", f->seed, 0, LONG_MAX, &seed, e)) ||
        (f->words && command_int("--words", f->words, 1, MINI_WORDS_MAX, &words, e)) ||
        (f->min_words && command_int("--min-words", f->min_words, 1, words, &min_words, e)) ||
        (f->train && command_int("--train", f->train, 1, MINI_QUESTIONS, &questions, e)))
        return -1;
    struct mini_options o = {f->task, (uint64_t)seed, (int)words, (int)min_words};
    struct mini *m = mini_open(&o, e);
    if (!m)
        return -1;
    struct buf line;
    buf_init(&line);
    for (long i = 0; i < n && !ferror(stdout); i++) {
        buf_reset(&line);
        if (questions)
            mini_training_line(m, (uint64_t)i, (int)questions, &line);
        else
            mini_record(m, (uint64_t)i, &line);
        fwrite(line.s, 1, line.n, stdout);
    }
    buf_release(&line);
    mini_close(m);
    return 0;
}

static int dispatch(const char *const *rest, int n, const struct generate_flags *f, bool flags_used,
                    struct err *e)
{
    static const char *const names[] = {"list", "verify", "generate"};
    char hint[128];
    const char *what = n ? rest[0] : NULL;
    if (!what)
        return err_user(e, "data: what? (usage: kvlab %s)", cmd_data.usage);
    bool generate = !strcmp(what, "generate");
    if (flags_used && !generate)
        return err_user(e, "data %s: takes no flags but a folder", what);
    if (generate && n == 1)
        return data_generate(f, e);
    if (generate)
        return err_user(e, "data generate: what is '%s'?", rest[1]);
    if (!strcmp(what, "list"))
        return data_list(n > 1 ? rest[1] : NULL, e);
    if (strcmp(what, "verify"))
        return err_user(e, "data: what is '%s'?%s", what, near_hint(hint, what, names, 3));
    if (n < 2)
        return err_user(e, "data verify: which folder? (usage: kvlab data verify DIR)");
    return data_verify(rest[1], e);
}

static int data(int argc, char **argv)
{
    struct err e;
    const char *rest[2];
    struct generate_flags f = {0};
    int n;
    const struct flag flags[] = {
        {.name = "--task", .value = &f.task},
        {.name = "--n", .value = &f.n},
        {.name = "--seed", .value = &f.seed},
        {.name = "--words", .value = &f.words},
        {.name = "--min-words", .value = &f.min_words},
        {.name = "--train", .value = &f.train},
        {0},
    };
    int rc = command_flags(&cmd_data, argc, argv, flags, rest, 2, &n, &e);
    if (rc)
        return rc > 0 ? 0 : log_failure(&e);
    bool used = f.task || f.n || f.seed || f.words || f.min_words || f.train;
    if (dispatch(rest, n, &f, used, &e) || finish(&e))
        return log_failure(&e);
    return 0;
}
