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

/* A decode step opens hundreds of loops of some ten microseconds: a waiting thread looks SPINS
 * times for the next one, then lets others run between looks (the thread it waits for may be among
 * them, on a machine that does other work too), and sleeps after YIELDS of these. */
enum { SPINS = 2000, YIELDS = 200 };

struct pool {
    int n_threads;
    pthread_t *threads; // [n_threads - 1]
    void (*fn)(void *, int, int);
    void *arg;
    int n_items;
    atomic_int next;  // first item not taken
    atomic_int left;  // helpers still at work on this loop
    atomic_uint loop; // counts loops; a change starts the helpers
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

/* The i-th look in a row. */
static void look_again(int i)
{
    if (i < SPINS)
        spin_pause();
    else
        sched_yield();
}

static void take_items(struct pool *p, int worker)
{
    for (;;) {
        int item = atomic_fetch_add(&p->next, 1);
        if (item >= p->n_items)
            return;
        p->fn(p->arg, item, worker);
    }
}

static void wait_for_loop(struct pool *p, unsigned seen)
{
    for (int i = 0; i < SPINS + YIELDS; i++) {
        if (atomic_load(&p->loop) != seen)
            return;
        look_again(i);
    }
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleeping, 1);
    while (atomic_load(&p->loop) == seen)
        pthread_cond_wait(&p->wake, &p->lock);
    atomic_fetch_sub(&p->sleeping, 1);
    pthread_mutex_unlock(&p->lock);
}

static void *helper_main(void *arg)
{
    struct helper h = *(struct helper *)arg;
    unsigned seen = 0;
    free(arg);
    for (;;) {
        wait_for_loop(h.pool, seen);
        seen++;
        if (atomic_load(&h.pool->stop))
            return NULL;
        take_items(h.pool, h.worker);
        atomic_fetch_sub(&h.pool->left, 1);
    }
}

static void start_loop(struct pool *p)
{
    atomic_fetch_add(&p->loop, 1);
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
    start_loop(p);
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
    atomic_store(&p->next, 0);
    atomic_store(&p->left, p->n_threads - 1);
    start_loop(p);
    take_items(p, 0);
    for (int i = 0; atomic_load(&p->left) > 0; i += i < SPINS)
        look_again(i);
}
