/*
 * The processes that work on a plan: workers are forked, watched, replaced when they die; their
 * news become progress and totals.
 *
 * The weights are mapped before and shared, and so are those of few bits, which are packed before
 * the workers are forked. A worker that is killed costs what it was at: its jobs
 * are ready again, and another worker takes its place. One that crashes (a signal that says so)
 * leaves a mark on its jobs: they are tried once more, each group alone, and fail when that crashes
 * too. Where another program works on the same jobs, the crew waits for it, and takes over when it
 * dies.
 *
 * Ctrl-C (SIGINT, SIGTERM): workers claim no more, read the prompt to its end that they are at, go
 * on for some seconds with what is at work, and give the rest back. A second one ends all at once;
 * what was at work is ready again next time.
 */
#ifndef KVLAB_CREW_H
#define KVLAB_CREW_H

#include "runner/crew_size.h"
#include "runner/plan.h"

struct crew_options {
    const char *db;
    struct crew_size size; // with nothing left to choose
    bool take_over;        // begin with what other machines are at: they are said to be dead
};

struct crew_result {
    int64_t done, failed; // by this call
    int64_t elsewhere;    // jobs that other machines are at
    bool interrupted;
    double prefill_tokens, decode_tokens, seconds;
    size_t peak; // bytes of the largest worker
};

/* No store may be open in this process, and no threads run: workers are forked. */
int crew_run(struct plan *p, const struct crew_options *o, struct crew_result *out, struct err *e);

#endif
