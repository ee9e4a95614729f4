/*
 * ThinK against loops written from its definition: which channels of which keys are gone, alone and
 * beside a method that keeps some tokens, and that they take no bytes. Queries and keys are small
 * whole numbers, so that sums are exact and many channels are worth the same.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/unit/sequence.h"

enum { HEADS = 4, KV_HEADS = 2, WIDTH = 32, PLACES = 300 };

static const struct kv_shape shape = {1, HEADS, KV_HEADS, WIDTH};
static struct kv_engine engine;
static struct sequence made;

static int open_all(void **state)
{
    (void)state;
    struct rng r = {3};
    engine = engine_new(1);
    made = sequence_new(shape, PLACES, 11);
    for (int i = 0; i < PLACES * HEADS * WIDTH; i++)
        made.q[i] = (float)(rng_below(&r, 5) - 2) * (float)(1 + i % 3);
    for (int i = 0; i < PLACES * KV_HEADS * WIDTH; i++)
        made.k[i] = (float)(rng_below(&r, 3) - 1) * (float)(1 + i % 5) / 2;
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    pool_free(engine.pool);
    sequence_release(&made);
    return 0;
}

/* Mean squares of query heads first..last over the last `window` queries, times those of keys. */
static void worth_of(double *out, int first, int last, int prompt, int window)
{
    int kv_head = first / (HEADS / KV_HEADS), from = prompt > window ? prompt - window : 0;
    for (int c = 0; c < WIDTH; c++) {
        double q = 0, k = 0;
        for (int h = first; h <= last; h++)
            for (int t = from; t < prompt; t++) {
                double x = (double)made.q[(t * HEADS + h) * WIDTH + c];
                q += x * x;
            }
        for (int t = 0; t < prompt; t++) {
            double x = (double)made.k[(t * KV_HEADS + kv_head) * WIDTH + c];
            k += x * x;
        }
        out[c] = q * k;
    }
}

/* Is channel c among the n of least worth? Of equal ones the last goes first. */
static bool goes(const double *worth, int c, int n)
{
    int before = 0;
    for (int i = 0; i < WIDTH; i++)
        before += worth[i] < worth[c] || (worth[i] == worth[c] && i > c);
    return before < n;
}

static struct kv_cache *cache_of(struct kv_chain *chain, const char *text, int prompt, int steps)
{
    static float out[PLACES * HEADS * WIDTH];
    const struct sequence *s = &made;
    struct err e = {0};
    if (read_chain(chain, text, &e) || kv_chain_check(chain, &shape, true, "test", &e))
        fail_msg("%s: %s", text, e.msg);
    struct kv_cache *c = sequence_cache(s, &engine, chain, prompt, NULL);
    sequence_steps(&s, &c, 1, &engine, steps, out);
    return c;
}

/* heads: query heads that have channels in common. */
static void check_keys(const struct kv_cache *c, int heads, int prompt, int n, int dropped,
                       int recent, int window)
{
    int per_slot = HEADS / heads / kv_cache_n_slots(c);
    for (int unit = 0; unit < HEADS / heads; unit++) {
        double worth[WIDTH];
        int kv_head = unit * heads / (HEADS / KV_HEADS);
        struct kv_rows got = rows_of_slot(c, &shape, 0, unit / per_slot);
        worth_of(worth, unit * heads, (unit + 1) * heads - 1, prompt, window);
        assert_int_equal(got.n, n);
        for (int t = 0; t < n; t++)
            for (int i = 0; i < WIDTH; i++) {
                float whole = made.k[(t * KV_HEADS + kv_head) * WIDTH + i];
                float want = t < prompt - recent && goes(worth, i, dropped) ? 0 : whole;
                assert_true(kv_rows_k(&got, WIDTH, unit % per_slot, t)[i] == want);
            }
        kv_rows_release(&got);
    }
}

static void check_case(const char *heads, double ratio, int recent, int window, int prompt,
                       int steps)
{
    char text[160];
    struct kv_chain chain;
    struct kv_ledger l;
    int query = !strcmp(heads, "query"), n = prompt + steps, dropped = (int)(WIDTH * ratio);
    int copies = query ? HEADS : KV_HEADS, packed = prompt > recent ? prompt - recent : 0;
    snprintf(text, sizeof text,
             "[{\"think\":{\"ratio\":%g,\"recent\":%d,\"window\":%d,\"heads\":\"%s\"}}]", ratio,
             recent, window, heads);
    struct kv_cache *c = cache_of(&chain, text, prompt, steps);
    check_keys(c, query ? 1 : HEADS / KV_HEADS, prompt, n, dropped, recent, window);
    kv_cache_ledger(c, &l);
    assert_int_equal(kv_ledger_sum(l.held),
                     copies * ((2 * n * WIDTH - packed * dropped) * 16 + (packed ? WIDTH : 0)));
    kv_cache_free(c);
    kv_chain_release(&chain);
}

static void channels_of_least_worth_are_gone(void **state)
{
    (void)state;
    static const char *const heads[] = {"kv", "query"};
    for (int i = 0; i < 2; i++)
        for (int steps = 0; steps <= 40; steps += 40) {
            check_case(heads[i], 0.4, 32, 32, 200, steps);
            check_case(heads[i], 0.75, 0, 8, 100, steps);
            check_case(heads[i], 0.5, 32, 32, 33, steps);
            check_case(heads[i], 0.5, 32, 64, 32, steps);
            check_case(heads[i], 0.5, 32, 64, 5, steps);
            check_case(heads[i], 0, 16, 16, 60, steps);
        }
}

/* The budget in bytes is solved for rows without these channels. */
static void chosen_tokens_lose_channels(void **state)
{
    (void)state;
    struct kv_chain chain;
    struct kv_ledger l;
    struct kv_cache *c =
        cache_of(&chain, "[{\"snapkv\":{\"budget\":100}},{\"think\":{\"ratio\":0.5}}]", 250, 0);
    kv_cache_ledger(c, &l);
    uint64_t bits = (100 * WIDTH + 68 * WIDTH / 2 + 32 * WIDTH) * 16 + WIDTH;
    assert_int_equal(kv_ledger_sum(l.held), KV_HEADS * bits);
    for (int i = 0; i < KV_HEADS; i++) {
        struct kv_rows got = rows_of_slot(c, &shape, 0, i);
        int gone = 0;
        for (int ch = 0; ch < WIDTH; ch++) {
            int zeros = 0;
            for (int t = 0; t < 68; t++)
                zeros += kv_rows_k(&got, WIDTH, 0, t)[ch] == 0;
            gone += zeros == 68;
        }
        assert_int_equal(gone, WIDTH / 2);
        kv_rows_release(&got);
    }
    kv_cache_free(c), kv_chain_release(&chain);
    c = cache_of(&chain, "[{\"snapkv\":{\"bytes\":96}},{\"think\":{\"ratio\":0.5}}]", 250, 0);
    assert_int_equal(kv_cache_slot(c, 0, 0)->n, 250 / 2); // 192 bytes a token, half of them
    kv_cache_free(c), kv_chain_release(&chain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels_of_least_worth_are_gone),
        cmocka_unit_test(chosen_tokens_lose_channels),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
