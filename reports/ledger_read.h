/* Bytes by class of items that are loaded: the item ledger in one pass, in the order of jobs. */
#ifndef KVLAB_LEDGER_READ_H
#define KVLAB_LEDGER_READ_H

#include "reports/ema_data.h"
#include "reports/scores.h"

/* An item whose ledger is wanted, and what its bytes are added to. */
struct ledger_item {
    const struct scores_item *item;
    void *to;
};

/* A class of an item. */
struct ledger_row {
    enum ema_class class;
    bool first; // of the item's classes
    double held, read, written;
};

/* Calls add for every row of the items' ledgers. Sorts item[n] by job; each job once. */
int ledger_read(struct store *s, struct ledger_item *item, size_t n,
                void (*add)(const struct ledger_item *i, const struct ledger_row *row),
                struct err *e);

#endif
