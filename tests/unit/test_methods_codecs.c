/*
 * Codecs that round by groups, against loops written from their definitions: what each row of a
 * prompt and of steps reads back as, how many rows wait as f16, and what that costs.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "harness/tensor/dtype.h"
#include "tests/unit/sequence.h"

enum { HEADS = 2, WIDTH = 64, PLACES = 400 };

static const struct kv_shape shape = {1, 4, HEADS, WIDTH};
static struct kv_engine engine, floats;
static struct sequence made;

/* Every 50th token has equal channels, every 7th channel is the same for many tokens, and some
 * numbers lie between two codes: ties. */
static void plant(struct sequence *s)
{
    for (int t = 0; t < s->n; t++)
        for (int c = 0; c < HEADS * WIDTH; c++) {
            float *k = &s->k[t * HEADS * WIDTH + c], *v = &s->v[t * HEADS * WIDTH + c];
            *k = t % 50 == 0 ? 0.75f : c % 7 == 0 ? -3.0f : *k;
            *v = t % 50 == 0 ? -0.125f : t % 3 == 0 ? (float)((t + 5 * c) % 31) * 0.5f : *v;
        }
}

static int open_all(void **state)
{
    (void)state;
    engine = engine_new(1);
    floats = engine_new(1);
    floats.floats = true;
    made = sequence_new(shape, PLACES, 77);
    plant(&made);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    pool_free(engine.pool), pool_free(floats.pool);
    sequence_release(&made);
    return 0;
}

/* ---- the definition: a number of a group, given all of the group ---- */

static double half(double x)
{
    return f16_to_f32(f16_from_f32((float)x));
}

static float read_back(const double *group, int n, double x, int bits)
{
    double min = group[0], max = group[0], top = pow(2, bits) - 1;
    for (int i = 0; i < n; i++) {
        min = fmin(min, group[i]);
        max = fmax(max, group[i]);
    }
    float scale = (float)half((float)(max - min) / (float)top), zero = (float)half(min);
    double code = scale == 0 ? 0 : rint(fmin(fmax((x - zero) / scale, 0), top));
    float product = (float)code * scale;
    return product + zero;
}

/* Keys or values, head by head. */
static double number(const float *x, int head, int t, int c)
{
    return x[(t * HEADS + head) * WIDTH + c];
}

struct naive {
    int bits, group;
    bool by_channel, halved; // what is rounded to codes has been f16
};

static float coded(const struct naive *f, const float *x, int head, int t, int c)
{
    double group[512];
    for (int i = 0; i < f->group; i++) {
        int token = f->by_channel ? t / f->group * f->group + i : t;
        int channel = f->by_channel ? c : c / f->group * f->group + i;
        group[i] = number(x, head, token, channel);
        group[i] = f->halved ? half(group[i]) : group[i];
    }
    return read_back(group, f->group, group[f->by_channel ? t % f->group : c % f->group], f->bits);
}

/* Rows before `packed` are codes, the others f16. */
static void same_rows(const struct naive *f, const float *x, int packed, int n, const float *got,
                      int cap)
{
    for (int h = 0; h < HEADS; h++)
        for (int t = 0; t < n; t++)
            for (int c = 0; c < WIDTH; c++) {
                float want = t < packed ? coded(f, x, h, t, c) : (float)half(number(x, h, t, c));
                float have = got[(h * cap + t) * WIDTH + c];
                if (have != want)
                    fail_msg("head %d row %d channel %d: %g, not %g", h, t, c, (double)have,
                             (double)want);
            }
}

static void open_chain(struct kv_chain *chain, const char *text)
{
    struct err e = {0};
    if (read_chain(chain, text, &e) || kv_chain_check(chain, &shape, true, "test", &e))
        fail_msg("%s: %s", text, e.msg);
}

static struct kv_cache *cache_after(const struct kv_engine *on, const struct kv_chain *chain,
                                    int prompt, int steps)
{
    static float out[PLACES * 4 * WIDTH];
    const struct sequence *s = &made;
    struct kv_cache *c = sequence_cache(s, on, chain, prompt, NULL);
    sequence_steps(&s, &c, 1, on, steps, out);
    return c;
}

/* ---- KIVI ---- */

static void kivi_rows(int bits, int group, int residual, int prompt, int steps)
{
    char text[128];
    struct kv_chain chain;
    struct kv_ledger ledger;
    int n = prompt + steps, seen = steps ? n - 1 : n; // rows before the last step
    int keys = seen / residual * residual, values = seen > residual ? seen - residual : 0;
    snprintf(text, sizeof text,
             "[{\"kivi\":{\"key_bits\":%d,\"value_bits\":%d,\"group\":%d,\"residual\":%d}}]", bits,
             bits, group, residual);
    open_chain(&chain, text);
    struct kv_cache *c = cache_after(&engine, &chain, prompt, steps);
    struct kv_rows got = rows_of_layer(c, &shape, 0);
    same_rows(&(struct naive){bits, group, true, true}, made.k, keys, n, got.k, got.cap);
    same_rows(&(struct naive){bits, group, false, true}, made.v, values, n, got.v, got.cap);
    kv_cache_ledger(c, &ledger);
    int packed = (keys + values) * HEADS * WIDTH;
    assert_int_equal(ledger.held[KV_ROWS], packed * bits);
    assert_int_equal(ledger.held[KV_PAIRS], packed / group * 32);
    assert_int_equal(ledger.held[KV_RECENT], (2 * n - keys - values) * HEADS * WIDTH * 16);
    kv_rows_release(&got);
    kv_cache_free(c);
    kv_chain_release(&chain);
}

static void kivi_packs_what_its_definition_says(void **state)
{
    (void)state;
    static const int prompts[] = {1, 31, 32, 33, 63, 64, 65, 200};
    for (size_t i = 0; i < sizeof prompts / sizeof *prompts; i++)
        for (int steps = 0; steps <= 70; steps += 35)
            for (int bits = 2; bits <= 8; bits *= 2)
                kivi_rows(bits, 16, 32, prompts[i], steps);
    kivi_rows(2, 32, 128, 300, 90);
    kivi_rows(4, 64, 64, 130, 1);
    kivi_rows(2, 1, 3, 40, 7);
}

/* A scale and an offset for each number are more than the number: such a cache is no smaller. */
static void groups_of_one_are_not_billed_as_compressed(void **state)
{
    (void)state;
    struct kv_chain chain;
    struct kv_ledger l;
    open_chain(&chain, "[{\"kivi\":{\"group\":1,\"residual\":1}}]");
    struct kv_cache *c = cache_after(&engine, &chain, 300, 0);
    kv_cache_ledger(c, &l);
    assert_true(kv_ledger_sum(l.held) > 2 * l.full);
    kv_cache_free(c);
    kv_chain_release(&chain);
}

static void refused(const char *text, const char *a, const char *b)
{
    struct kv_chain chain;
    struct err e = {0};
    assert_int_equal(read_chain(&chain, text, &e), 0);
    assert_int_equal(kv_chain_check(&chain, &shape, true, "test", &e), -1);
    if (!strstr(e.msg, a) || !strstr(e.msg, b))
        fail_msg("'%s' does not name '%s' and '%s'", e.msg, a, b);
    kv_chain_release(&chain);
}

static void what_cannot_be_packed_is_refused(void **state)
{
    (void)state;
    refused("[{\"kivi\":{\"key_bits\":3}}]", "key_bits 3", "2, 4 or 8");
    refused("[{\"kivi\":{\"value_bits\":7}}]", "value_bits 7", "2, 4 or 8");
    refused("[{\"kivi\":{\"group\":32,\"residual\":100}}]", "residual 100", "128");
    refused("[{\"kivi\":{\"group\":48,\"residual\":96}}]", "group 48", "64");
    refused("[{\"rtn\":{\"key_group\":24}}]", "key_group 24", "16");
    refused("[{\"rtn\":{\"value_group\":65}}]", "value_group 65", "64");
}

/* ---- round to nearest ---- */

static void rtn_rows(int bits, int group, bool key_channel, bool value_channel, int prompt,
                     int steps)
{
    char text[256];
    struct kv_chain chain;
    int n = prompt + steps, blocks = (steps ? n - 1 : n) / group * group;
    snprintf(text, sizeof text,
             "[{\"rtn\":{\"key_bits\":%d,\"value_bits\":%d,\"key_group\":%d,\"value_group\":%d,"
             "\"key_axis\":\"%s\",\"value_axis\":\"%s\"}}]",
             bits, bits, group, group, key_channel ? "channel" : "token",
             value_channel ? "channel" : "token");
    open_chain(&chain, text);
    struct kv_cache *c = cache_after(&engine, &chain, prompt, steps);
    struct kv_rows got = rows_of_layer(c, &shape, 0);
    same_rows(&(struct naive){bits, group, key_channel, key_channel}, made.k,
              key_channel ? blocks : n, n, got.k, got.cap);
    same_rows(&(struct naive){bits, group, value_channel, value_channel}, made.v,
              value_channel ? blocks : n, n, got.v, got.cap);
    kv_rows_release(&got);
    kv_cache_free(c);
    kv_chain_release(&chain);
}

static void rtn_rounds_by_token_and_by_channel(void **state)
{
    (void)state;
    for (int bits = 1; bits <= 8; bits++)
        for (int axes = 0; axes < 4; axes++)
            rtn_rows(bits, bits % 2 ? 16 : 64, axes & 1, axes & 2, 100 + bits, 30);
    rtn_rows(4, 1, false, true, 3, 1);
}

/* ---- with others ---- */

static void same_as_reference(const char *text)
{
    struct kv_chain chain;
    open_chain(&chain, text);
    struct kv_cache *a = cache_after(&engine, &chain, 210, 60);
    struct kv_cache *b = cache_after(&floats, &chain, 210, 60);
    struct kv_shape inside = slot_shape(a, &shape);
    for (int i = 0; i < kv_cache_n_slots(a); i++) {
        struct kv_rows x = rows_of_slot(a, &shape, 0, i), y = rows_of_slot(b, &shape, 0, i);
        assert_int_equal(x.n, y.n);
        size_t bytes = (size_t)inside.n_kv_heads * (size_t)x.cap * WIDTH * sizeof(float);
        for (int h = 0; h < inside.n_kv_heads; h++) {
            size_t at = (size_t)h * (size_t)x.cap * WIDTH;
            assert_memory_equal(x.k + at, y.k + at,
                                bytes / (size_t)inside.n_kv_heads - WIDTH * sizeof(float));
            assert_memory_equal(x.v + at, y.v + at,
                                bytes / (size_t)inside.n_kv_heads - WIDTH * sizeof(float));
        }
        kv_rows_release(&x), kv_rows_release(&y);
    }
    kv_cache_free(a), kv_cache_free(b);
    kv_chain_release(&chain);
}

static void heads_with_rows_of_their_own_pack_for_themselves(void **state)
{
    (void)state;
    same_as_reference("[{\"snapkv\":{\"kept\":0.5}},{\"kivi\":{\"residual\":32}}]");
    same_as_reference("[{\"snapkv\":{\"budget\":70,\"heads\":\"query\"}},\"kivi\"]");
    same_as_reference("[{\"snapkv\":{\"budget\":70}},{\"rtn\":{\"key_axis\":\"channel\"}}]");
}

/* A row that is dropped is gone, and those behind it are what they were. */
static void single_rows_can_be_dropped_of_tokens_alone(void **state)
{
    (void)state;
    enum { N = 100, GONE = 41 };
    struct kv_chain chain;
    open_chain(&chain, "[{\"rtn\":{\"key_bits\":3}}]");
    struct kv_cache *c = cache_after(&engine, &chain, N, 0);
    struct kv_rows before = rows_of_layer(c, &shape, 0);
    const struct kv_layer *l = kv_cache_layer(c, 0);
    l->codec->drop(l->store, GONE);
    float k[(N - 1) * WIDTH], v[(N - 1) * WIDTH];
    l->codec->read(l->store, 1, 0, N - 1, k, v);
    for (int t = 0; t < N - 1; t++) {
        size_t from = (size_t)(before.cap + t + (t >= GONE)) * WIDTH;
        assert_memory_equal(k + t * WIDTH, before.k + from, WIDTH * sizeof *k);
        assert_memory_equal(v + t * WIDTH, before.v + from, WIDTH * sizeof *v);
    }
    kv_rows_release(&before);
    kv_cache_free(c);
    kv_chain_release(&chain);
    open_chain(&chain, "[{\"rtn\":{\"key_axis\":\"channel\"}}]");
    assert_null(kv_chain_method(&chain, KV_CODEC)->codec(chain.links[0].opt, 0)->drop);
    kv_chain_release(&chain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kivi_packs_what_its_definition_says),
        cmocka_unit_test(groups_of_one_are_not_billed_as_compressed),
        cmocka_unit_test(what_cannot_be_packed_is_refused),
        cmocka_unit_test(rtn_rounds_by_token_and_by_channel),
        cmocka_unit_test(heads_with_rows_of_their_own_pack_for_themselves),
        cmocka_unit_test(single_rows_can_be_dropped_of_tokens_alone),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
