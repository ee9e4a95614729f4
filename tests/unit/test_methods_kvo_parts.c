/*
 * KVO's parts alone. Put together they are kvo, bit for bit and byte for byte; the codec read
 * whole is kvo with a budget that reads all. Over other codecs chunks are compared with loops
 * written from the definition. And whatever is combined, packed rows and the codec's reference give
 * the same bits, and no step reads more than there is.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/unit/sequence.h"

enum { WIDTH = 32, PLACES = 400, SHAPES = 3, STEPS = 90 };

static const struct kv_shape shapes[SHAPES] = {
    {3, 4, 2, WIDTH}, {3, 2, 2, WIDTH}, {3, 4, 1, WIDTH}};
static struct kv_engine engine, floats;
static struct sequence made[SHAPES];

static int open_all(void **state)
{
    (void)state;
    engine = engine_new(2);
    floats = engine_new(1);
    floats.floats = true;
    for (int i = 0; i < SHAPES; i++)
        made[i] = sequence_new(shapes[i], PLACES, (uint64_t)i + 31);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    pool_free(engine.pool);
    pool_free(floats.pool);
    for (int i = 0; i < SHAPES; i++)
        sequence_release(&made[i]);
    return 0;
}

static struct kv_cache *cache_of(const struct kv_engine *e, struct kv_chain *chain,
                                 const char *text, int shape, int prompt)
{
    struct err err = {0};
    if (read_chain(chain, text, &err) || kv_chain_check(chain, &shapes[shape], true, "test", &err))
        fail_msg("%s: %s", text, err.msg);
    return sequence_cache(&made[shape], e, chain, prompt, NULL);
}

/* ---- kvo in parts ---- */

static void same_rows(const struct kv_cache *a, const struct kv_cache *b, int shape)
{
    for (int layer = 0; layer < 3; layer++) {
        struct kv_rows x = rows_of_layer(a, &shapes[shape], layer);
        struct kv_rows y = rows_of_layer(b, &shapes[shape], layer);
        assert_int_equal(x.n, y.n);
        for (int h = 0; h < shapes[shape].n_kv_heads; h++) {
            size_t bytes = (size_t)x.n * WIDTH * sizeof(float);
            assert_memory_equal(kv_rows_k(&x, WIDTH, h, 0), kv_rows_k(&y, WIDTH, h, 0), bytes);
            assert_memory_equal(kv_rows_v(&x, WIDTH, h, 0), kv_rows_v(&y, WIDTH, h, 0), bytes);
        }
        kv_rows_release(&x), kv_rows_release(&y);
    }
}

/* Two chains: the same attention, rows and bytes, from the prompt to the last step. */
static void same_runs(const char *one, const char *other, int shape, int prompt)
{
    struct kv_chain chains[2];
    struct kv_ledger ledgers[2];
    struct kv_cache *c[2] = {cache_of(&engine, &chains[0], one, shape, prompt),
                             cache_of(&engine, &chains[1], other, shape, prompt)};
    size_t n = (size_t)STEPS * 3 * out_width(&shapes[shape]);
    float *out[2] = {xcalloc(n, sizeof(float)), xcalloc(n, sizeof(float))};
    const struct sequence *s = &made[shape];
    for (int i = 0; i < 2; i++) {
        sequence_steps(&s, &c[i], 1, &engine, STEPS, out[i]);
        kv_cache_ledger(c[i], &ledgers[i]);
    }
    assert_memory_equal(out[0], out[1], n * sizeof(float));
    assert_memory_equal(&ledgers[0], &ledgers[1], sizeof *ledgers);
    same_rows(c[0], c[1], shape);
    for (int i = 0; i < 2; i++) {
        kv_cache_free(c[i]);
        kv_chain_release(&chains[i]);
        free(out[i]);
    }
}

static const char *const codes[] = {
    "\"first_layer\":1",
    "\"first_layer\":0,\"order\":false,\"key_bits\":4,\"value_bits\":1",
    "\"first_layer\":1,\"prune_keys\":false,\"value_kept\":0.25,\"pairs\":\"f32\"",
    "\"first_layer\":0,\"key_bits\":16,\"value_bits\":16,\"uncompressed\":\"f32\"",
};

static void the_codec_read_whole_is_kvo_that_reads_all(void **state)
{
    (void)state;
    char one[200], other[200];
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        for (int shape = 0; shape < SHAPES; shape++) {
            snprintf(one, sizeof one, "[{\"kvo-codec\":{\"window\":32,%s}}]", codes[i]);
            snprintf(other, sizeof other, "[{\"kvo\":{\"token_budget\":100000,\"window\":32,%s}}]",
                     codes[i]);
            same_runs(one, other, shape, 213);
            same_runs(one, other, shape, 0);
        }
}

static void codec_and_selection_together_are_kvo(void **state)
{
    (void)state;
    char one[300], other[300];
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        for (int shape = 0; shape < SHAPES; shape++) {
            int first_layer = strstr(codes[i], "layer\":1") != NULL;
            snprintf(one, sizeof one,
                     "[{\"kvo-codec\":{\"window\":32,%s}},{\"kvo-select\":{\"window\":32,"
                     "\"token_budget\":64,\"first_layer\":%d}}]",
                     codes[i], first_layer);
            snprintf(other, sizeof other, "[{\"kvo\":{\"token_budget\":64,\"window\":32,%s}}]",
                     codes[i]);
            same_runs(one, other, shape, 213);
            same_runs(one, other, shape, 0);
        }
}

/* Neither quantized nor pruned kvo is: its keys are INT8. Its order alone is what is left when all
 * is read: the same attention, but for the order of sums. */
static void an_order_alone_changes_no_attention(void **state)
{
    (void)state;
    struct kv_chain chains[2];
    struct kv_cache *c[2] = {cache_of(&engine, &chains[0], "[\"f32\"]", 0, 213),
                             cache_of(&engine, &chains[1],
                                      "[\"f32\",{\"kvo-order\":{\"window\":32,\"first_layer\":0}}]",
                                      0, 213)};
    size_t n = (size_t)STEPS * 3 * out_width(&shapes[0]);
    float *out[2] = {xcalloc(n, sizeof(float)), xcalloc(n, sizeof(float))};
    const struct sequence *s = &made[0];
    for (int i = 0; i < 2; i++)
        sequence_steps(&s, &c[i], 1, &engine, STEPS, out[i]);
    assert_true(memcmp(out[0], out[1], n * sizeof(float)) != 0);
    for (size_t i = 0; i < n; i++)
        assert_true(out[0][i] - out[1][i] < 1e-5f && out[1][i] - out[0][i] < 1e-5f);
    for (int i = 0; i < 2; i++) {
        kv_cache_free(c[i]);
        kv_chain_release(&chains[i]);
        free(out[i]);
    }
}

/* ---- which chunks ---- */

/* The n chunks of largest product of q and their first key are read, and rows from `from` on. */
static void reads_best_chunks(const struct kv_cache *c, int head, const float *q, const float *keys,
                              int rows, int from, int chunk, int n)
{
    char got[PLACES] = {0};
    const struct kv_range *r;
    int ranges = kv_cache_ranges(c, head, &r), read = 0;
    double least = 1e300, most = -1e300;
    for (int i = 0; i < ranges; i++)
        memset(got + r[i].start, 1, (size_t)r[i].n);
    for (int t = 0; t < from; t += chunk) {
        double score = 0;
        for (int d = 0; d < WIDTH; d++)
            score += (double)q[d] * keys[t * WIDTH + d];
        for (int i = 1; i < chunk; i++)
            assert_int_equal(got[t + i], got[t]);
        read += got[t];
        least = got[t] && score < least ? score : least;
        most = !got[t] && score > most ? score : most;
    }
    assert_int_equal(read, n);
    assert_true(least >= most - 1e-4);
    for (int t = from; t < PLACES; t++)
        assert_int_equal(got[t], t < rows);
}

/* rest: of the chain, with an option of kvo-select. One step behind a prompt. */
static void check_choice(const char *before, int shape, int prompt, int window, int chunk,
                         int budget)
{
    static float out[4 * WIDTH];
    char text[300];
    struct kv_chain chain;
    const struct sequence *s = &made[shape];
    int group = shapes[shape].n_heads / shapes[shape].n_kv_heads;
    int from = prompt >= 2 * window ? prompt / window * window - window : 0;
    int n = (budget < from ? budget : from) / chunk, chunks = from / chunk;
    n = n < 3 ? 3 : n;
    snprintf(text, sizeof text,
             "[%s,{\"kvo-select\":{\"window\":%d,\"chunk\":%d,\"token_budget\":%d}}]", before,
             window, chunk, budget);
    struct kv_cache *c = cache_of(&engine, &chain, text, shape, prompt);
    struct rows_of_step r = rows_of_step_new(&shapes[shape], 1);
    sequence_attend(&s, &c, 1, &engine, 2, &r, out);
    struct kv_rows rows = rows_of_layer(c, &shapes[shape], 2);
    for (int h = 0; h < shapes[shape].n_heads; h++)
        reads_best_chunks(c, h, r.q + h * WIDTH, kv_rows_k(&rows, WIDTH, h / group, 0), prompt + 1,
                          from, chunk, n < chunks ? n : chunks);
    kv_rows_release(&rows);
    rows_of_step_free(&r);
    kv_cache_free(c);
    kv_chain_release(&chain);
}

static void chunks_are_chosen_by_their_first_rows_over_any_codec(void **state)
{
    (void)state;
    static const char *const codecs[] = {
        "\"f32\"",  "\"f16\"",       "\"q8\"",
        "\"kivi\"", "\"think\"",     "\"turboquant\"",
        "\"rtn\"",  "\"kvo-order\"", "{\"kvo-codec\":{\"window\":32}}",
    };
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
        for (int shape = 0; shape < SHAPES; shape++) {
            check_choice(codecs[i], shape, 300, 64, 8, 100);
            check_choice(codecs[i], shape, 300, 32, 4, 1);
            check_choice(codecs[i], shape, 300, 48, 12, 120); // no chunk of kvo-codec
            check_choice(codecs[i], shape, 63, 32, 8, 100);   // two windows are not full
            check_choice(codecs[i], shape, 64, 32, 16, 1000); // all there are
        }
}

/* ---- combinations ---- */

static void reads_no_more_than_there_is(const struct kv_cache *c, struct kv_ledger *before)
{
    struct kv_ledger now;
    kv_cache_ledger(c, &now);
    for (int i = 0; i < KV_CLASSES; i++) // windows are read to be packed, too
        if (i != KV_RECENT)
            assert_true(now.read[i] - before->read[i] <= now.held[i]);
    *before = now;
}

static void check_twins(const char *text, int shape, int prompt)
{
    struct kv_chain chains[2];
    struct kv_cache *c = cache_of(&engine, &chains[0], text, shape, prompt);
    struct kv_cache *twin = cache_of(&floats, &chains[1], text, shape, prompt);
    size_t n = 3 * out_width(&shapes[shape]);
    float *one = xcalloc(n, sizeof *one), *other = xcalloc(n, sizeof *other);
    const struct sequence *s = &made[shape];
    struct kv_ledger ledger;
    kv_cache_ledger(c, &ledger);
    for (int i = 0; i < STEPS; i++) {
        sequence_steps(&s, &c, 1, &engine, 1, one);
        sequence_steps(&s, &twin, 1, &floats, 1, other);
        assert_memory_equal(one, other, n * sizeof *one);
        reads_no_more_than_there_is(c, &ledger);
    }
    free(one), free(other);
    kv_cache_free(c), kv_cache_free(twin);
    kv_chain_release(&chains[0]), kv_chain_release(&chains[1]);
}

static void combinations_read_what_their_reference_reads(void **state)
{
    (void)state;
    static const char *const chains[] = {
        "[\"kvo-codec\",{\"quest\":{\"token_budget\":64}}]",
        ("[{\"quest\":{\"token_budget\":48,\"rule\":\"kernel\",\"page\":12}},"
         "{\"kvo-codec\":{\"window\":32,\"key_chunk\":16}}]"),
        "[\"kvo-order\",{\"kvo-select\":{\"token_budget\":40}}]",
        "[\"kvo-order\",{\"kvo-select\":{\"token_budget\":100000}}]",
        "[\"kvo-order\",{\"quest\":{\"token_budget\":64}},\"q8\"]",
        "[{\"kvo-codec\":{\"window\":32}},{\"kvo-select\":{\"window\":48,\"chunk\":12}}]",
        "[{\"kvo-codec\":{\"window\":64}},{\"kvo-select\":{\"window\":16,\"chunk\":4}}]",
        "[\"q8\",\"kvo-select\"]",
        "[\"kivi\",\"kvo-select\"]",
        "[\"kivi\",{\"quest\":{\"token_budget\":64}}]",
        "[\"turboquant\",\"kvo-select\"]",
        "[\"turboquant\",{\"quest\":{\"token_budget\":64}}]",
        "[{\"snapkv\":{\"budget\":150}},{\"quest\":{\"token_budget\":64}}]",
        "[{\"snapkv\":{\"budget\":150}},\"kvo-select\",\"q8\"]",
        "[{\"think\":{\"heads\":\"query\"}},{\"quest\":{\"token_budget\":64}}]",
    };
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++)
        for (int shape = 0; shape < SHAPES; shape++)
            check_twins(chains[i], shape, 250);
}

static void parts_that_do_not_fit_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"[\"kvo-order\",\"kivi\"]", "'kvo-order' orders tokens"},
        {"[{\"kvo-select\":{\"chunk\":7}}]", "chunk 7 does not divide the window 64"},
        {"[{\"kvo-order\":{\"first_layer\":3}}]", "first_layer 3"},
        {"[{\"quest\":{\"first_layer\":3}}]", "first_layer 3"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct kv_chain c;
        struct err e = {0};
        assert_int_equal(read_chain(&c, wrong[i][0], &e), 0);
        assert_int_not_equal(kv_chain_check(&c, &shapes[0], true, "test", &e), 0);
        if (!strstr(e.msg, wrong[i][1]))
            fail_msg("%s: %s", wrong[i][0], e.msg);
        kv_chain_release(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_codec_read_whole_is_kvo_that_reads_all),
        cmocka_unit_test(codec_and_selection_together_are_kvo),
        cmocka_unit_test(an_order_alone_changes_no_attention),
        cmocka_unit_test(chunks_are_chosen_by_their_first_rows_over_any_codec),
        cmocka_unit_test(combinations_read_what_their_reference_reads),
        cmocka_unit_test(parts_that_do_not_fit_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
