/*
 * How many processes work on a plan and what memory they have, where the user leaves it open.
 *
 * Workers share the processors. Reading a prompt with a small model leaves several threads waiting
 * for each other: a worker a thread does more (on two cores, the built-in model: 0.95 of the time,
 * `kvlab bench growth`). With a large one the threads of a worker share prompts and caches, and the
 * weights that a step reads; so there is a worker for eight threads.
 */
#ifndef KVLAB_CREW_SIZE_H
#define KVLAB_CREW_SIZE_H

#include <stddef.h>
#include <stdint.h>

/* What is to be worked on. */
struct crew_work {
    size_t weights;     // bytes of the largest model, as stored
    int64_t groups;     // that are left
    size_t group_bytes; // of the largest, in a worker with the threads that crew_size gives it
};

struct crew_size {
    int workers, threads; // threads: in all
    size_t memory;        // bytes, of all workers
};

/* Fills in what is 0. group_bytes may be 0: not known yet. */
void crew_size_choose(struct crew_size *c, const struct crew_work *w);
/* Of a worker, at least 1. */
int crew_size_threads_each(const struct crew_size *c);

#endif
