/* Values of all channels at once against kvo_value_encode, channel by channel; f16's rounding. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "harness/base/rng.h"
#include "harness/methods/kvo_columns.h"
#include "harness/tensor/dtype.h"
#include "harness/tensor/group_quant.h"

enum { D_MAX = 96, GROUP = 64, ROUNDS = 4000 };

static struct rng r = {17};

static int one_of(const int *list, int n)
{
    return list[rng_below(&r, n)];
}
#define PICK(...)                                                                                  \
    one_of((const int[]){__VA_ARGS__}, (int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)))

/* By kind of round: ordinary numbers, few distinct ones, one alone, huge or tiny ones, NaN. */
static float number(int kind)
{
    float x = (float)rng_normal(&r);
    switch (kind) {
    case 0:
        return x;
    case 1:
        return rintf(x);
    case 2:
        return 0.25f;
    case 3:
        return ldexpf(x, 120 - rng_below(&r, 240));
    case 4:
        return x * 1e-6f;
    case 5:
        return x < 0 ? -0.0f : 0.0f;
    default:
        return rng_below(&r, 500) ? x : rng_below(&r, 2) ? NAN : INFINITY;
    }
}

static struct kvo_quant random_quant(void)
{
    struct kvo_quant q = {.bits = PICK(1, 2, 2, 2, 3, 4, 8), .chunk = PICK(1, 2, 4, 8)};
    q.group = q.chunk * PICK(1, 2, 4, 8);
    q.kept = PICK(10, 25, 50, 70, 100) / 100.0;
    q.clip = PICK(100, 100, 90, 50) / 100.0;
    q.symmetric = q.bits > 1 && rng_below(&r, 3) == 0;
    q.half_pairs = rng_below(&r, 2);
    return q;
}

static void check_channel(const struct kvo_columns *w, const float *v, int c,
                          const struct kvo_quant *q)
{
    float x[KVO_GROUP_MAX] = {0};
    uint8_t codes[KVO_GROUP_MAX], kept[KVO_GROUP_MAX];
    uint16_t base[KVO_GROUP_MAX];
    struct kvo_group g = {.codes = codes, .kept = kept, .base = base};
    for (int i = 0; i < q->group; i++)
        x[i] = v[i * w->d + c];
    kvo_value_encode(&g, x, q);
    assert_memory_equal(&w->scale[c], &g.pair.scale, sizeof(float));
    assert_memory_equal(&w->zero[c], &g.pair.zero, sizeof(float));
    for (int i = 0; i < q->group; i++) {
        const uint8_t *mask = w->masks + (size_t)i * w->mask_stride;
        assert_int_equal(mask[c / 8] >> c % 8 & 1, kept[i]);
        if (i % q->chunk)
            assert_int_equal(w->codes[i * w->d + c], codes[i]);
        else if (2 * q->bits <= 8)
            assert_int_equal(w->codes[i * w->d + c], base[i / q->chunk]);
        else
            assert_int_equal(w->base[i / q->chunk * w->d + c], base[i / q->chunk]);
    }
}

static void columns_are_channels(void **state)
{
    static float v[GROUP * D_MAX];
    struct err e;
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct kvo_quant q = random_quant();
        struct kvo_columns w;
        int d = PICK(5, 16, 32, 32, 64, 96);
        if (kvo_value_check(&q, q.group, &e))
            continue;
        kvo_columns_init(&w, d, &q);
        for (int again = 0; again < 2; again++) { // what the last group left does not count
            for (int i = 0; i < q.group * d; i++)
                v[i] = number((round + again) % 8);
            kvo_columns_encode(&w, kernels_best(), v, &q);
            for (int c = 0; c < d; c++)
                check_channel(&w, v, c, &q);
        }
        kvo_columns_release(&w);
    }
}

static void half_is_what_f16_keeps(void **state)
{
    (void)state;
    for (int round = 0; round < 2000000; round++) {
        uint32_t u = (uint32_t)rng_next(&r);
        float x, want;
        u = round % 2 ? u : (u & ~(uint32_t)0x3FFF) | 0x1000; // at and beside ties
        u = round % 4 ? u : u - 1;
        memcpy(&x, &u, sizeof x);
        want = x > 65504 ? 65504 : x < -65504 ? -65504 : x;
        want = f16_to_f32(f16_from_f32(want));
        x = group_half(x);
        assert_memory_equal(&x, &want, sizeof x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_channels),
        cmocka_unit_test(half_is_what_f16_keeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
