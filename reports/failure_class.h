/* What kind of thing made an item fail, judged by the reason that is stored with it, and what to do
 * about it. Reasons are written by the runner (its worker, crew and group) and by what it calls;
 * one that nothing here knows is "other". */
#ifndef KVLAB_FAILURE_CLASS_H
#define KVLAB_FAILURE_CLASS_H

#include "reports/doc.h"

/* Of a reason, an SQL expression: the name of its class. The first that fits; LIKE takes capitals
 * as small letters. */
#define FAILURE_LIKE(reason, words) reason " LIKE '%" words "%'"
#define FAILURE_CLASS(reason)                                                                      \
    "CASE WHEN " FAILURE_LIKE(reason, "worker crashed") " THEN 'crash'"                            \
    " WHEN " FAILURE_LIKE(reason, "out of memory") " OR "                                          \
    FAILURE_LIKE(reason, "cannot allocate") " OR " FAILURE_LIKE(reason, "iB are allowed") " OR "   \
    FAILURE_LIKE(reason, "iB are free") " THEN 'memory'"                                           \
    " WHEN " FAILURE_LIKE(reason, "no space left") " OR " FAILURE_LIKE(reason, "disk") " OR "      \
    FAILURE_LIKE(reason, "quota") " THEN 'disk'"                                                   \
    " WHEN " FAILURE_LIKE(reason, "the model has % positions") " OR "                              \
    FAILURE_LIKE(reason, "truncation is none") " THEN 'length'"                                    \
    " WHEN " FAILURE_LIKE(reason, "prompt is empty") " OR " FAILURE_LIKE(reason, "UTF-8") " OR "   \
    FAILURE_LIKE(reason, "tokenizer") " THEN 'data'"                                               \
    " WHEN " FAILURE_LIKE(reason, "\\_score") " ESCAPE '\\' OR " FAILURE_LIKE(reason, "metric")    \
    " THEN 'metric'"                                                                               \
    " WHEN " FAILURE_LIKE(reason, ": layer ") " OR " FAILURE_LIKE(reason, "refuse") " OR "         \
    FAILURE_LIKE(reason, "does not divide") " OR " FAILURE_LIKE(reason, "budget") " THEN 'setting'"\
    " ELSE 'other' END"

/* Of such a reason, MiB that a prompt's cache needs, or NULL. */
#define FAILURE_NEED(reason)                                                                       \
    "CASE WHEN " FAILURE_LIKE(reason, " needs % MiB for its cache") " THEN"                        \
    " CAST(substr(" reason ", instr(" reason ", ' needs ') + 7) AS REAL) END"

/* Puts a fact of the class: how many items, what to do, and the command. need: the largest of
 * FAILURE_NEED, 0: not known. An unknown name is as "other". */
void failure_class_put(struct doc *d, const char *name, int items, double need);

#endif
