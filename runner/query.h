/*
 * What kvlab query is made of: values for a statement's parameters, the rows in a format, where SQL
 * goes wrong, and what the tables are. All of it only reads.
 */
#ifndef KVLAB_QUERY_H
#define KVLAB_QUERY_H

#include "harness/store/db.h"

enum { QUERY_PARAMS_MAX = 32 };

/* ---- query_params.c ---- */

/* "name=value" as they were typed; later ones override earlier ones of that name. */
struct query_params {
    const char *list[QUERY_PARAMS_MAX];
    int n;
};

/* Every parameter of s gets its value. Whole numbers, reals and null are taken as such, and all
 * else, or what stands in single quotes, as text. A ? goes by its place: 1=... ERR_USER where a
 * parameter has no value or a value no parameter. */
int query_bind(struct stmt *s, const struct query_params *p, struct err *e);

/* ---- query_formats.c ---- */

enum query_format { QUERY_TABLE, QUERY_CSV, QUERY_JSON, QUERY_MARKDOWN };
/* ERR_USER with the nearest. */
int query_find_format(const char *name, enum query_format *format, struct err *e);

/* All rows to stdout. A reader who has seen enough (head) ends it: that is no error. */
int query_write(struct stmt *s, enum query_format format, struct err *e);

/* ---- query_errors.c ---- */

/* After an error of SQL that did not compile: the nearest name into e, where one is meant; and into
 * `place` the line with a mark below it, or nothing. */
void query_explain(struct db *db, const char *sql, struct err *e, struct buf *place);

/* ---- query_docs.c ---- */

/* The tables and views, or the columns of one, for people. */
int query_put_docs(struct db *db, const char *object, int width, struct buf *out, struct err *e);

#endif
