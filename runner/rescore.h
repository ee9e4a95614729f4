/*
 * Scores of stored predictions by the metrics of this program: those that a newer version of a
 * metric makes, and those of items that had none because the metric was not there.
 */
#ifndef KVLAB_RESCORE_H
#define KVLAB_RESCORE_H

#include "harness/store/store.h"

struct rescored {
    int64_t added, failed; // failed: the official code would raise, too
};

/* Adds rows to table score and changes none, in one transaction; a second call finds nothing. */
int rescore(struct store *s, struct rescored *out, struct err *e);

#endif
