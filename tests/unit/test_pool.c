#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness/base/mem.h"
#include "harness/base/pool.h"

enum { MAX_ITEMS = 1000, MAX_THREADS = 4 };

struct job {
    int n_threads;
    atomic_int taken[MAX_ITEMS];
    atomic_int wrong;      // items or workers out of range
    long sum[MAX_THREADS]; // plain: a worker has its own
    int plain[MAX_ITEMS];  // plain: an item is one worker's
};

static void work(void *arg, int item, int worker)
{
    struct job *j = arg;
    if (item < 0 || item >= MAX_ITEMS || worker < 0 || worker >= j->n_threads) {
        atomic_fetch_add(&j->wrong, 1);
        return;
    }
    atomic_fetch_add(&j->taken[item], 1);
    j->sum[worker] += item;
    j->plain[item] = item + 1;
}

/* One loop: every item once, and what the workers wrote is seen by the caller. */
static void check_loop(struct pool *p, struct job *j, int n_items)
{
    long sum = 0;
    memset(j, 0, sizeof *j);
    j->n_threads = pool_threads(p);
    pool_run(p, n_items, work, j);
    assert_int_equal(j->wrong, 0);
    for (int i = 0; i < MAX_ITEMS; i++) {
        assert_int_equal(j->taken[i], i < n_items);
        assert_int_equal(j->plain[i], i < n_items ? i + 1 : 0);
    }
    for (int w = 0; w < MAX_THREADS; w++)
        sum += j->sum[w];
    assert_int_equal(sum, (long)n_items * (n_items - 1) / 2);
}

static void every_item_once(void **state)
{
    (void)state;
    struct job *j = xmalloc(sizeof *j);
    for (int n_threads = 1; n_threads <= MAX_THREADS; n_threads++) {
        struct pool *p = pool_new(n_threads);
        assert_int_equal(pool_threads(p), n_threads);
        for (int round = 0; round < 20; round++)
            for (int n = 0; n <= 9; n++)
                check_loop(p, j, n);
        check_loop(p, j, 100);
        check_loop(p, j, MAX_ITEMS);
        pool_free(p);
    }
    free(j);
}

static void add_one(void *arg, int item, int worker)
{
    (void)item;
    (void)worker;
    atomic_fetch_add((atomic_int *)arg, 1);
}

/* Loops as short and as many as a decode step's; with pauses in which the helpers fall asleep. */
static void many_short_loops(void **state)
{
    (void)state;
    for (int n_threads = 1; n_threads <= MAX_THREADS; n_threads++) {
        struct pool *p = pool_new(n_threads);
        atomic_int total = 0;
        int expected = 0;
        for (int loop = 0; loop < 500; loop++) {
            pool_run(p, loop % 7, add_one, &total);
            expected += loop % 7;
            assert_int_equal(total, expected);
            if (loop % 50 == 49)
                nanosleep(&(struct timespec){0, 2000000}, NULL);
        }
        pool_free(p);
    }
}

static void start_and_stop(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        atomic_int total = 0;
        struct pool *p = pool_new(1 + i % MAX_THREADS);
        if (i % 2)
            pool_run(p, 3, add_one, &total);
        pool_free(p);
        assert_int_equal(total, i % 2 ? 3 : 0);
    }
    pool_free(NULL);
}

static void inner(void *arg, int item, int worker)
{
    struct pool **pools = arg;
    atomic_int total = 0;
    (void)worker;
    pool_run(pools[item], 1 + item, add_one, &total);
    assert_int_equal(total, 1 + item);
}

/* Pools are independent: an item of one may run a loop of another. */
static void a_pool_within_another(void **state)
{
    (void)state;
    struct pool *outer = pool_new(2), *pools[3];
    for (int i = 0; i < 3; i++)
        pools[i] = pool_new(i + 1);
    for (int round = 0; round < 20; round++)
        pool_run(outer, 3, inner, pools);
    for (int i = 0; i < 3; i++)
        pool_free(pools[i]);
    pool_free(outer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_once),
        cmocka_unit_test(many_short_loops),
        cmocka_unit_test(start_and_stop),
        cmocka_unit_test(a_pool_within_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
