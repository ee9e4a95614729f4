/*
 * Results that wait for a commit. One waits for the disk (5 ms and more), so what ends within a
 * moment is stored together; a worker that is killed loses that moment and what it was at.
 */
#ifndef KVLAB_OUTBOX_H
#define KVLAB_OUTBOX_H

#include "harness/base/text.h"
#include "runner/ledger_rows.h"

/* One result with all that it borrows. */
struct letter {
    int64_t job, build;
    int variant;                // of the plan: the sender's, for his report
    struct store_result result; // its strings lie in text and ids, or are of the program
    struct store_ledger ledger[LEDGER_ROWS_MAX];
    struct store_layer *layers; // owned; NULL: none
    struct store_score score;
    bool scored;
    struct buf text, ids; // prediction or error; token ids
};

struct outbox {
    struct store *store; // borrowed
    struct letter **list;
    int n;
    double since; // when the first of them came
};

/* A letter to fill in: result is STORE_RESULT. Owned by the outbox from outbox_send on. */
struct letter *letter_new(int64_t job, int64_t build);
void outbox_send(struct outbox *o, struct letter *l);

/* Stores all, and reports each that was still this process's. With `due` only when they have waited
 * long enough. */
typedef void outbox_report(void *arg, const struct letter *l);
int outbox_flush(struct outbox *o, bool due, outbox_report *report, void *arg, struct err *e);
/* What was not stored is lost. */
void outbox_release(struct outbox *o);

#endif
