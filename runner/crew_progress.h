/*
 * How far a crew is: items, tokens a second, time left, for each model and in all. On a terminal a
 * line that redraws itself, elsewhere a line every so often.
 */
#ifndef KVLAB_CREW_PROGRESS_H
#define KVLAB_CREW_PROGRESS_H

#include "harness/base/log.h"
#include "runner/estimate.h"
#include "runner/news.h"

struct crew_progress {
    const struct plan *plan;
    struct progress bar; // in units of cost
    double cost, cost_done;
    int variant;                                           // at work
    int64_t items[VARIANTS_MAX], items_done[VARIANTS_MAX]; // those of earlier calls included
    double prefill_tokens, decode_tokens, start;
    char at[sizeof((struct news *)0)->text]; // what was last begun
};

int crew_progress_open(struct crew_progress *c, const struct plan *p, struct store *s,
                       struct err *e);
void crew_progress_take(struct crew_progress *c, const struct news *n);
void crew_progress_show(struct crew_progress *c);
void crew_progress_end(struct crew_progress *c);

#endif
