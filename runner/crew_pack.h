/* Weights of few bits, packed once for all workers: before they are forked, by all threads. */
#ifndef KVLAB_CREW_PACK_H
#define KVLAB_CREW_PACK_H

#include "runner/plan.h"

/* Those that ready jobs of the plan ask for. What there is no memory for is left to the workers,
 * whose items then say so. The models keep one thread. */
int crew_pack(struct plan *p, struct store *s, int threads, struct err *e);

#endif
