/*
 * KVO's choice of keys by whole numbers against the one that float scores of all keys make, on
 * random rows and on rows made to mislead it; and the levels' scan of tiles against each other.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/base/rng.h"
#include "harness/methods/int8_record.h"
#include "harness/methods/kvo_scan.h"
#include "harness/tensor/topk.h"

enum { D_MAX = 128, Q_MAX = 4, N_MAX = 1100 };

static struct rng r = {31};

static const struct kernels *level(int i)
{
    static const char *const names[] = {"plain", "avx2", "avx512"};
    return kernels_named(names[i]);
}

static int one_of(const int *list, int n)
{
    return list[rng_below(&r, n)];
}
#define PICK(...)                                                                                  \
    one_of((const int[]){__VA_ARGS__}, (int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)))

/* ---- rows that mislead ---- */

enum kind { NORMAL, EQUAL, NEAR, DYNAMIC, ZEROS, NEGATIVE, OUTLIER, CROWDED, HUGE_KEYS, KINDS };

static float row_number(enum kind kind, int row, int n)
{
    float x = (float)rng_normal(&r);
    switch (kind) {
    case DYNAMIC:
        return ldexpf(x, rng_below(&r, 60) - 45);
    case ZEROS:
        return rng_below(&r, 3) ? 0 : x;
    case NEGATIVE:
        return x - 20;
    case OUTLIER:
        return rng_below(&r, 64) ? x : 300 * x;
    case CROWDED: // the good ones lie together
        return row > n / 2 && row < n / 2 + 90 ? 1 + x * 0.01f : x * 0.1f;
    case HUGE_KEYS:
        return row % 7 ? x : 1e30f * x;
    default:
        return x;
    }
}

/* Equal rows, or rows that differ in a code now and then. */
static void repeat_rows(float *rows, int n, int d, int distinct, bool near)
{
    for (int i = distinct; i < n; i++) {
        memcpy(rows + i * d, rows + rng_below(&r, distinct) * d, (size_t)d * sizeof *rows);
        if (near && rng_below(&r, 2))
            rows[i * d + rng_below(&r, d)] *= 1 + 1e-6f * (float)rng_below(&r, 5000);
    }
}

static void make_rows(float *rows, int n, int d, enum kind kind)
{
    for (int i = 0; i < n * d; i++)
        rows[i] = row_number(kind, i / d, n);
    if (kind == EQUAL || kind == NEAR)
        repeat_rows(rows, n, d, 1 + rng_below(&r, n < 20 ? n : 20), kind == NEAR);
}

static void make_query(float *q, int d, int kind)
{
    for (int l = 0; l < d; l++)
        q[l] = kind == 1 ? 0 : (float)rng_normal(&r);
    float *one = q + rng_below(&r, d);
    if (kind == 2)
        *one = 1e6f;
    else if (kind == 3)
        *one = NAN;
    else if (kind == 4)
        *one = INFINITY;
    else if (kind == 5)
        *one = 1e37f;
    else if (kind == 6)
        for (int l = 0; l < d; l++)
            q[l] *= 1e-36f;
}

/* ---- one case ---- */

struct scan_case {
    int n, d, n_q, k;
    struct kvo_quant quant;
    enum kind kind;
};

static struct scan_case random_case(int round)
{
    struct scan_case c = {.n = 1 + rng_below(&r, round % 4 ? 200 : N_MAX),
                          .d = PICK(8, 16, 24, 32, 40, 64, 96, 128, 10),
                          .n_q = 1 + rng_below(&r, Q_MAX),
                          .kind = (enum kind)rng_below(&r, KINDS)};
    do
        c.quant.group = PICK(1, 2, 4, 8, 12, 16, 20, 32, 48, 64, c.d);
    while (c.d % c.quant.group);
    c.quant = (struct kvo_quant){.bits = 8, .group = c.quant.group, .chunk = 1, .kept = 1};
    c.quant.clip = rng_below(&r, 3) ? 1 : 0.7;
    c.quant.symmetric = rng_below(&r, 3) == 0;
    c.quant.half_pairs = c.kind != HUGE_KEYS && rng_below(&r, 3) > 0;
    c.k = rng_below(&r, 8) ? rng_below(&r, (c.n < 60 ? c.n : 60) + 1) : c.n;
    return c;
}

/* The choice of float scores of the decoded rows; out [n_q][k]. */
static void choose(int *out, const struct kernels *kn, const struct scan_case *c, const float *q,
                   const uint8_t *records)
{
    struct int8_rows packed =
        int8_record_rows(records, int8_record_size(c->d, &c->quant), c->d, &c->quant);
    float *decoded = xmalloc((size_t)c->n * (size_t)c->d * sizeof *decoded);
    float *scores = xmalloc((size_t)c->n * sizeof *scores);
    kn->widen_int8(decoded, &packed, c->n);
    for (int i = 0; i < c->n_q; i++) {
        kn->scores(scores, q + i * c->d, decoded, c->n, c->d, 1);
        topk_indices(out + i * c->k, scores, c->n, c->k);
    }
    free(decoded), free(scores);
}

static void check_level(const struct kernels *kn, const struct scan_case *c, const float *q,
                        const struct kvo_scan *s, const uint8_t *records)
{
    size_t count = (size_t)(c->n_q * c->k) * sizeof(int);
    struct kv_top_room room = {xmalloc(kv_top_scores(c->n_q, c->n) * sizeof(float)),
                               xmalloc((size_t)c->n * sizeof(int))};
    int *got = xmalloc(count + 1), *want = xmalloc(count + 1);
    float x[D_MAX], y[D_MAX];
    choose(want, kn, c, q, records);
    kvo_scan_top(s, kn, q, c->n_q, c->n, c->k, got, c->k, &room);
    if (memcmp(got, want, count))
        fail_msg("%s: n %d, d %d, group %d, k %d, %d queries, rows of kind %d: another choice",
                 kn->name, c->n, c->d, c->quant.group, c->k, c->n_q, (int)c->kind);
    int i = rng_below(&r, c->n);
    struct int8_rows row =
        int8_record_rows(records + (size_t)i * s->record, s->record, c->d, &c->quant);
    kn->widen_int8(x, &row, 1);
    kvo_scan_key(s, kn, i, y);
    assert_memory_equal(x, y, (size_t)c->d * sizeof *x);
    free(got), free(want), free(room.scores), free(room.index);
}

static void check_case(const struct scan_case *c)
{
    struct kvo_scan s;
    uint8_t *data = mem_aligned(kvo_scan_bytes(c->d, &c->quant, c->n));
    kvo_scan_init(&s, c->d, &c->quant, c->n_q, data);
    float *rows = xmalloc((size_t)c->n * (size_t)c->d * sizeof *rows), q[Q_MAX * D_MAX];
    uint8_t *records = xcalloc((size_t)c->n * s.record + PACKED_SLACK, 1);
    make_rows(rows, c->n, c->d, c->kind);
    for (int i = 0; i < c->n; i++) {
        int8_record_put(kernels_best(), records + (size_t)i * s.record, rows + i * c->d, c->d,
                        &c->quant);
        kvo_scan_put(&s, i, records + (size_t)i * s.record);
    }
    for (int i = 0; i < c->n_q; i++)
        make_query(q + i * c->d, c->d, rng_below(&r, 2) ? 0 : rng_below(&r, 7));
    for (int i = 0; i < 3; i++)
        if (level(i))
            check_level(level(i), c, q, &s, records);
    kvo_scan_release(&s);
    free(data);
    free(rows), free(records);
}

static void choice_is_the_float_scores(void **state)
{
    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct scan_case c = random_case(round);
        check_case(&c);
    }
}

/* ---- the kernel ---- */

enum { TILES = 5, GROUPS_MAX = D_MAX / 4 };

static void make_whole(struct int8_query *q, int d, int group)
{
    static const int place[4] = {0, 2, 1, 3};
    q->unit = (float)rng_normal(&r);
    for (int g = 0; g < d / group; g++)
        q->sums[g] = 0;
    for (int l = 0; l < d; l++) {
        int w = rng_below(&r, 5) ? rng_below(&r, 32767) - 16383 : PICK(-16383, 16383, 0, -1, -128);
        q->words[l / 4 * 4 + place[l % 4]] = (int16_t)w;
        q->low[l] = (int8_t)(w & 127);
        q->high[l] = (int8_t)((w - (w & 127)) / 128);
        // The group divides d, so all sums are set.
        // NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign)
        q->sums[l / group] += (float)w;
    }
}

static uint8_t *random_tiles(const struct int8_tiles *t, int n)
{
    int each = TILE_ROWS * (t->d + t->d / t->group * (t->wide ? 8 : 4));
    uint8_t *data = xmalloc((size_t)(n * each));
    for (int i = 0; i < n; i++) {
        uint8_t *tile = data + i * each, *number = tile + TILE_ROWS * t->d;
        for (int j = 0; j < TILE_ROWS * t->d; j++)
            tile[j] = (uint8_t)(rng_below(&r, 4) ? rng_below(&r, 256) : 255);
        for (int j = 0; j < TILE_ROWS * t->d / t->group * 2; j++) {
            float x = (float)rng_normal(&r);
            uint16_t half = f16_from_f32(x);
            memcpy(number, t->wide ? (const void *)&x : &half, t->wide ? sizeof x : sizeof half);
            number += t->wide ? sizeof x : sizeof half;
        }
    }
    return data;
}

static void levels_agree_on_tiles(void **state)
{
    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct int8_query q[Q_MAX];
        int16_t words[Q_MAX][D_MAX];
        int8_t digits[2][Q_MAX][D_MAX];
        float sums[Q_MAX][GROUPS_MAX], out[3][Q_MAX * 16 * TILES], max[3][Q_MAX * TILES];
        int n = 1 + rng_below(&r, TILES), n_q = 1 + rng_below(&r, Q_MAX);
        struct int8_tiles t = {.d = PICK(8, 16, 40, 64, 96, 128)};
        t.group = t.d % 16 ? PICK(4, 8) : PICK(4, 8, 16, t.d % 32 ? 16 : 32, t.d);
        t.lowest = rng_below(&r, 2) ? 0 : -128, t.wide = rng_below(&r, 2);
        uint8_t *data = random_tiles(&t, n);
        t.data = data;
        for (int i = 0; i < n_q; i++) {
            q[i] = (struct int8_query){0, words[i], digits[0][i], digits[1][i], sums[i]};
            make_whole(&q[i], t.d, t.group);
        }
        for (int i = 0; i < 3; i++) {
            memset(out[i], 0, sizeof out[i]), memset(max[i], 0, sizeof max[i]);
            if (level(i))
                level(i)->scan_tiles(out[i], 16 * TILES, max[i], q, n_q, &t, n);
            if (level(i)) {
                assert_memory_equal(out[i], out[0], sizeof out[i]);
                assert_memory_equal(max[i], max[0], sizeof max[i]);
            }
        }
        free(data);
    }
}

/* A group of 512 codes with the largest numbers: sums stay within 32 bits. */
static void the_widest_group_fits(void **state)
{
    (void)state;
    enum { D = 512 };
    static uint8_t data[TILE_ROWS * (D + 8)];
    static int16_t words[D];
    static int8_t digits[2][D];
    float sum = 16383.0f * D, one = 1, out[TILE_ROWS], max;
    struct int8_query q = {1, words, digits[0], digits[1], &sum};
    struct int8_tiles t = {data, D, D, 0, true};
    memset(data, 255, TILE_ROWS * D);
    for (int i = 0; i < TILE_ROWS; i++)
        memcpy(data + TILE_ROWS * D + (size_t)i * sizeof one, &one, sizeof one);
    for (int l = 0; l < D; l++)
        words[l] = 16383, digits[0][l] = 127, digits[1][l] = 127;
    for (int i = 0; i < 3; i++)
        if (level(i)) {
            level(i)->scan_tiles(out, TILE_ROWS, &max, &q, 1, &t, 1);
            assert_true(out[7] == 255.0f * D * 16383.0f && max == out[7]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choice_is_the_float_scores),
        cmocka_unit_test(levels_agree_on_tiles),
        cmocka_unit_test(the_widest_group_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
