/*
 * The built-in tasks: synthetic documents with questions on them, in LongBench's record form, so
 * that the harness can be shown and tested where no data can be downloaded. What is made depends
 * only on the options and the record's index; MINI_VERSION rises when that changes.
 */
#ifndef KVLAB_MINI_H
#define KVLAB_MINI_H

#include <stdint.h>

#include "harness/base/text.h"

enum { MINI_VERSION = 1, MINI_WORDS_MAX = 100000, MINI_QUESTIONS = 64 };

struct mini_options {
    const char *task;
    uint64_t seed;
    int words;     // about how long a document is, from 1 to MINI_WORDS_MAX
    int min_words; // 0, or the least of lengths drawn at random up to words
};

struct mini; // a generator at work

/* Borrows the options. NULL with the error for an unknown task or lengths out of range. */
struct mini *mini_open(const struct mini_options *o, struct err *e);
void mini_close(struct mini *m);

/* Appends record `index` as a line of JSON. */
void mini_record(struct mini *m, uint64_t index, struct buf *out);

/* Appends the same record as a line of training text: prompt \x1f answer \x1f follow-up \x1f answer
 * ..., up to `questions` questions on one context, newlines as \x1e. */
void mini_training_line(struct mini *m, uint64_t index, int questions, struct buf *out);

/* The task's prompt as a LongBench template. */
void mini_template(const char *task, struct buf *out);

/* What determines all records, as text to hash. */
void mini_identity(const struct mini_options *o, struct buf *out);

#endif
