/* Prompts that begin alike share that part of the prefill, and nothing of their results tells. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"
#include "harness/base/mem.h"
#include "harness/base/rng.h"
#include "harness/model/model.h"
#include "runner/command.h"
#include "tests/unit/sequence.h"

enum { CHAINS = 3, STEPS = 3, LONGEST = 620 };

static const char *const chain_texts[CHAINS] = {
    "[{\"kvo\":{\"first_layer\":0,\"window\":32,\"token_budget\":64}}]", "[\"kvo\"]",
    "[{\"kvo\":{\"first_layer\":0,\"key_bits\":4,\"order\":false}}]"};
static const char *const plain_texts[CHAINS] = {"[\"full\"]", "[\"q8\"]", "[\"f32\"]"};

static char *mini_dir;

static int enter(void **state)
{
    (void)state;
    mini_dir = command_path_dup("configs/models/mini");
    return !mini_dir;
}

static int leave(void **state)
{
    (void)state;
    free(mini_dir);
    return 0;
}

struct bed {
    struct model *m;
    size_t vocab;
    struct kv_chain chains[CHAINS];
    struct kv_prefix *prefix;
};

static void open_bed(struct bed *b, struct model_options o, const char *const *texts)
{
    struct err e;
    if (!(b->m = model_open_bare(mini_dir, &o, &e)))
        fail_msg("%s", e.msg);
    b->vocab = (size_t)model_get_config(b->m)->vocab;
    for (int i = 0; i < CHAINS; i++)
        assert_int_equal(read_chain(&b->chains[i], texts[i], &e), 0);
    b->prefix = kv_prefix_new(model_shape(b->m), true);
}

static void close_bed(struct bed *b)
{
    kv_prefix_free(b->prefix);
    for (int i = 0; i < CHAINS; i++)
        kv_chain_release(&b->chains[i]);
    model_close(b->m);
}

/* Logits of the prompt, then of STEPS steps of each setting; what each cache holds in the end. */
struct outcome {
    float *logits; // [1 + STEPS * CHAINS][vocab]
    struct kv_ledger ledger[CHAINS];
};

static void read_and_step(struct bed *b, const int32_t *ids, int n, struct kv_prefix *x, int have,
                          int keep, struct outcome *out)
{
    struct kv_cache *c[CHAINS];
    int32_t next[CHAINS];
    out->logits = xcalloc(1 + STEPS * CHAINS, b->vocab * sizeof(float));
    for (int i = 0; i < CHAINS; i++)
        c[i] = kv_cache_new(&b->chains[i], model_shape(b->m), model_engine(b->m), n + STEPS);
    struct kv_prefill *p = kv_prefill_new(model_engine(b->m), model_shape(b->m), c, CHAINS, n);
    kv_prefill_share(p, x, have, keep);
    model_prefill(b->m, ids, n, p, out->logits);
    kv_prefill_free(p);
    for (size_t s = 0; s < STEPS; s++) {
        for (int i = 0; i < CHAINS; i++)
            next[i] = ids[s];
        model_step(b->m, next, c, CHAINS, out->logits + (1 + s * CHAINS) * b->vocab);
    }
    for (int i = 0; i < CHAINS; i++) {
        kv_cache_ledger(c[i], &out->ledger[i]);
        kv_cache_free(c[i]);
    }
}

static void same(const struct bed *b, struct outcome *x, struct outcome *y)
{
    assert_memory_equal(x->logits, y->logits, (1 + STEPS * CHAINS) * b->vocab * sizeof(float));
    assert_memory_equal(x->ledger, y->ledger, sizeof x->ledger);
    free(x->logits);
    free(y->logits);
}

/* A prompt that begins with `have` of what the prefix holds, with and without it. */
static void compare(struct bed *b, const int32_t *ids, int n, int have, int keep)
{
    struct outcome with, without;
    read_and_step(b, ids, n, b->prefix, have, keep, &with);
    assert_int_equal(kv_prefix_tokens(b->prefix), keep > have ? keep : have);
    read_and_step(b, ids, n, NULL, 0, 0, &without);
    same(b, &with, &without);
}

static void fill(int32_t *ids, int from, int n, uint64_t seed)
{
    struct rng r = {seed};
    for (int i = from; i < n; i++)
        ids[i] = rng_below(&r, 4096);
}

/* One document after the other: more of it is shared, less, nothing. */
static void share_some(struct model_options o, const char *const *texts)
{
    struct bed b;
    int32_t ids[LONGEST];
    open_bed(&b, o, texts);
    assert_int_equal(model_share_unit(b.m), 1);
    fill(ids, 0, 300, 1);
    compare(&b, ids, 300, 0, 201);
    fill(ids, 201, 290, 2);
    compare(&b, ids, 290, 201, 260);
    fill(ids, 260, 270, 3);
    compare(&b, ids, 270, 260, 64);
    fill(ids, 64, 65, 4);
    compare(&b, ids, 65, 64, 64); // one token of its own
    compare(&b, ids, 65, 0, 0);
    close_bed(&b);
}

static void settings_that_observe(void **state)
{
    (void)state;
    share_some((struct model_options){.threads = 2}, chain_texts);
    share_some((struct model_options){.threads = 1}, chain_texts);
}

static void settings_that_do_not(void **state)
{
    (void)state;
    share_some((struct model_options){.threads = 2}, plain_texts);
}

/* Where rows may depend on each other whole chunks are shared. */
static void whole_chunks_with_blas(void **state)
{
    (void)state;
    struct bed b;
    int32_t ids[LONGEST];
    open_bed(&b, (struct model_options){.threads = 1, .kernels = "plain"}, chain_texts);
    int unit = model_share_unit(b.m);
    assert_int_equal(unit, MODEL_BATCH_MAX);
    fill(ids, 0, LONGEST, 5);
    compare(&b, ids, LONGEST, 0, unit);
    fill(ids, unit, LONGEST - 40, 6);
    compare(&b, ids, LONGEST - 40, unit, unit);
    close_bed(&b);
}

static void its_bytes_are_told(void **state)
{
    (void)state;
    const struct kv_shape s = {2, 4, 2, 8};
    assert_int_equal(kv_prefix_bytes(&s, false, 10), 10 * 2 * 2 * 2 * 8 * 4);
    assert_int_equal(kv_prefix_bytes(&s, true, 10), 10 * 2 * (2 * 2 + 4) * 8 * 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_that_observe),
        cmocka_unit_test(settings_that_do_not),
        cmocka_unit_test(whole_chunks_with_blas),
        cmocka_unit_test(its_bytes_are_told),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
