#define _GNU_SOURCE
#include "harness/base/pool.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "harness/base/err.h"
#include "harness/base/mem.h"

/* A decode step opens hundreds of loops of some ten microseconds: a waiting helper looks this many
 * times for the next one before it sleeps. A caller that waits for the last items looks so many
 * times before it offers its processor, in case a helper that has one of them needs it. */
enum { SPINS_HELPER = 20000, SPINS_CALLER = 2000 };

/* A loop is over when its items are done, whether or not every helper came: one that the machine
 * has not let run, or that sleeps, is not waited for. */
struct pool {
    int n_threads;
    pthread_t *threads; // [n_threads - 1]
    /* Of the loop at work: read only by who has taken an item, and as long as it is not done, the
     * next loop cannot begin. */
    void (*fn)(void *, int, int);
    void *arg;
    int n_items;
    atomic_int waiting; // items that nobody has taken
    atomic_int done;    // items that are done
    atomic_bool stop;
    atomic_int sleeping;
    pthread_mutex_t lock;
    pthread_cond_t wake;
};

struct helper {
    struct pool *pool;
    int worker;
};

static inline void spin_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void take_items(struct pool *p, int worker)
{
    int left = atomic_load(&p->waiting);
    while (left > 0) {
        if (!atomic_compare_exchange_weak(&p->waiting, &left, left - 1))
            continue;
        p->fn(p->arg, p->n_items - left, worker);
        atomic_fetch_add(&p->done, 1);
        left = atomic_load(&p->waiting);
    }
}

static bool has_news(struct pool *p)
{
    return atomic_load(&p->waiting) > 0 || atomic_load(&p->stop);
}

static void wait_for_items(struct pool *p)
{
    for (int i = 0; i < SPINS_HELPER; i++) {
        if (has_news(p))
            return;
        spin_pause();
    }
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleeping, 1);
    while (!has_news(p))
        pthread_cond_wait(&p->wake, &p->lock);
    atomic_fetch_sub(&p->sleeping, 1);
    pthread_mutex_unlock(&p->lock);
}

static void *helper_main(void *arg)
{
    struct helper h = *(struct helper *)arg;
    free(arg);
    while (!atomic_load(&h.pool->stop)) {
        wait_for_items(h.pool);
        take_items(h.pool, h.worker);
    }
    return NULL;
}

static void wake_helpers(struct pool *p)
{
    if (atomic_load(&p->sleeping) == 0)
        return;
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

struct pool *pool_new(int n_threads)
{
    assert(n_threads >= 1);
    struct pool *p = xcalloc(1, sizeof *p);
    p->n_threads = n_threads;
    p->threads = xcalloc((size_t)n_threads, sizeof *p->threads);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    for (int i = 0; i < n_threads - 1; i++) {
        struct helper *h = xmalloc(sizeof *h);
        *h = (struct helper){p, i + 1};
        if (pthread_create(&p->threads[i], NULL, helper_main, h))
            die("cannot start thread %d of %d", i + 2, n_threads);
    }
    return p;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    atomic_store(&p->stop, true);
    wake_helpers(p);
    for (int i = 0; i < p->n_threads - 1; i++)
        pthread_join(p->threads[i], NULL);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->wake);
    free(p->threads);
    free(p);
}

int pool_threads(const struct pool *p)
{
    return p->n_threads;
}

static void wait_for_done(struct pool *p)
{
    for (int i = 0; atomic_load(&p->done) < p->n_items; i++) {
        if (i < SPINS_CALLER)
            spin_pause();
        else
            sched_yield();
    }
}

void pool_run(struct pool *p, int n_items, void (*fn)(void *, int, int), void *arg)
{
    if (p->n_threads == 1 || n_items <= 1) {
        for (int i = 0; i < n_items; i++)
            fn(arg, i, 0);
        return;
    }
    p->fn = fn;
    p->arg = arg;
    p->n_items = n_items;
    atomic_store(&p->done, 0);
    atomic_store(&p->waiting, n_items);
    wake_helpers(p);
    take_items(p, 0);
    wait_for_done(p);
}
