#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <setjmp.h>
#include <cmocka.h>

#include "harness/base/pool.h"

enum { ITEMS = 100, THREADS = 3 };

struct seen {
    atomic_int times[ITEMS];
    atomic_int strange; // workers out of range
};

static void see(void *arg, int item, int worker)
{
    struct seen *s = arg;
    atomic_fetch_add(&s->times[item], 1);
    if (worker < 0 || worker >= THREADS)
        atomic_fetch_add(&s->strange, 1);
}

/* Thousands of loops of changing length, so that helpers come late to many of them. */
static void every_item_runs_once(void **state)
{
    struct pool *p = pool_new(THREADS);
    (void)state;
    assert_int_equal(pool_threads(p), THREADS);
    for (int loop = 0; loop < 20000; loop++) {
        static struct seen s;
        int n = loop % (ITEMS + 1);
        memset(&s, 0, sizeof s);
        pool_run(p, n, see, &s);
        assert_int_equal(s.strange, 0);
        for (int i = 0; i < ITEMS; i++)
            assert_int_equal(s.times[i], i < n);
    }
    pool_free(p);
}

/* Longer pauses than a helper spins: it sleeps, and is woken. */
static void helpers_sleep_and_wake(void **state)
{
    struct pool *p = pool_new(THREADS);
    (void)state;
    for (int loop = 0; loop < 5; loop++) {
        static struct seen s;
        struct timespec pause = {0, 20000000};
        memset(&s, 0, sizeof s);
        nanosleep(&pause, NULL);
        pool_run(p, ITEMS, see, &s);
        for (int i = 0; i < ITEMS; i++)
            assert_int_equal(s.times[i], 1);
    }
    pool_free(p);
    pool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_runs_once),
        cmocka_unit_test(helpers_sleep_and_wake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
