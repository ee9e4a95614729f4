/* A batch at the runner's level: sequences join and leave at different steps, and each says, counts
 * and is billed what it would be alone. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/json.h"
#include "harness/base/mem.h"
#include "harness/base/rng.h"
#include "runner/command.h"
#include "runner/decode.h"

enum { CASES = 9, POSITIONS = 330, LONGEST = 328 };

/* stop_at: this token of the answer is a stop id (0: none is). */
static const struct kind {
    const char *chain, *stop;
    int prompt, joins, max_new, min_new, stop_at;
    bool first_may_stop;
} kinds[CASES] = {
    {"[\"full\"]", "length", 200, 0, 20, 0, 0, true},
    {"[\"q8\"]", "eos", 31, 0, 30, 0, 7, true},
    {"[\"kvo\"]", "length", 300, 0, 9, 0, 0, true},
    {"[{\"kvo\":{\"first_layer\":0,\"window\":32,\"token_budget\":64}}]", "eos", 300, 2, 30, 0, 12,
     false},
    {"[{\"kvo\":{\"window\":32,\"token_budget\":24,\"key_bits\":4}}]", "length", 120, 3, 15, 15, 1,
     true},
    {"[{\"kvo\":{\"first_layer\":0,\"key_bits\":1,\"order\":false}}]", "length", 257, 3, 1, 0, 0,
     true},
    {"[\"f32\"]", "positions", LONGEST, 5, 40, 0, 0, true},
    {"[\"q8\"]", "length", 1, 6, 40, 3, 0, false},
    {"[\"full\"]", "eos", 90, 50, 5, 0, 1, true}, // joins when nobody is left
};

struct run {
    struct kv_chain chain;
    struct kv_cache *cache;
    struct stop_rules rules;
    struct sequence s;
    struct kv_ledger ledger; // when its sequence had ended
    float *prompt_logits;    // [vocab]
};

struct bed {
    struct model *m;
    size_t vocab;
    float *logits; // [CASES][vocab]
    struct run alone[CASES], together[CASES];
    double seconds; // wall time of the steps together
    int64_t company[CASES];
};

/* ---- sequences ---- */

static void open_run(struct bed *b, struct run *r, const struct kind *k)
{
    struct err e;
    struct rng rng = {(uint64_t)(k - kinds) + 1};
    int32_t ids[LONGEST];
    struct json *chain = json_read(text_of(k->chain), &e);
    assert_non_null(chain);
    assert_int_equal(kv_chain_read(&r->chain, chain, "test", &e), 0);
    json_free(chain);
    for (int i = 0; i < k->prompt; i++)
        ids[i] = rng_below(&rng, 4096);
    r->prompt_logits = mem_aligned(b->vocab * sizeof(float));
    r->cache =
        model_read(b->m, &r->chain, ids, k->prompt, k->prompt + k->max_new, r->prompt_logits);
    r->rules = (struct stop_rules){k->max_new, k->min_new, k->first_may_stop, {0}, 0};
    r->s = (struct sequence){.cache = r->cache, .rules = &r->rules};
    decoded_init(&r->s.out);
}

static void close_run(struct run *r)
{
    decoded_release(&r->s.out);
    free(r->prompt_logits);
    kv_cache_free(r->cache);
    kv_chain_release(&r->chain);
}

static void decode_alone(struct bed *b, struct run *r, const struct kind *k, int32_t stop_id)
{
    open_run(b, r, k);
    r->rules.ids[0] = stop_id;
    r->rules.n_ids = k->stop_at > 0;
    decode_greedy(b->m, &r->s, r->prompt_logits, b->logits);
    kv_cache_ledger(r->cache, &r->ledger);
}

/* What the answer has at stop_at when nothing stops it. */
static int32_t find_stop(struct bed *b, const struct kind *k)
{
    struct run r;
    open_run(b, &r, k);
    decode_greedy(b->m, &r.s, r.prompt_logits, b->logits);
    int32_t id = r.s.out.ids.v[k->stop_at - 1];
    close_run(&r);
    return id;
}

static void all_alone(struct bed *b)
{
    for (int i = 0; i < CASES; i++)
        decode_alone(b, &b->alone[i], &kinds[i], kinds[i].stop_at ? find_stop(b, &kinds[i]) : 0);
}

/* Of sequences that have joined: those that go on. Who begins in this step joins before. */
static int gather(struct bed *b, int step, struct sequence **going)
{
    int n = 0;
    for (int i = 0; i < CASES; i++) {
        struct run *r = &b->together[i];
        if (kinds[i].joins == step)
            decode_begin(&r->s, b->m, r->prompt_logits);
        if (kinds[i].joins <= step && !r->s.out.stop)
            going[n++] = &r->s;
    }
    return n;
}

static void step_together(struct bed *b, struct sequence *const *going, int n)
{
    double start = clock_seconds();
    decode_step(b->m, going, n, b->logits);
    b->seconds += clock_seconds() - start;
    for (int i = 0; i < CASES; i++)
        for (int k = 0; k < n; k++)
            b->company[i] += going[k] == &b->together[i].s ? n : 0;
}

static void all_together(struct bed *b)
{
    struct sequence *going[CASES];
    int last = 0;
    for (int i = 0; i < CASES; i++) {
        open_run(b, &b->together[i], &kinds[i]);
        b->together[i].rules = b->alone[i].rules;
        last = kinds[i].joins > last ? kinds[i].joins : last;
    }
    for (int step = 0, n = 1; n || step <= last; step++)
        if ((n = gather(b, step, going)) > 0)
            step_together(b, going, n);
    for (int i = 0; i < CASES; i++)
        kv_cache_ledger(b->together[i].cache, &b->together[i].ledger);
}

/* ---- comparing ---- */

static void same_answer(const struct run *x, const struct run *y, const struct kind *k)
{
    assert_string_equal(x->s.out.stop, k->stop);
    assert_string_equal(y->s.out.stop, k->stop);
    assert_int_equal(x->s.out.ids.n, y->s.out.ids.n);
    assert_memory_equal(x->s.out.ids.v, y->s.out.ids.v, x->s.out.ids.n * sizeof(int32_t));
    assert_memory_equal(&x->ledger, &y->ledger, sizeof x->ledger);
}

static void accounted(const struct bed *b, int i)
{
    const struct decoded *alone = &b->alone[i].s.out, *together = &b->together[i].s.out;
    assert_int_equal(alone->steps, alone->ids.n - 1);
    assert_int_equal(alone->company, alone->steps);
    assert_int_equal(together->steps, alone->steps);
    assert_int_equal(together->company, b->company[i]);
    assert_true(together->weight_bits == alone->weight_bits);
    assert_true((alone->weight_bits > 0) == (alone->steps > 0));
    assert_true((together->seconds > 0) == (together->steps > 0));
}

/* What the clock saw of the steps, but for the calls themselves. */
static void seconds_add_up(const struct bed *b)
{
    double sum = 0;
    for (int i = 0; i < CASES; i++)
        sum += b->together[i].s.out.seconds;
    assert_true(sum <= b->seconds * (1 + 1e-9));
    assert_true(sum >= b->seconds * 0.9);
}

static void compare(int threads, const struct quant_format *weights)
{
    struct err e;
    struct bed b = {0};
    struct model_options o = {.threads = threads, .max_positions = POSITIONS};
    char *dir = command_path_dup("configs/models/mini");
    assert_non_null(b.m = model_open_bare(dir, &o, &e));
    assert_int_equal(weights ? model_use_weights(b.m, weights, &e) : 0, 0);
    b.vocab = (size_t)model_get_config(b.m)->vocab;
    b.logits = mem_aligned(CASES * b.vocab * sizeof(float));
    all_alone(&b);
    all_together(&b);
    for (int i = 0; i < CASES; i++) {
        same_answer(&b.alone[i], &b.together[i], &kinds[i]);
        accounted(&b, i);
    }
    seconds_add_up(&b);
    for (int i = 0; i < CASES; i++)
        close_run(&b.alone[i]), close_run(&b.together[i]);
    free(b.logits);
    model_close(b.m);
    free(dir);
}

static void one_thread(void **state)
{
    (void)state;
    compare(1, NULL);
}

static void two_threads(void **state)
{
    (void)state;
    compare(2, NULL);
}

static void weights_of_four_bits(void **state)
{
    (void)state;
    compare(2, &(struct quant_format){.bits = 4, .group = 64});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread),
        cmocka_unit_test(two_threads),
        cmocka_unit_test(weights_of_four_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
