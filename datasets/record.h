/*
 * A record of LongBench's form: one JSON object a line with input, context, answers, length,
 * dataset, language, all_classes, _id. Strict in these; other members are kept only in the hash.
 */
#ifndef KVLAB_RECORD_H
#define KVLAB_RECORD_H

#include "datasets/dataset.h"

/* One line without its end. On error s holds nothing. */
int record_parse(struct text line, struct sample *s, struct err *e);
void record_release(struct sample *s);

/* The line at *at without its end (\n, \r\n or \r), *at moved past it; false at the end of the
 * text. A last line without an end counts. */
bool record_line(struct text content, size_t *at, struct text *line);
/* How many lines. */
long record_count(struct text content);

/* The first `limit` (0: all) records of a file. label names it in messages. Does not set s->hash.
 */
int records_read(struct text content, const char *label, size_t limit, struct samples *s,
                 struct err *e);

#endif
