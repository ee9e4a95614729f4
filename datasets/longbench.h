/*
 * LongBench's files, as they are downloaded, in one folder that the user names:
 *   NAME.jsonl              DIR/data/NAME.jsonl, or DIR/NAME.jsonl, or data/NAME.jsonl in
 * DIR/data.zip dataset2prompt.json, dataset2maxlen.json     DIR or DIR/config The first that exists
 * is taken. Contents are read byte for byte; nothing is ever written.
 */
#ifndef KVLAB_LONGBENCH_H
#define KVLAB_LONGBENCH_H

#include "datasets/dataset.h"

/* What the complete data.zip holds. */
struct longbench_file {
    const char *name;
    long records;
    const char *blob; // git's id of the content
};

extern const struct longbench_file longbench_files[];
extern const size_t longbench_file_count;
const struct longbench_file *longbench_file_find(const char *name); // NULL: no such file

/* The content of NAME.jsonl; the caller frees content->s. label (initialised) gets the name for
 * messages. Returns 1 when the file is in none of the places. */
int longbench_read(const char *dir, const char *name, struct text *content, struct buf *label,
                   struct err *e);
/* The same of a config. */
int longbench_config_read(const char *dir, const char *name, struct text *content,
                          struct buf *label, struct err *e);

/* ERR_USER that says what was looked for where; returns -1. */
int longbench_missing(const char *dir, const char *name, struct err *e);
int longbench_config_missing(const char *dir, const char *name, struct err *e);

/* Is a file what LongBench published? SHORTENED: fewer records than there should be, the last one
 * whole. Whether these are the first ones cannot be told from a hash of the whole. */
enum longbench_state { LB_COMPLETE, LB_SHORTENED, LB_CHANGED };
enum longbench_state longbench_check(const struct longbench_file *f, struct text content,
                                     long *records);

/* Checks all files and both configs of DIR: one line each into out. *wrong counts the files that
 * are there and not complete, *found those that are there. */
int longbench_verify(const char *dir, struct buf *out, int *found, int *wrong, struct err *e);

#endif
