/*
 * Example questions: what researchers ask, as SQL. Each is a file questions/NAME.sql, compiled in:
 * comment lines with the question, a line "-- :name = value" for each parameter with what it is
 * unless said otherwise, then one statement.
 */
#ifndef KVLAB_QUESTIONS_H
#define KVLAB_QUESTIONS_H

#include "harness/base/text.h"

struct question {
    const char *name, *sql; // all of the file
};

extern const struct question question_all[]; // by name; .name NULL ends them

const struct question *question_find(const char *name, struct err *e); // NULL: ERR_USER, nearest

/* The question in words. */
void question_put_words(const struct question *q, struct buf *out);
/* "name=value" of parameter i, from 0. The caller frees; NULL: there are no more. */
char *question_param_dup(const struct question *q, int i);
/* The statement without what stands above it. */
const char *question_statement(const struct question *q);

#endif
