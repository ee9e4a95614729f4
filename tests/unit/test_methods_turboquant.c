/*
 * TurboQuant: the squared errors that its paper gives, the codebook against one found by plain
 * search, rotations that keep lengths, rows against a decoder written from the definition, and its
 * two variants of the length.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "harness/methods/codebook.h"
#include "harness/methods/rotation.h"
#include "harness/tensor/dtype.h"
#include "tests/unit/sequence.h"

enum { WIDTH = 64, PROMPT = 200, HEADS = 2 };

static const struct kv_shape shape = {1, 4, HEADS, WIDTH};
static struct kv_engine engine;
static struct sequence made;

static int open_all(void **state)
{
    (void)state;
    engine = engine_new(1);
    made = sequence_new(shape, PROMPT + 1, 5);
    memset(made.k + 7 * HEADS * WIDTH, 0, WIDTH * sizeof(float)); // a row without a direction
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    pool_free(engine.pool);
    sequence_release(&made);
    return 0;
}

static struct kv_cache *cache_of(struct kv_chain *chain, int bits, const char *more)
{
    char text[160];
    struct err e = {0};
    snprintf(text, sizeof text, "[{\"turboquant\":{\"key_bits\":%d,\"value_bits\":%d%s}}]", bits,
             bits, more);
    if (read_chain(chain, text, &e) || kv_chain_check(chain, &shape, true, "test", &e))
        fail_msg("%s: %s", text, e.msg);
    return sequence_cache(&made, &engine, chain, PROMPT, NULL);
}

static const float *key_at(int head, int t)
{
    return made.k + (t * HEADS + head) * WIDTH;
}

static double squares(const float *x)
{
    double sum = 0;
    for (int i = 0; i < WIDTH; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

/* Mean squared error of keys over their squared length. */
static double error_of(int bits, const char *more)
{
    struct kv_chain chain;
    struct kv_cache *c = cache_of(&chain, bits, more);
    struct kv_rows got = rows_of_layer(c, &shape, 0);
    double sum = 0;
    int n = 0;
    for (int h = 0; h < HEADS; h++)
        for (int t = 0; t < PROMPT; t++) {
            float miss[WIDTH];
            for (int i = 0; i < WIDTH; i++)
                miss[i] = kv_rows_k(&got, WIDTH, h, t)[i] - key_at(h, t)[i];
            sum += squares(key_at(h, t)) > 0 ? squares(miss) / squares(key_at(h, t)) : 0;
            n++;
        }
    kv_rows_release(&got);
    kv_cache_free(c);
    kv_chain_release(&chain);
    return sum / n;
}

static void errors_are_the_papers(void **state)
{
    (void)state;
    static const double want[] = {0.36, 0.117, 0.034, 0.009};
    for (int bits = 1; bits <= 4; bits++)
        for (int hadamard = 0; hadamard < 2; hadamard++) {
            double got = error_of(bits, hadamard ? ",\"rotation\":\"hadamard\"" : "");
            assert_true(fabs(got / want[bits - 1] - 1) < 0.08);
        }
}

/* Many channels are as good as normal: the levels that are in books (Max 1960). */
static void the_codebook_is_lloyds_and_maxs(void **state)
{
    (void)state;
    static const double normal[4][8] = {
        {0.7979},
        {0.4528, 1.510},
        {0.2451, 0.7560, 1.344, 2.152},
        {0.1284, 0.3881, 0.6568, 0.9424, 1.256, 1.618, 2.069, 2.733}};
    enum { MANY = 1 << 16 };
    for (int bits = 1; bits <= 4; bits++) {
        struct codebook b;
        codebook_make(&b, bits, MANY);
        assert_int_equal(b.n, 1 << bits);
        for (int i = 0; i < b.n / 2; i++) {
            double level = (double)b.level[b.n / 2 + i] * sqrt(MANY);
            assert_true(fabs(level - normal[bits - 1][i]) < 1e-3);
            assert_true(b.level[b.n / 2 - 1 - i] == -b.level[b.n / 2 + i]);
        }
    }
}

/* Each level is the mean of the numbers that fall to it, counted one by one. */
static void levels_are_means_of_their_cells(void **state)
{
    (void)state;
    enum { STEPS = 200000, D = 16 };
    struct codebook b;
    double mass[CODEBOOK_LEVELS] = {0}, moment[CODEBOOK_LEVELS] = {0};
    codebook_make(&b, 3, D);
    for (int i = 0; i < STEPS; i++) {
        double x = -1 + (i + 0.5) * 2 / STEPS, weight = pow(1 - x * x, (D - 3) / 2.0);
        int best = 0;
        for (int j = 1; j < b.n; j++)
            best = fabs(x - (double)b.level[j]) < fabs(x - (double)b.level[best]) ? j : best;
        mass[best] += weight;
        moment[best] += weight * x;
    }
    for (int j = 0; j < b.n; j++)
        assert_true(fabs(moment[j] / mass[j] - (double)b.level[j]) < 1e-4);
}

static void a_rotation_is_orthogonal_and_goes_back(void **state)
{
    (void)state;
    float r[WIDTH * WIDTH], x[WIDTH], y[WIDTH];
    for (int kind = 0; kind < 2; kind++) {
        rotation_make(r, (enum rotation_kind)kind, WIDTH, 9);
        for (int i = 0; i < WIDTH; i++)
            for (int j = 0; j <= i; j++) {
                double product = 0;
                memset(x, 0, sizeof x), memset(y, 0, sizeof y);
                x[i] = 1, y[j] = 1;
                rotation_turn(r, (enum rotation_kind)kind, engine.kernels, x, WIDTH);
                rotation_turn(r, (enum rotation_kind)kind, engine.kernels, y, WIDTH);
                for (int c = 0; c < WIDTH; c++)
                    product += (double)x[c] * y[c];
                assert_true(fabs(product - (i == j)) < 1e-6);
            }
        memcpy(x, key_at(0, 3), sizeof x);
        rotation_turn(r, (enum rotation_kind)kind, engine.kernels, x, WIDTH);
        assert_true(fabs((double)x[0] - (double)key_at(0, 3)[0]) > 1e-3);
        rotation_back(r, (enum rotation_kind)kind, engine.kernels, x, WIDTH);
        for (int c = 0; c < WIDTH; c++)
            assert_true(fabs((double)x[c] - (double)key_at(0, 3)[c]) < 1e-5);
    }
}

/* x in the basis of r, as levels, and back: r is a matrix of rows. False where a channel lies so
 * near an edge that its code may be either. */
static bool decoded(const struct codebook *b, const float *r, const float *x, double *out)
{
    double length = sqrt(squares(x));
    memset(out, 0, WIDTH * sizeof *out);
    for (int i = 0; i < WIDTH; i++) {
        double y = 0;
        int best = 0;
        for (int c = 0; c < WIDTH; c++)
            y += (double)r[i * WIDTH + c] * x[c] / length;
        for (int j = 1; j < b->n; j++) {
            double here = fabs(y - (double)b->level[j]), there = fabs(y - (double)b->level[best]);
            if (fabs(here - there) < 1e-5)
                return false;
            best = here < there ? j : best;
        }
        for (int c = 0; c < WIDTH; c++)
            out[c] += (double)r[i * WIDTH + c] * (double)b->level[best] *
                      (double)f16_to_f32(f16_from_f32((float)length));
    }
    return true;
}

static void rows_are_what_the_definition_says(void **state)
{
    (void)state;
    float r[WIDTH * WIDTH];
    double want[WIDTH];
    rotation_make(r, ROTATION_QR, WIDTH, 42);
    for (int bits = 1; bits <= 4; bits++) {
        struct kv_chain chain;
        struct codebook b;
        struct kv_cache *c = cache_of(&chain, bits, ",\"seed\":42");
        struct kv_rows got = rows_of_layer(c, &shape, 0);
        int compared = 0;
        codebook_make(&b, bits, WIDTH);
        for (int t = 0; t < PROMPT; t++) {
            if (!decoded(&b, r, key_at(1, t), want))
                continue;
            for (int i = 0; i < WIDTH; i++)
                assert_true(fabs((double)kv_rows_k(&got, WIDTH, 1, t)[i] - want[i]) < 1e-4);
            compared++;
        }
        assert_true(compared > PROMPT / 2);
        for (int i = 0; i < WIDTH; i++) // nothing has no direction, and stays nothing
            assert_true(kv_rows_k(&got, WIDTH, 0, 7)[i] == 0);
        kv_rows_release(&got);
        kv_cache_free(c);
        kv_chain_release(&chain);
    }
}

static void corrected_rows_are_as_long_as_they_were(void **state)
{
    (void)state;
    for (int bits = 1; bits <= 4; bits++) {
        struct kv_chain chain;
        struct kv_cache *c = cache_of(&chain, bits, ",\"norm\":\"corrected\"");
        struct kv_rows got = rows_of_layer(c, &shape, 0);
        for (int t = 0; t < PROMPT; t++) {
            double now = sqrt(squares(kv_rows_k(&got, WIDTH, 1, t)));
            assert_true(fabs(now / sqrt(squares(key_at(1, t))) - 1) < 1e-3);
        }
        kv_rows_release(&got);
        kv_cache_free(c);
        kv_chain_release(&chain);
    }
}

static void a_row_takes_its_codes_and_a_length(void **state)
{
    (void)state;
    for (int bits = 1; bits <= 4; bits++) {
        struct kv_chain chain;
        struct kv_ledger l;
        struct kv_cache *c = cache_of(&chain, bits, "");
        kv_cache_ledger(c, &l);
        assert_int_equal(kv_ledger_sum(l.held), 2 * HEADS * PROMPT * (WIDTH * bits + 16));
        kv_cache_free(c);
        kv_chain_release(&chain);
    }
}

static void hadamard_needs_a_power_of_two(void **state)
{
    (void)state;
    static const struct kv_shape odd = {1, 2, 1, 96};
    struct kv_chain chain;
    struct err e = {0};
    assert_int_equal(read_chain(&chain, "[{\"turboquant\":{\"rotation\":\"hadamard\"}}]", &e), 0);
    assert_int_equal(kv_chain_check(&chain, &odd, true, "test", &e), -1);
    assert_non_null(strstr(e.msg, "head_dim that is a power of two, 96"));
    kv_chain_release(&chain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_the_papers),
        cmocka_unit_test(the_codebook_is_lloyds_and_maxs),
        cmocka_unit_test(levels_are_means_of_their_cells),
        cmocka_unit_test(a_rotation_is_orthogonal_and_goes_back),
        cmocka_unit_test(rows_are_what_the_definition_says),
        cmocka_unit_test(corrected_rows_are_as_long_as_they_were),
        cmocka_unit_test(a_row_takes_its_codes_and_a_length),
        cmocka_unit_test(hadamard_needs_a_power_of_two),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
