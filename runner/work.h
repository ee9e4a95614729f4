/*
 * The work loop: claims a group of jobs, reads its prompt once for all of them, decodes each
 * setting, scores, stores each result in one transaction.
 *
 * Ctrl-C (SIGINT, SIGTERM): the item at work is finished and stored, the others of the group are
 * given back. A second one ends the program at once; what was at work is ready again next time.
 */
#ifndef KVLAB_WORK_H
#define KVLAB_WORK_H

#include "runner/plan.h"

struct work_result {
    int64_t done, failed; // by this call
    bool interrupted;
};

int work_run(struct plan *p, struct store *s, struct work_result *out, struct err *e);

#endif
