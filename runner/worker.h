/*
 * A process that claims groups of jobs and works on them until none is ready.
 *
 * It reads a group's prompt once for all its settings; these join the batch, in which all sequences
 * take steps together, and leave it when they end; while the batch is small and memory allows the
 * next group is claimed. Groups of another model or other weights wait until the batch is empty.
 *
 * Asked to stop (worker_ask_stop), it claims no more, goes on for some seconds with what is at work
 * and gives the rest back.
 */
#ifndef KVLAB_WORKER_H
#define KVLAB_WORKER_H

#include "runner/news.h"
#include "runner/plan.h"

struct worker_options {
    struct plan *plan;
    const char *db;
    int place;     // in the crew
    int threads;   // of this worker
    size_t memory; // bytes it may take for caches and prompts
    int news;      // where news go
};

/* To be called in a process of its own. 0, or the class of the error that it sent as news. */
int worker_run(const struct worker_options *o);

/* Async-signal-safe. */
void worker_ask_stop(void);

#endif
