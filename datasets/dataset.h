/*
 * Samples and tasks.
 *
 * A task is a line in tasks.def: where its records come from, its category, metric, language and
 * protocol rules. Records have LongBench's form, whoever made them: a file of the user's data
 * folder (longbench.c), the built-in generator (mini.c), or windows of any text (text_file.c).
 * A struct samples owns everything its samples point to.
 */
#ifndef KVLAB_DATASET_H
#define KVLAB_DATASET_H

#include "harness/base/hash.h"
#include "harness/base/text.h"

struct sample {
    struct text id, input, context, dataset, language;
    struct text *answers;
    size_t n_answers;
    struct text *classes; // all_classes null: NULL, 0
    size_t n_classes;
    long length;           // as recorded, in words or characters
    char hash[SHA256_HEX]; // of the record's canonical JSON: its identity
};

struct samples {
    struct sample *list;
    size_t n;
    /* Of the whole source, also when n was limited. LongBench: what sha256sum prints for the
     * .jsonl file. Mini: of what determines the records (generator version, task, seed, words);
     * so of a text file: its own hash and how it is cut. */
    char hash[SHA256_HEX];
};

enum category {
    CAT_SINGLE_DOC,
    CAT_MULTI_DOC,
    CAT_SUMMARY,
    CAT_FEW_SHOT,
    CAT_SYNTHETIC,
    CAT_CODE,
    CAT_TEXT // none of LongBench's
};
const char *category_name(enum category c); // "single-doc QA", ...

enum task_source { SOURCE_LONGBENCH, SOURCE_MINI, SOURCE_TEXT };

struct task {
    const char *name;
    enum task_source source;
    enum category category;
    const char *metric;   // official metric's name, see metrics.def; TASK_NO_METRIC
    const char *language; // "en", "zh", "code" or "any"
    bool no_chat;         // the chat wrapper is left off
    bool first_line;      // only the first line of a prediction is scored
    bool newline_stop;    // generation also stops at a newline, with at least one new token
    int max_new_tokens;   // mini; else 0: dataset2maxlen.json or data_options says it
};

/* Answers that are only read (runner/teacher.h), never scored. */
#define TASK_NO_METRIC "none"

/* In the order of tasks.def. */
extern const struct task task_all[];
extern const size_t task_count;

/* A name with suffix _e is the LongBench-E file of the same task. NULL with an error (and the
 * nearest name) otherwise. */
const struct task *task_find(const char *name, struct err *e);
/* LongBench-E has a file for it: name + "_e" is a name, too. */
bool task_has_e(const struct task *t);

/* What a source needs; the others' fields are ignored. */
struct data_options {
    char data_dir[256]; // LongBench: see longbench.h for what it holds
    int words;          // mini: length asked of the generator; text: of a context
    long seed;          // mini, not negative
    char file[256];     // text
    int answer;         // text: tokens of a reference
};

/* The first `limit` records of a task (0: all that there are; mini needs a limit). A file that
 * breaks the form in these records is refused as a whole: ERR_USER, "file:line: what". */
int samples_load(struct samples *s, const char *task_name, const struct data_options *o,
                 size_t limit, struct err *e);
void samples_release(struct samples *s);

/* The task's prompt template (with {context} and {input}) and how long answers may become. A
 * template that Python's format() or this program cannot fill is refused when it is loaded. Owned
 * by the caller: task_prompt_release(). */
struct task_prompt {
    struct text template;
    char hash[SHA256_HEX]; // of the template
    int max_new_tokens;
};
int task_prompt_load(struct task_prompt *p, const char *task_name, const struct data_options *o,
                     struct err *e);
void task_prompt_release(struct task_prompt *p);

/* Python's template.format(**record): every {context} and {input} replaced, "{{" and "}}" undone.
 * Text of the record that holds braces is not expanded again. Appends to out. */
int task_prompt_fill(const struct task_prompt *p, const struct sample *s, struct buf *out,
                     struct err *e);
/* Bytes of the filled template behind the context, where it stands last; none: SIZE_MAX. */
size_t task_prompt_tail(const struct task_prompt *p, const struct sample *s);
/* The refusal of task_prompt_load() alone. */
int task_prompt_check(struct text template, struct err *e);

#endif
