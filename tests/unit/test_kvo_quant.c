#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "harness/base/rng.h"
#include "harness/methods/kvo_quant.h"

enum { HEADS = 2, ROWS = 64, DIM = 32, CHANNELS = HEADS * DIM, N = CHANNELS * ROWS };

/* The paper's quantizers once more, straight from their definition: rintf, ranks by counting, and
 * the salient values taking part in the pruning as they do in the authors' code. */
static void plain_gq(float *v, int n, int bits, const struct kvo_quant *q, float *s, float *z)
{
    float high = -INFINITY, low = INFINITY, half = ldexpf(1, bits - 1);
    for (int i = 0; i < n; i++)
        high = fmaxf(high, v[i]), low = fminf(low, v[i]);
    if (q->clip < 1)
        high *= (float)q->clip, low *= (float)q->clip;
    float q_max = q->symmetric ? half - 1 : 2 * half - 1, q_min = q->symmetric ? -half : 0;
    *s = fmaxf(q->symmetric ? high / q_max : (high - low) / q_max, 1e-5f);
    *z = q->symmetric ? 0 : low;
    for (int i = 0; i < n; i++) {
        float code = fminf(fmaxf(rintf((v[i] - *z) / *s), q_min), q_max);
        v[i] = code * *s;
        v[i] = v[i] + *z;
    }
}

static void plain_prune(float *v, int n, int n_drop)
{
    float old[KVO_GROUP_MAX] = {0};
    memcpy(old, v, (size_t)n * sizeof *v);
    for (int i = 0; i < n; i++) {
        int before = 0;
        for (int j = 0; j < n; j++)
            before += fabsf(old[j]) < fabsf(old[i]) || (fabsf(old[j]) == fabsf(old[i]) && j < i);
        if (before < n_drop)
            v[i] = 0;
    }
}

static float *at(float *x, int t, int c)
{
    return x + (c / DIM * ROWS + t) * DIM + c % DIM;
}

static void plain_key_group(float *x, int t, int c, const struct kvo_quant *q)
{
    float base[KVO_GROUP_MAX] = {0}, d[KVO_GROUP_MAX] = {0}, s, z;
    for (int i = 0; i < q->group; i++)
        base[i] = *at(x, t, c + i);
    plain_gq(base, q->group, 8, q, &s, &z);
    for (int k = 0; k < q->chunk; k++) {
        for (int i = 0; i < q->group; i++)
            d[i] = k ? *at(x, t + k, c + i) - base[i] : 0;
        if (q->bits < 16) {
            plain_gq(d, q->group, q->bits, q, &s, &z);
            plain_prune(d, q->group, (int)(q->group * (1 - q->kept)));
        }
        for (int i = 0; i < q->group; i++)
            *at(x, t + k, c + i) = base[i] + d[i];
    }
}

static void plain_value_group(float *x, int t, int c, const struct kvo_quant *q)
{
    float v[KVO_GROUP_MAX] = {0}, s, z;
    int bases = q->group / q->chunk, b = q->bits, n = q->group;
    for (int i = 0; i < n; i++)
        v[i] = i % q->chunk ? *at(x, t + i, c) : 0;
    plain_gq(v, n, b, q, &s, &z);
    for (int i = 0; i < n; i += q->chunk)
        v[i] = 0;
    if (q->kept < 1)
        plain_prune(v, n, (int)(n * (1 - q->kept)) + bases);
    float q_max = ldexpf(1, b - q->symmetric) - 1, d_max = ldexpf(1, 2 * b - q->symmetric) - 1;
    float d_min = q->symmetric ? -ldexpf(1, 2 * b - 1) : 0, s2 = fmaxf(s * q_max / d_max, 1e-5f);
    for (int i = 0; i < n; i++) {
        float code = fminf(fmaxf(rintf((*at(x, t + i, c) - z) / s2), d_min), d_max);
        *at(x, t + i, c) = i % q->chunk ? v[i] : code * s2 + z;
    }
}

/* Normal data; every third time on a coarse grid with whole groups of zeros, for ties. */
static void fill(float *x, int round)
{
    struct rng r = {(uint64_t)round + 1};
    for (int i = 0; i < N; i++) {
        x[i] = (float)rng_normal(&r);
        if (round % 3 == 2)
            x[i] = i / DIM % 5 == 0 ? 0 : rintf(x[i] * 2) / 2;
    }
}

static const int bits_grid[] = {1, 2, 3, 4, 5, 8, 16};
static const double kept_grid[] = {1, 0.75, 0.5, 0.3, 0.25};

/* Calls fn for every combination that can work; round counts them. */
static void each_setting(void (*fn)(const struct kvo_quant *q, int round))
{
    int round = 0;
    for (int i = 0; i < 7 * 5 * 2 * 2 * 3 * 2; i++) {
        struct kvo_quant q = {
            .bits = bits_grid[i % 7],
            .kept = kept_grid[i / 7 % 5],
            .symmetric = i / 35 % 2,
            .clip = i / 70 % 2 ? 0.9 : 1,
            .group = 16 << i / 140 % 3,
            .chunk = i / 420 ? 4 : 8,
        };
        if (!(q.symmetric && q.bits == 1))
            fn(&q, round++);
    }
}

static void assert_same(const float *a, const float *b, const struct kvo_quant *q)
{
    for (int i = 0; i < N; i++)
        if (a[i] != b[i])
            fail_msg("entry %d: %.9g, not %.9g (%d bits, group %d, chunk %d, kept %g, clip %g, %d)",
                     i, a[i], b[i], q->bits, q->group, q->chunk, q->kept, q->clip, q->symmetric);
}

static struct kvo_rows view(float *x)
{
    return (struct kvo_rows){x, (size_t)ROWS * DIM, DIM, HEADS, DIM};
}

static void keys_as_defined(const struct kvo_quant *q, int round)
{
    static float got[N], want[N];
    fill(got, round);
    memcpy(want, got, sizeof got);
    struct kvo_rows rows = view(got);
    kvo_key_rows(&rows, 0, 32, q); // in two steps, as a cache grows
    kvo_key_rows(&rows, 32, ROWS, q);
    for (int t = 0; t < ROWS; t += q->chunk)
        for (int c = 0; c < CHANNELS; c += q->group)
            plain_key_group(want, t, c, q);
    assert_same(got, want, q);
}

static void key_rows_equal_the_definition(void **state)
{
    (void)state;
    each_setting(keys_as_defined);
}

static void values_as_defined(const struct kvo_quant *q, int round)
{
    static float got[N], want[N];
    struct err e;
    if (kvo_value_check(q, ROWS, &e))
        return;
    fill(got, round);
    memcpy(want, got, sizeof got);
    struct kvo_rows rows = view(got);
    kvo_value_rows(&rows, 0, ROWS, q);
    for (int t = 0; t < ROWS && q->bits < 16; t += q->group)
        for (int c = 0; c < CHANNELS; c++)
            plain_value_group(want, t, c, q);
    assert_same(got, want, q);
}

static void value_rows_equal_the_definition(void **state)
{
    (void)state;
    each_setting(values_as_defined);
}

/* A record that has lost what it does not store decodes to what the row function writes. */
static void key_group_survives(float *x, const float *rows, int t, int c, const struct kvo_quant *q)
{
    float base[KVO_GROUP_MAX] = {0}, v[KVO_GROUP_MAX] = {0};
    uint8_t codes[KVO_GROUP_MAX] = {0}, kept[KVO_GROUP_MAX] = {0};
    struct kvo_group g = {.codes = codes, .kept = kept};
    for (int i = 0; i < q->group; i++)
        base[i] = *at(x, t / q->chunk * q->chunk, c + i), v[i] = *at(x, t, c + i);
    struct kvo_pair p = kvo_encode(kernels_best(), codes, base, q->group, 8, q);
    kvo_decode(base, codes, p, q->group, 8, q);
    if (t % q->chunk) {
        kvo_key_encode(kernels_best(), &g, v, base, q);
        for (int i = 0; i < q->group; i++)
            codes[i] = kept[i] ? codes[i] : 0;
        kvo_key_decode(v, &g, base, q);
    }
    for (int i = 0; i < q->group; i++)
        assert_true(*at((float *)rows, t, c + i) == (t % q->chunk ? v[i] : base[i]));
}

static void key_records_decode(const struct kvo_quant *q, int round)
{
    static float x[N], rows[N];
    if (q->bits >= KVO_BITS_OFF)
        return;
    fill(x, round);
    memcpy(rows, x, sizeof x);
    struct kvo_rows r = view(rows);
    kvo_key_rows(&r, 0, ROWS, q);
    for (int t = 0; t < ROWS; t++)
        for (int c = 0; c < CHANNELS; c += q->group)
            key_group_survives(x, rows, t, c, q);
}

static void value_group_survives(float *x, float *rows, int t, int c, const struct kvo_quant *q)
{
    float v[KVO_GROUP_MAX] = {0};
    uint8_t codes[KVO_GROUP_MAX] = {0}, kept[KVO_GROUP_MAX] = {0};
    uint16_t base[KVO_GROUP_MAX] = {0};
    struct kvo_group g = {codes, kept, base, {0, 0}};
    for (int i = 0; i < q->group; i++)
        v[i] = *at(x, t + i, c);
    kvo_value_encode(&g, v, q);
    for (int i = 0; i < q->group; i++)
        codes[i] = kept[i] ? codes[i] : 0;
    for (int i = 0; i < q->group / q->chunk; i++) {
        assert_true(base[i] < 1 << 2 * q->bits && kept[i * q->chunk] == 0);
    }
    kvo_value_decode(v, &g, q);
    for (int i = 0; i < q->group; i++)
        assert_true(*at(rows, t + i, c) == v[i]);
}

static void value_records_decode(const struct kvo_quant *q, int round)
{
    static float x[N], rows[N];
    struct err e;
    if (q->bits >= KVO_BITS_OFF || kvo_value_check(q, ROWS, &e))
        return;
    fill(x, round);
    memcpy(rows, x, sizeof x);
    struct kvo_rows r = view(rows);
    kvo_value_rows(&r, 0, ROWS, q);
    for (int t = 0; t < ROWS; t += q->group)
        for (int c = 0; c < CHANNELS; c++)
            value_group_survives(x, rows, t, c, q);
}

static void records_decode_to_rows(void **state)
{
    (void)state;
    each_setting(key_records_decode);
    each_setting(value_records_decode);
}

static double key_error(const struct kvo_quant *q)
{
    static float x[N], rows[N];
    double sum = 0;
    fill(x, 0);
    memcpy(rows, x, sizeof x);
    struct kvo_rows r = view(rows);
    kvo_key_rows(&r, 0, ROWS, q);
    for (int i = 0; i < N; i++)
        sum += ((double)rows[i] - x[i]) * ((double)rows[i] - x[i]);
    return sqrt(sum);
}

static double value_error(const struct kvo_quant *q)
{
    static float x[N], rows[N];
    double sum = 0;
    fill(x, 0);
    memcpy(rows, x, sizeof x);
    struct kvo_rows r = view(rows);
    kvo_value_rows(&r, 0, ROWS, q);
    for (int i = 0; i < N; i++)
        sum += ((double)rows[i] - x[i]) * ((double)rows[i] - x[i]);
    return sqrt(sum);
}

/* The specification's bound on what pairs of f16 add to the error of quantization: 1.1 %. */
static void pairs_of_f16_cost_next_to_nothing(void **state)
{
    (void)state;
    for (int bits = 1; bits <= 8; bits++)
        for (int pruned = 0; pruned < 2; pruned++) {
            struct kvo_quant wide = {bits, 32, 8, pruned ? 0.5 : 1, 1, false, false, false};
            struct kvo_quant half = wide;
            half.half_pairs = true;
            double k = key_error(&wide), v = value_error(&wide);
            double k_half = key_error(&half), v_half = value_error(&half);
            assert_true(k > 0 && k_half != k && fabs(k_half / k - 1) <= 0.011);
            assert_true(v > 0 && v_half != v && fabs(v_half / v - 1) <= 0.011);
        }
}

static void int8_codes_survive_a_second_time(void **state)
{
    (void)state;
    static float once[N], twice[N];
    const struct kvo_quant q = {2, 32, 8, 0.25, 1, false, false, false};
    struct kvo_rows a = view(once), b = view(twice);
    fill(once, 0);
    kvo_int8_rows(&a, 0, ROWS, &q);
    memcpy(twice, once, sizeof once);
    kvo_int8_rows(&b, 0, ROWS, &q);
    for (int i = 0; i < N; i++)
        assert_true(fabsf(once[i] - twice[i]) <= 1e-6f);
}

static void nan_is_not_hidden(void **state)
{
    (void)state;
    const struct kvo_quant q = {2, 32, 8, 0.25, 1, false, false, false};
    for (int i = 0; i < 32; i++) {
        float x[32] = {0, 1, -1};
        uint8_t codes[32];
        x[i] = NAN;
        struct kvo_pair p = kvo_encode(kernels_best(), codes, x, 32, 8, &q);
        kvo_decode(x, codes, p, 32, 8, &q);
        assert_true(isnan(x[0]) && isnan(x[31]));
    }
}

static void mistakes_are_named(void **state)
{
    (void)state;
    struct err e;
    const struct kvo_quant good = {2, 32, 8, 0.25, 1, false, false, false};
    assert_int_equal(kvo_key_check(&good, 64, 64, &e), 0);
    assert_int_equal(kvo_key_check(&good, 48, 64, &e), -1);
    assert_string_equal(e.msg,
                        "key_group 32 does not divide the 48 key channels of a layer; 24 does");
    struct kvo_quant q = good;
    q.chunk = 7;
    assert_int_equal(kvo_key_check(&q, 64, 64, &e), -1);
    assert_string_equal(e.msg, "key_chunk 7 does not divide the window 64; 8 does");
    q = good, q.bits = 9;
    assert_int_equal(kvo_value_check(&q, 64, &e), -1);
    assert_string_equal(e.msg, "value_bits 9: 1 to 8, or 16 for no compression; nearest 8");
    q = good, q.kept = 0.05;
    assert_int_equal(kvo_value_check(&q, 64, &e), -1);
    assert_string_equal(
        e.msg, "value_kept 0.05: at least 1 / value_chunk = 0.125, the salient tokens' share");
    q = good, q.symmetric = true, q.bits = 1;
    assert_int_equal(kvo_value_check(&q, 64, &e), -1);
    assert_int_equal(e.class, ERR_USER);
}

/* Budgets are doubles and counts are cut off, so 0.9 of 32 leaves 3 to prune. */
static void counts_are_truncated(void **state)
{
    (void)state;
    struct kvo_quant q = {8, 32, 8, 0.9, 1, false, false, false};
    assert_int_equal(kvo_pruned(&q), 3);
    assert_int_equal(kvo_key_kept(&q), 29);
    assert_int_equal(kvo_value_kept(&q), 25);
    q.group = 16, q.kept = 0.8;
    assert_int_equal(kvo_pruned(&q), 3);
    q.bits = 16;
    assert_int_equal(kvo_pruned(&q), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_rows_equal_the_definition),
        cmocka_unit_test(value_rows_equal_the_definition),
        cmocka_unit_test(records_decode_to_rows),
        cmocka_unit_test(pairs_of_f16_cost_next_to_nothing),
        cmocka_unit_test(int8_codes_survive_a_second_time),
        cmocka_unit_test(nan_is_not_hidden),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(counts_are_truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
