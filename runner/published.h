/*
 * Numbers that others published, as data: configs/papers/published/PAPER.csv, a line a number.
 *
 * Columns (the first line names them): paper, table, model, protocol, setting, task, score, n,
 * stderr, source, remarks. n and stderr are empty where nobody stated them. A task is one of
 * LongBench or an average: "mean of 16 tasks", "mean of 6 categories (en)", "single-doc QA (en)".
 * Setting "full" is the full cache. A line is in UTF-8; a field with a comma or quotes is quoted
 * and a quote in it doubled; no field holds a line end.
 */
#ifndef KVLAB_PUBLISHED_H
#define KVLAB_PUBLISHED_H

#include "datasets/dataset.h"

/* What a score is of. */
enum published_kind {
    PUBLISHED_TASK,
    PUBLISHED_CATEGORY,   // the mean of a category's tasks, of one language and code
    PUBLISHED_CATEGORIES, // the mean of six of these: the leaderboard's
    PUBLISHED_TASKS       // the mean of tasks: that of papers on KV caches
};

struct published_what {
    enum published_kind kind;
    const struct task *task;
    enum category category;
    const char *language; // of the averages by category: "en" or "zh"
    int n;                // tasks of the mean; 0: nobody says
};

/* ERR_USER with the nearest name. */
int published_what(const char *name, struct published_what *out, struct err *e);

struct published_number {
    size_t line;
    /* Borrowed from the file's content; empty where nothing is stated. */
    const char *table, *model, *protocol, *setting, *task, *source, *remarks;
    struct published_what what;
    double score; // 0 to 100
    int decimals; // as printed
    long n;       // items; 0: not stated
    double error; // standard error; NaN: not stated
};

/* Whole or not at all: a file that breaks a rule is refused with its line. */
struct published {
    char *path, *content;
    const char *paper;
    struct published_number *list;
    size_t n;
};

int published_read(struct published *p, const char *path, struct err *e);
/* Of content that is there; path is for messages. */
int published_parse(struct published *p, const char *path, struct text content, struct err *e);
void published_release(struct published *p);

/* Do these belong to one row of a table: model, protocol and setting? */
bool published_same_run(const struct published_number *a, const struct published_number *b);

/* Stated averages against the tasks beside them. */
struct published_check {
    size_t averages; // stated
    size_t checked;  // of which the tasks are there
    size_t wrong;    // that the tasks do not give in the digits that are printed
};
/* A line for each that is wrong goes to out. */
struct published_check published_check(const struct published *p, struct buf *out);

/* Paths of the files that come with the program, by name; the caller frees the list with
 * published_free_files(). */
char **published_files_new(size_t *n);
void published_free_files(char **files, size_t n);
/* The file of a paper by its name, or of a path that ends in .csv; the caller frees. NULL with an
 * error that names the nearest. */
char *published_path_dup(const char *paper, struct err *e);

#endif
