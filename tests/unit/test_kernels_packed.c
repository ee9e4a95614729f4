#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "harness/base/mem.h"
#include "harness/base/rng.h"
#include "harness/tensor/kernels.h"

enum { D_MAX = 1024, N_MAX = 70, Q_MAX = 9, PAIR_WIDE = 8, PAIR_NARROW = 4, LEVELS = 4 };

static struct rng r = {11};

static void fill(float *x, int n)
{
    for (int i = 0; i < n; i++)
        x[i] = (float)rng_normal(&r);
}

/* Exactly as long as the kernels may read, so that a sanitizer sees one byte more. */
static uint8_t *random_bytes(size_t n)
{
    uint8_t *bytes = xmalloc(n + PACKED_SLACK);
    for (size_t i = 0; i < n + PACKED_SLACK; i++)
        bytes[i] = (uint8_t)rng_below(&r, 256);
    return bytes;
}

static size_t record_of(const struct int8_rows *rows)
{
    int n_pairs = rows->d / rows->group;
    return (size_t)(rows->d + n_pairs * (rows->wide ? PAIR_WIDE : PAIR_NARROW));
}

/* Random codes and pairs; the floats they stand for into decoded, by the definition. */
static uint8_t *random_rows(struct int8_rows *rows, float *decoded, int n)
{
    uint8_t *bytes = random_bytes((size_t)(n - 1) * rows->stride + record_of(rows));
    rows->data = bytes;
    for (int i = 0; i < n; i++)
        for (int g = 0; g < rows->d / rows->group; g++) {
            uint8_t *row = bytes + (size_t)i * rows->stride, *at = row + rows->d;
            float pair[2] = {(float)rng_normal(&r) * 0.05f, (float)rng_normal(&r)};
            uint16_t half[2] = {f16_from_f32(pair[0]), f16_from_f32(pair[1])};
            if (rows->wide) {
                memcpy(at + g * PAIR_WIDE, pair, sizeof pair);
            } else {
                memcpy(at + g * PAIR_NARROW, half, sizeof half);
                pair[0] = f16_to_f32(half[0]), pair[1] = f16_to_f32(half[1]);
            }
            for (int l = g * rows->group; l < (g + 1) * rows->group; l++)
                decoded[i * rows->d + l] = (float)(row[l] + rows->lowest) * pair[0] + pair[1];
        }
    return bytes;
}

static void check_int8(const struct kernels *kn, struct int8_rows rows, int n, int n_q)
{
    static float decoded[N_MAX * D_MAX], got[N_MAX * D_MAX], q[Q_MAX * D_MAX], w[N_MAX];
    static float want[N_MAX], mixed[2][D_MAX];
    uint8_t *bytes = random_rows(&rows, decoded, n);
    size_t size = (size_t)n * sizeof *want;
    int ld = n + n_q % 3;
    fill(q, n_q * rows.d), fill(w, n);
    kn->widen_int8(got, &rows, n);
    assert_memory_equal(got, decoded, size * (size_t)rows.d);
    kn->scores_int8(got, ld, q, n_q, &rows, n, 3.0f);
    for (int i = 0; i < n_q; i++) {
        kn->scores(want, q + i * rows.d, decoded, n, rows.d, 3.0f);
        assert_memory_equal(got + i * ld, want, size);
    }
    fill(mixed[0], rows.d);
    memcpy(mixed[1], mixed[0], sizeof mixed[1]);
    kn->mix_int8(mixed[0], w, &rows, n);
    kn->mix(mixed[1], w, decoded, n, rows.d);
    assert_memory_equal(mixed[0], mixed[1], (size_t)rows.d * sizeof(float));
    free(bytes);
}

static const int groups[] = {1, 3, 4, 8, 16, 32, 48, 64, D_MAX};
static const int widths[] = {1,  3,  6,  15,  16,  17,  31,  33,  40,  48,   64,
                             80, 96, 99, 112, 128, 192, 200, 256, 320, D_MAX};
#define COUNT(a) (int)(sizeof(a) / sizeof *(a))

static void every_group(const struct kernels *kn, int d)
{
    for (int g = 0; g < COUNT(groups); g++) {
        int group = groups[g] == D_MAX ? d : groups[g];
        for (int round = 0; round < (d % group ? 0 : 12); round++) {
            struct int8_rows rows = {.d = d, .group = group};
            rows.lowest = round % 2 ? -128 : 0;
            rows.wide = round / 2 % 2;
            rows.stride = record_of(&rows) + (round % 3 ? (size_t)rng_below(&r, 40) : 0);
            check_int8(kn, rows, 1 + rng_below(&r, N_MAX), 1 + round % Q_MAX);
        }
    }
}

static void check_f16(const struct kernels *kn, int n, int d)
{
    static float decoded[N_MAX * D_MAX], q[D_MAX], w[N_MAX], got[N_MAX], want[N_MAX];
    size_t count = (size_t)(n * d);
    uint16_t *half = xmalloc(count * sizeof *half);
    fill(decoded, n * d), fill(q, d), fill(w, n);
    for (size_t i = 0; i < count; i++) {
        half[i] = f16_from_f32(decoded[i]);
        decoded[i] = f16_to_f32(half[i]);
    }
    kn->scores_f16(got, q, half, n, d, 3.0f);
    kn->scores(want, q, decoded, n, d, 3.0f);
    assert_memory_equal(got, want, (size_t)n * sizeof *got);
    float *copy = xmalloc((size_t)d * sizeof *copy);
    memcpy(copy, q, (size_t)d * sizeof *copy);
    kn->mix_f16(q, w, half, n, d);
    kn->mix(copy, w, decoded, n, d);
    assert_memory_equal(q, copy, (size_t)d * sizeof *copy);
    free(copy);
    free(half);
}

static const struct kernels *level(int i)
{
    static const char *const names[] = {"plain", "avx2", "avx512", "avx512vbmi"};
    return kernels_named(names[i]);
}

static void packed_rows_are_their_floats(void **state)
{
    (void)state;
    for (int i = 0; i < LEVELS; i++)
        for (int j = 0; level(i) && j < COUNT(widths); j++)
            every_group(level(i), widths[j]);
    for (int i = 0; i < LEVELS; i++)
        for (int d = 1; level(i) && d < 140; d++)
            check_f16(level(i), 1 + d % N_MAX, d), check_f16(level(i), 64, d);
}

/* Sums of 16 rows at once, of 4 by 4, and one by one. */
static void sums_do_not_depend_on_neighbours(void **state)
{
    static float decoded[N_MAX * D_MAX], q[Q_MAX * D_MAX], all[Q_MAX * N_MAX], one;
    (void)state;
    for (int i = 0; i < LEVELS; i++)
        for (int d = 16; level(i) && d < 140; d += 8) {
            struct int8_rows rows = {.d = d, .group = 8, .stride = (size_t)(d + d / 2)};
            uint8_t *bytes = random_rows(&rows, decoded, N_MAX);
            fill(q, Q_MAX * d);
            level(i)->scores_int8(all, N_MAX, q, Q_MAX, &rows, N_MAX, 1.5f);
            for (int j = 0; j < Q_MAX * N_MAX; j++) {
                level(i)->scores(&one, q + j / N_MAX * d, decoded + j % N_MAX * d, 1, d, 1.5f);
                assert_memory_equal(&one, all + j, sizeof one);
            }
            free(bytes);
        }
}

static void avx2_and_avx512_give_the_same_bits(void **state)
{
    static float decoded[N_MAX * 128], q[Q_MAX * 128], out[2][Q_MAX * N_MAX], mixed[2][128];
    (void)state;
    if (!level(1) || !level(2)) {
        skip();
        return;
    }
    for (int n = 1; n <= N_MAX; n++) {
        struct int8_rows rows = {.d = 128, .group = 32, .stride = 128 + 16};
        uint8_t *bytes = random_rows(&rows, decoded, n);
        fill(q, Q_MAX * 128);
        memset(mixed, 0, sizeof mixed);
        for (int i = 0; i < 2; i++) {
            level(i + 1)->scores_int8(out[i], n, q, n % Q_MAX, &rows, n, 3.0f);
            level(i + 1)->mix_int8(mixed[i], q, &rows, n);
        }
        assert_memory_equal(out[0], out[1], (size_t)(n * (n % Q_MAX)) * sizeof(float));
        assert_memory_equal(mixed[0], mixed[1], sizeof mixed[0]);
        free(bytes);
    }
}

/* One case of unpack: of n channels those in mask, if any; codes from `bit` on. */
struct unpack_case {
    int n, bits, group, lowest;
    size_t bit;
    bool masked, based;
};

static bool kept_in(const uint8_t *mask, int i)
{
    return !mask || mask[i / 8] >> i % 8 & 1;
}

static void put_bits(uint8_t *bytes, size_t at, int code, int bits)
{
    for (int i = 0; i < bits; i++, at++) {
        bytes[at / 8] = (uint8_t)(bytes[at / 8] & ~(1 << at % 8));
        bytes[at / 8] = (uint8_t)(bytes[at / 8] | (code >> i & 1) << at % 8);
    }
}

/* Writes codes, by the definition makes what they stand for, and returns their bits. */
static size_t make_row(uint8_t *codes, float *want, const struct unpack_case *c,
                       const uint8_t *mask, const struct code_pairs *pairs, const float *base)
{
    size_t at = c->bit;
    for (int i = 0; i < c->n; i++) {
        float x = 0;
        if (kept_in(mask, i)) {
            int code = rng_below(&r, 1 << c->bits), g = i / c->group;
            put_bits(codes, at, code, c->bits);
            at += (size_t)c->bits;
            x = (float)(code + c->lowest) * pairs->scale[g] + pairs->zero[g];
        }
        want[i] = base ? base[i] + x : x;
    }
    return at - c->bit;
}

static uint8_t *random_mask(int n)
{
    uint8_t *mask = xmalloc((size_t)(n + 7) / 8 + PACKED_SLACK);
    int density = rng_below(&r, 9);
    memset(mask, 255, (size_t)(n + 7) / 8 + PACKED_SLACK); // beyond n, too: that must not count
    for (int i = 0; i < n; i++)
        if (rng_below(&r, 8) >= density)
            mask[i / 8] = (uint8_t)(mask[i / 8] & ~(1 << i % 8));
    return mask;
}

static float *random_floats(int n)
{
    float *x = xmalloc((size_t)n * sizeof *x);
    fill(x, n);
    return x;
}

static void check_unpack(const struct unpack_case *c)
{
    int n_pairs = (c->n + c->group - 1) / c->group;
    uint8_t *mask = c->masked ? random_mask(c->n) : NULL, *spare = random_bytes(4096);
    float *scale = random_floats(n_pairs), *zero = random_floats(n_pairs);
    float *base = c->based ? random_floats(c->n) : NULL;
    float *want = random_floats(c->n), *got = random_floats(c->n);
    struct code_pairs pairs = {scale, zero, c->group};
    size_t bits = make_row(spare, want, c, mask, &pairs, base);
    size_t bytes = (c->bit + bits + 7) / 8 + PACKED_SLACK;
    uint8_t *codes = memcpy(xmalloc(bytes), spare, bytes);
    struct code_row row = {codes, c->bit, mask, c->bits, c->lowest};
    for (int i = 0; i < LEVELS; i++) {
        if (!level(i))
            continue;
        fill(got, c->n);
        assert_int_equal(level(i)->unpack(got, &row, &pairs, base, c->n), bits);
        assert_memory_equal(got, want, (size_t)c->n * sizeof *got);
    }
    void *const all[] = {mask, spare, scale, zero, base, want, got, codes};
    for (int i = 0; i < COUNT(all); i++)
        free(all[i]);
}

static void unpack_is_its_definition(void **state)
{
    (void)state;
    for (int bits = 1; bits <= 16; bits++)
        for (int round = 0; round < 1500; round++) {
            struct unpack_case c = {.n = 1 + rng_below(&r, round % 10 ? 140 : 600), .bits = bits};
            c.group = groups[rng_below(&r, COUNT(groups))];
            c.lowest = round % 3 ? 0 : -(1 << (bits - 1));
            c.bit = (size_t)rng_below(&r, round % 5 ? 8 : 200);
            c.masked = rng_below(&r, 4) > 0;
            c.based = rng_below(&r, 2) > 0;
            check_unpack(&c);
        }
}

/* Rows of one kind behind each other; what the plain unpack makes of each is in `want`. */
struct rows_case {
    struct unpack_case c;
    struct code_rows rows;
    struct code_pairs pairs;
    float *base, *want;
    size_t bits;
};

/* Codes and masks end where kernels may no longer read. */
static void make_rows(struct rows_case *t, uint8_t **codes, uint8_t **masks, float *pairs)
{
    struct unpack_case *c = &t->c;
    size_t stride = (size_t)(c->n + 7) / 8 + (size_t)rng_below(&r, 3);
    int n_pairs = (c->n + c->group - 1) / c->group, rows = t->rows.n;
    *masks = random_mask(8 * (int)stride * rows);
    t->rows.mask_stride = stride;
    t->rows.scales_per_row = rng_below(&r, 2) ? n_pairs : 0;
    t->pairs = (struct code_pairs){pairs, pairs + n_pairs * rows, c->group};
    size_t bits = (size_t)rows * (size_t)(c->n * c->bits), bytes = (c->bit + bits + 7) / 8;
    uint8_t *spare = random_bytes(bytes);
    struct code_row row = {spare, c->bit, c->masked ? *masks : NULL, c->bits, c->lowest};
    t->rows.first = row;
    for (int i = 0; i < rows; i++) {
        struct code_pairs p = t->pairs;
        p.scale += i * t->rows.scales_per_row, p.zero += i * t->rows.scales_per_row;
        row.mask = c->masked ? *masks + (size_t)i * stride : NULL;
        row.bit += kernels_plain.unpack(t->want + i * c->n, &row, &p, t->base, c->n);
    }
    t->bits = row.bit - c->bit;
    bytes = (row.bit + 7) / 8 + PACKED_SLACK;
    *codes = memcpy(xmalloc(bytes), spare, bytes);
    t->rows.first.codes = *codes;
    free(spare);
}

/* Products with rows are those of the same level with their floats. */
static void check_products(const struct kernels *kn, const struct rows_case *t)
{
    int n = t->c.n, rows = t->rows.n;
    float *x = random_floats(n + rows), *w = x + n, *want = random_floats(n + rows + 1);
    float *got = random_floats(n + rows + 1);
    if (t->base) {
        kn->scores(want, x, t->base, 1, n, 8);
        kn->scores(want + 1, x, t->want, rows, n, 8);
        size_t bits = kn->scores_codes(got, x, &t->rows, &t->pairs, t->base, n, 8);
        assert_int_equal(bits, t->bits);
        assert_memory_equal(got, want, (size_t)(rows + 1) * sizeof *got);
    } else {
        memcpy(got, want, (size_t)n * sizeof *got);
        kn->mix(want, w, t->want, rows, n);
        assert_int_equal(kn->mix_codes(got, w, &t->rows, &t->pairs, n), t->bits);
        assert_memory_equal(got, want, (size_t)n * sizeof *got);
    }
    free(x);
    free(want);
    free(got);
}

static void check_rows(struct unpack_case c, int rows)
{
    int size = rows * c.n, n_pairs = (c.n + c.group - 1) / c.group;
    float *pairs = random_floats(2 * rows * n_pairs), *got = random_floats(size);
    struct rows_case t = {.c = c, .rows.n = rows, .want = random_floats(size)};
    uint8_t *codes, *masks;
    t.base = c.based ? random_floats(c.n) : NULL;
    make_rows(&t, &codes, &masks, pairs);
    for (int i = 0; i < LEVELS; i++) {
        if (!level(i))
            continue;
        fill(got, size);
        assert_int_equal(level(i)->unpack_rows(got, &t.rows, &t.pairs, t.base, c.n), t.bits);
        assert_memory_equal(got, t.want, (size_t)size * sizeof *got);
        check_products(level(i), &t);
    }
    void *const all[] = {pairs, got, t.want, t.base, codes, masks};
    for (int i = 0; i < COUNT(all); i++)
        free(all[i]);
}

static void rows_of_codes_are_their_floats(void **state)
{
    static const int whole[] = {64, 128, 192, 256};
    (void)state;
    for (int bits = 1; bits <= 16; bits++)
        for (int round = 0; round < 600; round++) {
            struct unpack_case c = {.n = 1 + rng_below(&r, 140), .bits = bits};
            c.n = round % 4 ? whole[rng_below(&r, COUNT(whole))] : c.n;
            c.group = groups[rng_below(&r, COUNT(groups))];
            c.group = round % 3 ? c.group : 1;
            c.lowest = rng_below(&r, 2) ? 0 : -(1 << (bits - 1));
            c.bit = (size_t)rng_below(&r, 20) * (round % 5 ? 1 : 8);
            c.masked = rng_below(&r, 4) > 0;
            c.based = rng_below(&r, 2) > 0;
            check_rows(c, 1 + rng_below(&r, round % 10 ? 9 : 70));
        }
}

/* The levels write what the plain twin writes, what was there before stays, and the memory ends
 * with the last code. */
static void check_pack(int bits, int n, int bit, bool masked)
{
    uint8_t *codes = random_bytes((size_t)n), *mask = masked ? random_mask(n) : NULL;
    uint8_t *want = xcalloc((size_t)(bit + n * bits + 7) / 8 + 1, 1);
    uint8_t begun = (uint8_t)(rng_below(&r, 256) & ((1 << bit % 8) - 1));
    want[bit / 8] = begun;
    size_t length = kernels_plain.pack(want, (size_t)bit, codes, mask, bits, n);
    size_t bytes = ((size_t)bit + length + 7) / 8;
    for (int i = 0; i < LEVELS; i++) {
        uint8_t *got = xcalloc(bytes + (bytes == 0), 1);
        if (bit % 8)
            got[bit / 8] = begun;
        if (level(i)) {
            assert_int_equal(level(i)->pack(got, (size_t)bit, codes, mask, bits, n), length);
            assert_memory_equal(got, want, bytes);
        }
        free(got);
    }
    free(want);
    free(mask);
    free(codes);
}

static void pack_is_its_definition(void **state)
{
    (void)state;
    for (int bits = 1; bits <= 8; bits++)
        for (int round = 0; round < 1000; round++)
            check_pack(bits, 1 + rng_below(&r, 140), rng_below(&r, 90), round % 3);
}

/* Codes that were packed come back. */
static void unpack_undoes_pack(void **state)
{
    static const float one = 1, zero = 0;
    (void)state;
    for (int round = 0; round < 2000; round++) {
        enum { N = 100 };
        uint8_t codes[N], packed[N + 10 + PACKED_SLACK] = {0}, *mask = random_mask(N);
        float out[N];
        int bits = 1 + round % 8, begin = rng_below(&r, 60);
        for (int i = 0; i < N; i++)
            codes[i] = (uint8_t)rng_below(&r, 1 << bits);
        struct code_row row = {packed, (size_t)begin, mask, bits, 0};
        struct code_pairs pairs = {&one, &zero, N};
        size_t length = kernels_best()->pack(packed, row.bit, codes, mask, bits, N);
        assert_int_equal(kernels_plain.unpack(out, &row, &pairs, NULL, N), length);
        for (int i = 0; i < N; i++)
            assert_true(out[i] == (kept_in(mask, i) ? (float)codes[i] : 0));
        free(mask);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_rows_are_their_floats),
        cmocka_unit_test(sums_do_not_depend_on_neighbours),
        cmocka_unit_test(avx2_and_avx512_give_the_same_bits),
        cmocka_unit_test(unpack_is_its_definition),
        cmocka_unit_test(rows_of_codes_are_their_floats),
        cmocka_unit_test(pack_is_its_definition),
        cmocka_unit_test(unpack_undoes_pack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
