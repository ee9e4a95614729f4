/*
 * Packed weights: codes and pairs as the group quantizer gives them, and every kernel of every
 * level the same bits as its f32 twin over the decoded matrix.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "harness/base/mem.h"
#include "harness/base/rng.h"
#include "harness/methods/kvo_quant.h"
#include "harness/tensor/gemm.h"
#include "harness/tensor/quant.h"

enum { M = 9, N = 70, K = 1024 };

static struct rng r = {11};
static const char *const levels[] = {"plain", "avx2", "avx512", "avx512vbmi"};

struct packed {
    struct matrix f32, matrix; // as given, and packed
    struct quant_rows rows;
    float *floats;
    uint8_t *data;
    float *decoded; // [rows][cols]
};

static struct quant_format format(int bits, int group, bool symmetric)
{
    return (struct quant_format){.bits = bits, .group = group, .symmetric = symmetric, .clip = 1};
}

static void pack(struct packed *p, const struct quant_format *f, int rows, int cols,
                 struct pool *pool)
{
    size_t n = (size_t)rows * (size_t)cols;
    p->floats = xmalloc(n * sizeof(float));
    p->decoded = xmalloc(n * sizeof(float));
    p->data = mem_aligned(quant_bytes(f, rows, cols));
    for (size_t i = 0; i < n; i++)
        p->floats[i] = (float)rng_normal(&r) * 0.1f;
    p->f32 = (struct matrix){p->floats, DT_F32, rows, cols, NULL};
    quant_pack(&p->rows, p->data, &p->f32, f, pool);
    p->matrix = p->f32;
    p->matrix.packed = &p->rows;
    for (int j = 0; j < rows; j++)
        for (int i = 0; i < cols; i++)
            p->decoded[(size_t)j * (size_t)cols + (size_t)i] =
                quant_weight(&p->rows, quant_row(&p->rows, j), i);
}

static void packed_release(struct packed *p)
{
    free(p->floats), free(p->decoded), free(p->data);
}

/* Beyond what rounding to nearest gives: f32 pairs make it exactly the caches' quantizer. */
static void check_against_kvo(const struct quant_format *f, int cols, struct pool *pool)
{
    struct kvo_quant q = {.symmetric = f->symmetric, .clip = f->clip};
    uint8_t codes[KVO_GROUP_MAX];
    float want[KVO_GROUP_MAX];
    struct packed p;
    int group = f->group ? f->group : cols;
    pack(&p, f, 3, cols, pool);
    for (int i = 0; i < 3 * cols; i += group) {
        struct kvo_pair pair = kvo_encode(kernels_best(), codes, p.floats + i, group, f->bits, &q);
        kvo_decode(want, codes, pair, group, f->bits, &q);
        assert_memory_equal(want, p.decoded + i, (size_t)group * sizeof *want);
        for (int l = 0; l < group; l++)
            assert_int_equal(codes[l],
                             quant_code(&p.rows, quant_row(&p.rows, i / cols), i % cols + l));
    }
    packed_release(&p);
}

static void codes_and_pairs_are_those_of_the_group_quantizer(void **state)
{
    struct pool *pool = pool_new(2);
    (void)state;
    for (int bits = 2; bits <= 8; bits++)
        for (int symmetric = 0; symmetric < 2; symmetric++)
            for (int cols = 6; cols < 500; cols += 37 * 6)
                for (int g = 0; g < 4; g++) {
                    static const int groups[] = {0, 2, 6, 3};
                    struct quant_format f = format(bits, groups[g], symmetric);
                    f.pairs = 1;
                    f.clip = g == 3 ? 0.7 : 1;
                    check_against_kvo(&f, cols, pool);
                }
    pool_free(pool);
}

/* The pair that is stored is the one that the codes were made with. */
static void rounded_pairs_make_the_codes(void **state)
{
    struct pool *pool = pool_new(1);
    struct quant_format f = format(5, 32, false);
    struct packed p;
    (void)state;
    pack(&p, &f, 4, 128, pool);
    for (int i = 0; i < 4 * 128; i++) {
        const uint8_t *row = quant_row(&p.rows, i / 128);
        int pair = i % 128 / 32 * 2;
        float scale = quant_pair(&p.rows, row, pair), zero = quant_pair(&p.rows, row, pair + 1);
        float error = p.floats[i] - p.decoded[i];
        assert_true(f16_to_f32(f16_from_f32(scale)) == scale);
        assert_true(f16_to_f32(f16_from_f32(zero)) == zero);
        int code = quant_code(&p.rows, row, i % 128); // at the ends rounding the pair may cut
        if (code > 0 && code < 31 && (error > scale * 0.50001f || error < -scale * 0.50001f))
            fail_msg("weight %d is %g off, the scale is %g", i, (double)error, (double)scale);
    }
    assert_int_equal(p.rows.stride, 128 * 5 / 8 + 128 / 32 * 4);
    packed_release(&p);
    pool_free(pool);
}

static void held_exactly(void **state)
{
    (void)state;
    for (int bits = 2; bits <= 8; bits++) {
        struct quant_format f = format(bits, 128, true);
        size_t codes = 5632u * (size_t)bits / 8;
        assert_int_equal(quant_bytes(&f, 10, 5632), 10 * (codes + 44 * 2) + QUANT_SLACK);
        f.symmetric = 0;
        assert_int_equal(quant_bytes(&f, 10, 5632), 10 * (codes + 44 * 4) + QUANT_SLACK);
    }
}

/* Llama 2 7B at 4 bits, embedding and head at 16: about 4 GB. */
static void seven_billion_weights_fit_four_gigabytes(void **state)
{
    (void)state;
    struct quant_format f = format(4, 128, false);
    size_t layer = 4 * quant_bytes(&f, 4096, 4096) + 2 * quant_bytes(&f, 11008, 4096) +
                   quant_bytes(&f, 4096, 11008);
    size_t all = 32 * layer + 2 * (size_t)32000 * 4096 * 2;
    assert_in_range(all, 3900000000, 4100000000);
}

static void check_kernels(const struct packed *p, const struct kernels *kn, int m, int n)
{
    static float x[M * K], want[M * N], got[M * N], wide[N * K];
    int k = p->rows.cols;
    for (int i = 0; i < m * k; i++)
        x[i] = (float)rng_normal(&r);
    kn->matmul_f32(want, n, x, k, m, p->decoded, n, k);
    kn->matmul_quant(got, n, x, k, m, &p->rows, n);
    assert_memory_equal(got, want, (size_t)(m * n) * sizeof *got);
    kn->widen_quant(wide, &p->rows, n);
    assert_memory_equal(wide, p->decoded, (size_t)(n * k) * sizeof *wide);
}

static void check_format(const struct quant_format *f, int n, int k, struct pool *pool)
{
    struct packed p;
    pack(&p, f, n, k, pool);
    for (size_t level = 0; level < sizeof levels / sizeof *levels; level++) {
        const struct kernels *kn = kernels_named(levels[level]);
        for (int m = 1; kn && m <= (k < 300 ? M : 4); m++)
            check_kernels(&p, kn, m, n);
    }
    packed_release(&p);
}

static void kernels_give_the_bits_of_the_decoded_matrix(void **state)
{
    static const struct {
        int k, group;
    } sizes[] = {{1, 1},     {5, 5},     {16, 16},    {17, 0},   {40, 8},    {48, 16},
                 {64, 32},   {100, 20},  {128, 64},   {128, 0},  {133, 7},   {144, 48},
                 {192, 64},  {256, 128}, {257, 0},    {288, 96}, {384, 128}, {640, 32},
                 {704, 176}, {768, 48},  {1024, 256}, {1000, 40}};
    struct pool *pool = pool_new(2);
    (void)state;
    for (int bits = 2; bits <= 8; bits++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (int kind = 0; kind < 4; kind++) {
                struct quant_format f = format(bits, sizes[i].group, kind & 1);
                f.pairs = kind / 2;
                f.clip = kind == 3 ? 0.8 : 1;
                check_format(&f, 1 + (int)(i * 5 + (size_t)bits) % 11, sizes[i].k, pool);
            }
    pool_free(pool);
}

/* Products of the pool: prefill by the same panels, decode by the same sums, at any threads. */
static void gemm_takes_packed_matrices(void **state)
{
    struct quant_format f = format(4, 32, false);
    static float x[M * K], got[M * 300], want[M * 300];
    (void)state;
    for (int i = 0; i < M * K; i++)
        x[i] = (float)rng_normal(&r);
    for (int threads = 1; threads <= 3; threads++) {
        struct pool *pool = pool_new(threads);
        struct packed p;
        struct gemm g;
        pack(&p, &f, 300, 416, pool);
        struct matrix decoded = {p.decoded, DT_F32, 300, 416, NULL};
        struct product a = {got, &p.matrix}, b = {want, &decoded};
        gemm_init(&g, pool, kernels_best(), false, 416);
        gemm_weights(&g, &a, 1, x, M), gemm_weights(&g, &b, 1, x, M);
        assert_memory_equal(got, want, sizeof got);
        assert_int_equal(g.bits_read, 0);
        gemm_decode(&g, &a, 1, x, M);
        assert_int_equal(g.bits_read, 300 * (416 * 4 + 416 / 32 * 32));
        gemm_decode(&g, &b, 1, x, M);
        assert_memory_equal(got, want, sizeof got);
        gemm_release(&g);
        packed_release(&p);
        pool_free(pool);
    }
}

static int read_format(struct quant_format *f, const char *text, struct err *e)
{
    struct json *object = json_read(text_of(text), e);
    int rc = object ? quant_format_read(f, object, "weights", e) : -1;
    json_free(object);
    return rc;
}

static void refused_by_name(void **state)
{
    static const struct {
        const char *json, *says;
    } wrong[] = {
        {"{\"bits\":1}", "weights: key 'bits' is 1, must be a whole number from 2 to 16"},
        {"{\"bits\":9}", "weights: key 'bits' is 9, must be from 2 to 8, or 16"},
        {"{\"bits\":4.5}", "weights: key 'bits' is 4.5, must be a whole number"},
        {"{\"group\":-1}", "weights: key 'group' is -1, must be a whole number from 0"},
        {"{\"clip\":0}", "weights: key 'clip' is 0, must be a number from 0.01 to 1"},
        {"{\"sym\":true}", "weights: unknown key 'sym'"},
        {"{\"pairs\":\"bf16\"}", "weights: key 'pairs' is 'bf16', must be one of f16, f32"},
        {"[4]", "weights: is an array, must be an object"},
    };
    struct quant_format f;
    struct err e;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(read_format(&f, wrong[i].json, &e), -1);
        assert_int_equal(e.class, ERR_USER);
        if (strncmp(e.msg, wrong[i].says, strlen(wrong[i].says)))
            fail_msg("%s: %s", wrong[i].json, e.msg);
    }
    f = format(4, 100, false);
    assert_int_equal(quant_format_check(&f, 768, "mlp.down_proj", &e), -1);
    assert_string_equal(e.msg, "key 'group' is 100, must divide the 768 columns of mlp.down_proj: "
                               "the nearest that does is 96; 0 takes whole rows");
    f.bits = 16;
    assert_int_equal(quant_format_check(&f, 768, "mlp.down_proj", &e), 0);
    f = format(4, 0, false);
    assert_int_equal(quant_format_check(&f, 769, "mlp.down_proj", &e), 0);
}

static void names_and_equality(void **state)
{
    static const struct {
        const char *json, *name;
    } formats[] = {
        {"{}", "w16"},
        {"{\"bits\":16,\"group\":7}", "w16"},
        {"{\"bits\":4}", "w4g128"},
        {"{\"bits\":3,\"group\":0}", "w3"},
        {"{\"bits\":4,\"symmetric\":true,\"clip\":0.9,\"pairs\":\"f32\"}",
         "w4g128 sym clip 0.9 f32"},
    };
    enum { COUNT = sizeof formats / sizeof *formats };
    struct quant_format f[COUNT];
    struct buf b;
    struct err e;
    (void)state;
    buf_init(&b);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(read_format(&f[i], formats[i].json, &e), 0);
        buf_reset(&b);
        quant_format_name(&f[i], &b);
        assert_string_equal(b.s, formats[i].name);
        for (int j = 0; j <= i; j++)
            assert_int_equal(quant_format_equal(&f[i], &f[j]), i == j || (i < 2 && j < 2));
    }
    buf_reset(&b);
    quant_format_canonical(&f[2], &b);
    assert_string_equal(b.s, "{\"bits\":4,\"group\":128,\"symmetric\":false,\"clip\":1,"
                             "\"pairs\":\"f16\",\"version\":1}");
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_and_pairs_are_those_of_the_group_quantizer),
        cmocka_unit_test(rounded_pairs_make_the_codes),
        cmocka_unit_test(held_exactly),
        cmocka_unit_test(seven_billion_weights_fit_four_gigabytes),
        cmocka_unit_test(kernels_give_the_bits_of_the_decoded_matrix),
        cmocka_unit_test(gemm_takes_packed_matrices),
        cmocka_unit_test(refused_by_name),
        cmocka_unit_test(names_and_equality),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
