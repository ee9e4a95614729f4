/*
 * A fixed set of threads that share out the items of one loop at a time.
 * Which thread takes which item is open, so an item's result must not depend on it.
 */
#ifndef KVLAB_POOL_H
#define KVLAB_POOL_H

struct pool;

/* n threads in all, the caller among them; n >= 1. */
struct pool *pool_new(int n_threads);
void pool_free(struct pool *p);
int pool_threads(const struct pool *p);

/* fn(arg, item, worker) for item 0..n_items-1; worker is 0..threads-1. Returns when all are done.
 * Not to be called from within fn. */
void pool_run(struct pool *p, int n_items, void (*fn)(void *arg, int item, int worker), void *arg);

#endif
