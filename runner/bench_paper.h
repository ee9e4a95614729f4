/* For bench database: what the reports need besides items. */
#ifndef KVLAB_BENCH_PAPER_H
#define KVLAB_BENCH_PAPER_H

#include "harness/store/store.h"

/* A paper BENCH_PAPER whose numbers are the scores that the database has, of ten settings. */
#define BENCH_PAPER "made_up"
int bench_paper_store(struct store *s, struct err *e);

#endif
