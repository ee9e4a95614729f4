/* What kind of thing made an item fail, judged by the reason that is stored with it, and what to do
 * about it. Reasons are written by the runner (its worker, crew and group) and by what it calls;
 * one that nothing here knows is "other". */
#ifndef KVLAB_FAILURE_CLASS_H
#define KVLAB_FAILURE_CLASS_H

#include "reports/doc.h"

/* Of a reason, an SQL expression: the name of its class. The first words that it has decide. */
#define FAILURE_HAS(reason, words)         reason " LIKE '%" words "%'"
#define FAILURE_WHEN(reason, words, class) " WHEN " FAILURE_HAS(reason, words) " THEN '" class "'"
#define FAILURE_CLASS(r)                                                                           \
    "CASE" FAILURE_WHEN(r, "worker crashed", "crash") FAILURE_WHEN(r, "out of memory", "memory")   \
        FAILURE_WHEN(r, "cannot allocate", "memory") FAILURE_WHEN(r, "iB are allowed", "memory")   \
            FAILURE_WHEN(r, "iB are free", "memory") FAILURE_WHEN(r, "no space left", "disk")      \
                FAILURE_WHEN(r, "disk", "disk") FAILURE_WHEN(r, "quota", "disk")                   \
                    FAILURE_WHEN(r, "the model has % positions",                                   \
                                 "length") FAILURE_WHEN(r, "truncation is none", "length")         \
                        FAILURE_WHEN(r, "prompt is empty", "data")                                 \
                            FAILURE_WHEN(r, "UTF-8", "data") FAILURE_WHEN(r, "tokenizer", "data")  \
                                FAILURE_WHEN(r, "score", "metric")                                 \
                                    FAILURE_WHEN(r, "metric", "metric")                            \
                                        FAILURE_WHEN(r, ": layer ", "setting")                     \
                                            FAILURE_WHEN(r, "refuse", "setting")                   \
                                                FAILURE_WHEN(r, "does not divide", "setting")      \
                                                    FAILURE_WHEN(r, "budget",                      \
                                                                 "setting") " ELSE 'other' END"

/* Of such a reason, MiB that a prompt's cache needs, or NULL. */
#define FAILURE_NEED(reason)                                                                       \
    "CASE WHEN " FAILURE_HAS(                                                                      \
        reason, " needs % MiB for its cache") " THEN"                                              \
                                              " CAST(substr(" reason ", instr(" reason             \
                                              ", ' needs ') + 7) AS REAL) END"

/* Puts a fact of the class: how many items, what to do, and the command. need: the largest of
 * FAILURE_NEED, 0: not known. An unknown name is as "other". */
void failure_class_put(struct doc *d, const char *name, int items, double need);

#endif
