/*
 * A prediction file as LongBench's pred.py writes it and its eval.py reads it: <task>.jsonl, a line
 * {"pred": TEXT, "answers": [TEXT, ...], "all_classes": null or [TEXT, ...], "length": NUMBER}.
 * Other members are skipped, "_id" is kept. Stricter than eval.py, which takes what Python lets it
 * take: every message says what eval.py would do.
 */
#ifndef KVLAB_PREDICTION_H
#define KVLAB_PREDICTION_H

#include "harness/base/hash.h"
#include "harness/base/text.h"

struct prediction {
    struct text pred;
    struct text *answers;
    size_t n_answers;
    struct text *classes; // null: NULL, 0
    size_t n_classes;
    long length;    // -1: there is none
    struct text id; // .s NULL: there is none
};

struct predictions {
    struct prediction *list;
    size_t n;
    char hash[SHA256_HEX]; // of the file's bytes
};

/* All lines of a file; label names it in messages. Lines end at \n, \r\n or \r. with_length: each
 * must have one. On error p holds nothing. */
int predictions_read(struct text content, const char *label, bool with_length,
                     struct predictions *p, struct err *e);
void predictions_release(struct predictions *p);

/* One line without its end, and its release. */
int prediction_parse(struct text line, struct prediction *p, struct err *e);
void prediction_release(struct prediction *p);

/* As Python's json.dumps(ensure_ascii=False) writes them, and so pred.py: a string, and
 * ["a", "b"], or null where list is NULL. */
void prediction_put_string(struct text t, struct buf *out);
void prediction_put_list(const struct text *list, size_t n, struct buf *out);

#endif
