/* Every record of LongBench's samples in DIR/longbench, as an independent reader sees it. */
#include "tests/golden/golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/dataset.h"
#include "datasets/record.h"
#include "harness/base/file.h"
#include "harness/base/utf8.h"

enum {
    COL_FILE,
    COL_INDEX,
    COL_ID,
    COL_DATASET,
    COL_LANGUAGE,
    COL_LENGTH,
    COL_ANSWERS,
    COL_CLASSES,
    COL_INPUT_POINTS,
    COL_CONTEXT_POINTS,
    COL_PROMPT_POINTS,
    COL_PROMPT_BYTES,
    COL_INPUT_SHA256,
    COL_CONTEXT_SHA256,
    COL_ANSWERS_SHA256,
    COL_PROMPT_SHA256,
    N_COLUMNS
};

static const char *const column_names[N_COLUMNS] = {
    "file",
    "index",
    "_id",
    "dataset",
    "language",
    "length",
    "n_answers",
    "n_classes",
    "input_codepoints",
    "context_codepoints",
    "prompt_codepoints",
    "prompt_utf8_bytes",
    "sha256_input",
    "sha256_context",
    "sha256_answers_joined_by_x1e",
    "sha256_prompt",
};

/* The file whose rows are being compared. */
struct open_file {
    char task[64];
    struct samples samples;
    struct task_prompt prompt;
    size_t rows;
};

static void close_file(struct open_file *f, struct tally *t)
{
    if (f->task[0])
        tally_add(t, f->rows == f->samples.n, 0, "%s: %zu records, expected %zu", f->task,
                  f->samples.n, f->rows);
    samples_release(&f->samples);
    task_prompt_release(&f->prompt);
    *f = (struct open_file){0};
}

static int open_file(struct open_file *f, const char *dir, struct text name, struct err *e)
{
    struct data_options o = {0};
    snprintf(o.data_dir, sizeof o.data_dir, "%s", dir);
    snprintf(f->task, sizeof f->task, "%.*s", (int)(name.n - strlen(".jsonl")), name.s);
    if (samples_load(&f->samples, f->task, &o, 0, e))
        return -1;
    return task_prompt_load(&f->prompt, f->task, &o, e);
}

static void text_is_equal(struct tally *t, const struct text *row, int column, struct text got)
{
    tally_add(t, text_eq(row[column], got), 0, "%.*s[%.*s] %s", (int)row[COL_FILE].n,
              row[COL_FILE].s, (int)row[COL_INDEX].n, row[COL_INDEX].s, column_names[column]);
}

static void number_is_equal(struct tally *t, const struct text *row, int column, long got)
{
    char s[32];
    snprintf(s, sizeof s, "%ld", got);
    text_is_equal(t, row, column, text_of(s));
}

static void hash_is_equal(struct tally *t, const struct text *row, int column, struct text got)
{
    char hash[SHA256_HEX];
    hash_sha256(got, hash);
    text_is_equal(t, row, column, text_of(hash));
}

static void compare_answers(struct tally *t, const struct text *row, const struct sample *s)
{
    struct buf joined;
    buf_init(&joined);
    for (size_t i = 0; i < s->n_answers; i++) {
        if (i)
            buf_char(&joined, 0x1e);
        buf_text(&joined, s->answers[i]);
    }
    number_is_equal(t, row, COL_ANSWERS, (long)s->n_answers);
    hash_is_equal(t, row, COL_ANSWERS_SHA256, text_buf(&joined));
    buf_release(&joined);
}

static int compare_prompt(struct tally *t, const struct text *row, const struct open_file *f,
                          const struct sample *s, struct err *e)
{
    struct buf prompt;
    buf_init(&prompt);
    int rc = task_prompt_fill(&f->prompt, s, &prompt, e);
    number_is_equal(t, row, COL_PROMPT_POINTS, (long)utf8_length(text_buf(&prompt)));
    number_is_equal(t, row, COL_PROMPT_BYTES, (long)prompt.n);
    hash_is_equal(t, row, COL_PROMPT_SHA256, text_buf(&prompt));
    buf_release(&prompt);
    return rc;
}

static int compare_row(struct tally *t, const struct text *row, struct open_file *f, struct err *e)
{
    size_t i = (size_t)atol(row[COL_INDEX].s);
    f->rows++;
    if (i >= f->samples.n)
        return err_item(e, "%s has no record %zu", f->task, i);
    const struct sample *s = &f->samples.list[i];
    text_is_equal(t, row, COL_ID, s->id);
    text_is_equal(t, row, COL_DATASET, s->dataset);
    text_is_equal(t, row, COL_LANGUAGE, s->language);
    number_is_equal(t, row, COL_LENGTH, s->length);
    number_is_equal(t, row, COL_CLASSES, s->classes ? (long)s->n_classes : -1);
    number_is_equal(t, row, COL_INPUT_POINTS, (long)utf8_length(s->input));
    number_is_equal(t, row, COL_CONTEXT_POINTS, (long)utf8_length(s->context));
    hash_is_equal(t, row, COL_INPUT_SHA256, s->input);
    hash_is_equal(t, row, COL_CONTEXT_SHA256, s->context);
    compare_answers(t, row, s);
    return compare_prompt(t, row, f, s, e);
}

static int split_row(struct text line, struct text row[N_COLUMNS])
{
    size_t at = 0;
    for (int i = 0; i < N_COLUMNS; i++) {
        size_t end = text_find(line, text_of("\t"), at);
        if (at > line.n || (end == line.n) != (i == N_COLUMNS - 1))
            return -1;
        row[i] = (struct text){line.s + at, end - at};
        at = end + 1;
    }
    return 0;
}

int golden_longbench_loader(const char *dir, struct tally *t, struct err *e)
{
    struct text table, line, row[N_COLUMNS];
    struct open_file f = {0};
    char last[64] = "";
    int rc = 0;
    if (!file_exists(golden_path(dir, "longbench/loader_expected.tsv")))
        return GOLDEN_ABSENT;
    if (file_read(golden_path(dir, "longbench/loader_expected.tsv"), &table, e))
        return -1;
    size_t at = 0;
    record_line(table, &at, &line); // the column names
    while (!rc && record_line(table, &at, &line)) {
        if (split_row(line, row)) {
            rc = err_item(e, "loader_expected.tsv: a row without %d columns", N_COLUMNS);
            break;
        }
        if (!text_is(row[COL_FILE], last)) {
            snprintf(last, sizeof last, "%.*s", (int)row[COL_FILE].n, row[COL_FILE].s);
            close_file(&f, t);
            rc = open_file(&f, golden_path(dir, "longbench"), row[COL_FILE], e);
        }
        if (!rc)
            rc = compare_row(t, row, &f, e);
    }
    close_file(&f, t);
    free((void *)table.s);
    return rc;
}
