/* Each kernel of this processor's best level against its plain twin, on one thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"
#include "harness/base/rng.h"
#include "harness/tensor/kernels.h"
#include "runner/bench.h"

/* Sizes of the built-in model: rows of 3,500 tokens, heads of 64, hidden 256, mlp 768. */
enum { TOKENS = 3500, HEAD = 64, HIDDEN = 256, MLP = 768, BATCH = 16 };
/* INT8 rows with a pair of f16 for each 32 channels. */
enum { GROUP = 32, PACKED = HEAD + HEAD / GROUP * 2 * 2 };
enum { TILES = TOKENS / TILE_ROWS, CHUNKS = 64 };
/* Rows of weights of 4 bits, with a pair of f16 for each 128. */
enum { QUANT_GROUP = 128, QUANT = HIDDEN / 2 + HIDDEN / QUANT_GROUP * 2 * 2 };

struct data {
    float *rows, *x, *y, *out;
    uint16_t *half;      // small enough numbers in either 16-bit format
    uint8_t *packed;     // INT8 rows, whose bytes serve as codes and masks too
    uint8_t *tiles;      // the same numbers as tiles of 16 rows
    uint8_t *quant;      // weights of 4 bits
    uint8_t codes[HEAD]; // of 2 bits, one a byte
};

static void matmul(const struct kernels *kn, struct data *d, enum dtype format, int m)
{
    const void *w = format == DT_F32 ? (const void *)d->rows : d->half;
    kernels_matmul(kn, d->out, MLP, d->x, HIDDEN, m, w, format, MLP, HIDDEN);
}

static void matmul_f32(const struct kernels *kn, struct data *d)
{
    matmul(kn, d, DT_F32, 1);
}

static void matmul_f16(const struct kernels *kn, struct data *d)
{
    matmul(kn, d, DT_F16, 1);
}

static void matmul_bf16(const struct kernels *kn, struct data *d)
{
    matmul(kn, d, DT_BF16, 1);
}

static void matmul_batch(const struct kernels *kn, struct data *d)
{
    matmul(kn, d, DT_BF16, BATCH);
}

static void matmul_f32_batch(const struct kernels *kn, struct data *d)
{
    matmul(kn, d, DT_F32, BATCH);
}

static void matmul_f16_batch(const struct kernels *kn, struct data *d)
{
    matmul(kn, d, DT_F16, BATCH);
}

static void quant(const struct kernels *kn, struct data *d, int m)
{
    struct quant_rows rows = {.data = d->quant,
                              .stride = QUANT,
                              .codes = HIDDEN / 2,
                              .cols = HIDDEN,
                              .bits = 4,
                              .group = QUANT_GROUP};
    kn->matmul_quant(d->out, MLP, d->x, HIDDEN, m, &rows, MLP);
}

static void matmul_quant(const struct kernels *kn, struct data *d)
{
    quant(kn, d, 1);
}

static void matmul_quant_batch(const struct kernels *kn, struct data *d)
{
    quant(kn, d, BATCH);
}

/* 256 rows by one panel. */
static void panel_mul(const struct kernels *kn, struct data *d)
{
    kn->panel_mul(d->out, PANEL_WIDTH, d->x, HIDDEN, HIDDEN, d->rows, PANEL_WIDTH, PANEL_WIDTH,
                  HIDDEN, 1, false);
}

static void panel_pack(const struct kernels *kn, struct data *d)
{
    kn->panel_pack(d->out, d->rows, HIDDEN, PANEL_WIDTH, HIDDEN);
}

static void scores(const struct kernels *kn, struct data *d)
{
    kn->scores(d->out, d->x, d->rows, TOKENS, HEAD, 8.0f);
}

static void mix(const struct kernels *kn, struct data *d)
{
    memset(d->out, 0, HEAD * sizeof *d->out);
    kn->mix(d->out, d->x, d->rows, TOKENS, HEAD);
}

/* What changes in place starts from a fresh copy: values must not drift to where exp is slow. */
static float *copy_of_x(struct data *d, int n)
{
    return memcpy(d->out, d->x, (size_t)n * sizeof *d->out);
}

static void softmax(const struct kernels *kn, struct data *d)
{
    kn->softmax(copy_of_x(d, TOKENS), TOKENS);
}

static void rmsnorm(const struct kernels *kn, struct data *d)
{
    kn->rmsnorm(d->out, d->x, d->y, HIDDEN, 1e-5f);
}

static void silu_mul(const struct kernels *kn, struct data *d)
{
    kn->silu_mul(copy_of_x(d, MLP), d->y, MLP);
}

static void rope(const struct kernels *kn, struct data *d)
{
    for (int h = 0; h < HIDDEN / HEAD; h++)
        kn->rope(copy_of_x(d, HEAD), d->y, d->y + HEAD, HEAD / 2);
}

static void add(const struct kernels *kn, struct data *d)
{
    kn->add(copy_of_x(d, HIDDEN), d->y, HIDDEN);
}

static void rescale(const struct kernels *kn, struct data *d)
{
    kn->rescale(d->out, d->x, HIDDEN, 3, 15, 1e-5f);
}

/* The count is kept: a compiler must not drop it. */
static void count_from(const struct kernels *kn, struct data *d)
{
    d->out[0] = (float)kn->count_from(d->x, HIDDEN, 0.5f);
}

static void widen_f16(const struct kernels *kn, struct data *d)
{
    kn->widen_f16(d->out, d->half, HIDDEN * HIDDEN);
}

static void widen_bf16(const struct kernels *kn, struct data *d)
{
    kn->widen_bf16(d->out, d->half, HIDDEN * HIDDEN);
}

static void scores_f16(const struct kernels *kn, struct data *d)
{
    kn->scores_f16(d->out, d->x, d->half, TOKENS, HEAD, 8.0f);
}

static void mix_f16(const struct kernels *kn, struct data *d)
{
    memset(d->out, 0, HEAD * sizeof *d->out);
    kn->mix_f16(d->out, d->x, d->half, TOKENS, HEAD);
}

static struct int8_rows packed_rows(const struct data *d)
{
    return (struct int8_rows){.data = d->packed, .stride = PACKED, .d = HEAD, .group = GROUP};
}

static void scores_int8(const struct kernels *kn, struct data *d)
{
    struct int8_rows rows = packed_rows(d);
    kn->scores_int8(d->out, TOKENS, d->x, 1, &rows, TOKENS, 8.0f);
}

static void scores_int8_of_8(const struct kernels *kn, struct data *d)
{
    struct int8_rows rows = packed_rows(d);
    kn->scores_int8(d->out, TOKENS, d->x, 8, &rows, TOKENS, 8.0f);
}

static void mix_int8(const struct kernels *kn, struct data *d)
{
    struct int8_rows rows = packed_rows(d);
    memset(d->out, 0, HEAD * sizeof *d->out);
    kn->mix_int8(d->out, d->x, &rows, TOKENS);
}

static void widen_int8(const struct kernels *kn, struct data *d)
{
    struct int8_rows rows = packed_rows(d);
    kn->widen_int8(d->out, &rows, TOKENS);
}

static void scan_tiles(const struct kernels *kn, struct data *d)
{
    struct int8_tiles tiles = {.data = d->tiles, .d = HEAD, .group = GROUP};
    int8_t high[HEAD], low[HEAD];
    int16_t words[HEAD];
    float sums[HEAD / GROUP] = {100, 200};
    for (int i = 0; i < HEAD; i++)
        high[i] = (int8_t)(i - 32), low[i] = (int8_t)i, words[i] = (int16_t)(128 * high[i] + i);
    struct int8_query q = {1e-4f, words, high, low, sums};
    kn->scan_tiles(d->out, TILES * TILE_ROWS, d->out + TILES * TILE_ROWS, &q, 1, &tiles, TILES);
}

/* Of rows of 64 channels 8 in 32 are kept; 7 of them are a chunk's. */
enum { OTHERS = 7 };
static const uint8_t mask[OTHERS * HEAD / 8] = {
    0x11, 0xA0, 0x07, 0x40, 0x80, 0x0F, 0x12, 0x01, 0x11, 0xA0, 0x07, 0x40, 0x80, 0x0F,
    0x12, 0x01, 0x11, 0xA0, 0x07, 0x40, 0x80, 0x0F, 0x12, 0x01, 0x11, 0xA0, 0x07, 0x40,
    0x80, 0x0F, 0x12, 0x01, 0x11, 0xA0, 0x07, 0x40, 0x80, 0x0F, 0x12, 0x01, 0x11, 0xA0,
    0x07, 0x40, 0x80, 0x0F, 0x12, 0x01, 0x11, 0xA0, 0x07, 0x40, 0x80, 0x0F, 0x12, 0x01};

static struct code_rows chunk_rows(const struct data *d, size_t i, int scales)
{
    return (struct code_rows){{d->packed + i * PACKED, 0, mask, 2, 0}, OTHERS, HEAD / 8, scales};
}

static void unpack_rows(const struct kernels *kn, struct data *d)
{
    struct code_pairs pairs = {d->x, d->y, GROUP};
    for (size_t i = 0; i < CHUNKS; i++) {
        struct code_rows rows = chunk_rows(d, i, HEAD / GROUP);
        kn->unpack_rows(d->out, &rows, &pairs, d->rows, HEAD);
    }
}

static void scores_codes(const struct kernels *kn, struct data *d)
{
    struct code_pairs pairs = {d->x, d->y, GROUP};
    for (size_t i = 0; i < CHUNKS; i++) {
        struct code_rows rows = chunk_rows(d, i, HEAD / GROUP);
        kn->scores_codes(d->out, d->x, &rows, &pairs, d->rows, HEAD, 8.0f);
    }
}

static void mix_codes(const struct kernels *kn, struct data *d)
{
    struct code_pairs pairs = {d->x, d->y, 1};
    memset(d->out, 0, HEAD * sizeof *d->out);
    for (size_t i = 0; i < CHUNKS; i++) {
        struct code_rows rows = chunk_rows(d, i, 0);
        kn->mix_codes(d->out, d->x, &rows, &pairs, HEAD);
    }
}

static void encode_group(const struct kernels *kn, struct data *d)
{
    struct group_form form = {group_grid(8, false), false, true, 1};
    for (int i = 0; i < HIDDEN; i += GROUP)
        kn->encode_group((uint8_t *)d->out + i, d->x + i, GROUP, &form);
}

static void pack(const struct kernels *kn, struct data *d)
{
    uint8_t *to = (uint8_t *)d->out; // which is larger
    size_t bit = 0;
    memset(to, 0, (size_t)CHUNKS * OTHERS * HEAD / GROUP * 8 * 2 / 8 + PACKED_SLACK);
    for (size_t i = 0; i < (size_t)CHUNKS * OTHERS; i++)
        bit += kn->pack(to, bit, d->codes, mask, 2, HEAD);
}

static void unpack(const struct kernels *kn, struct data *d)
{
    struct code_pairs pairs = {d->x, d->y, GROUP};
    for (size_t i = 0; i < TOKENS; i++) {
        struct code_row row = {d->packed + i * PACKED, i, mask, 2, 0};
        kn->unpack(d->out, &row, &pairs, d->rows, HEAD);
    }
}

static const struct {
    const char *name, *unit;
    double work; // 1e9 operations, or numbers
    void (*run)(const struct kernels *kn, struct data *d);
} cases[] = {
    {"matmul_f32, 1 row", "GFLOP/s", 2e-9 * MLP *HIDDEN, matmul_f32},
    {"matmul_f16, 1 row", "GFLOP/s", 2e-9 * MLP *HIDDEN, matmul_f16},
    {"matmul_bf16, 1 row", "GFLOP/s", 2e-9 * MLP *HIDDEN, matmul_bf16},
    {"matmul_bf16, 16 rows", "GFLOP/s", 2e-9 * MLP *HIDDEN *BATCH, matmul_batch},
    {"matmul_f32, 16 rows", "GFLOP/s", 2e-9 * MLP *HIDDEN *BATCH, matmul_f32_batch},
    {"matmul_f16, 16 rows", "GFLOP/s", 2e-9 * MLP *HIDDEN *BATCH, matmul_f16_batch},
    {"matmul_quant, 4 bits, 1 row", "GFLOP/s", 2e-9 * MLP *HIDDEN, matmul_quant},
    {"matmul_quant, 4 bits, 16 rows", "GFLOP/s", 2e-9 * MLP *HIDDEN *BATCH, matmul_quant_batch},
    {"panel_mul, 256 x 64 x 256", "GFLOP/s", 2e-9 * HIDDEN *HIDDEN *PANEL_WIDTH, panel_mul},
    {"panel_pack, 64 x 256", "G/s", 1e-9 * HIDDEN *PANEL_WIDTH, panel_pack},
    {"scores, 3500 x 64", "GB/s", 4e-9 * TOKENS *HEAD, scores},
    {"mix, 3500 x 64", "GB/s", 4e-9 * TOKENS *HEAD, mix},
    {"softmax, 3500", "G/s", 1e-9 * TOKENS, softmax},
    {"rmsnorm, 256", "G/s", 1e-9 * HIDDEN, rmsnorm},
    {"silu_mul, 768", "G/s", 1e-9 * MLP, silu_mul},
    {"rope, 4 heads of 64", "G/s", 1e-9 * HIDDEN, rope},
    {"add, 256", "G/s", 1e-9 * HIDDEN, add},
    {"rescale, 256", "G/s", 1e-9 * HIDDEN, rescale},
    {"count_from, 256", "G/s", 1e-9 * HIDDEN, count_from},
    {"widen_f16, 65536", "G/s", 1e-9 * HIDDEN *HIDDEN, widen_f16},
    {"widen_bf16, 65536", "G/s", 1e-9 * HIDDEN *HIDDEN, widen_bf16},
    {"scores_f16, 3500 x 64", "GB/s", 2e-9 * TOKENS *HEAD, scores_f16},
    {"mix_f16, 3500 x 64", "GB/s", 2e-9 * TOKENS *HEAD, mix_f16},
    {"scores_int8, 3500 x 64", "G/s", 1e-9 * TOKENS *HEAD, scores_int8},
    {"scores_int8, of 8 queries", "G/s", 8e-9 * TOKENS *HEAD, scores_int8_of_8},
    {"mix_int8, 3500 x 64", "G/s", 1e-9 * TOKENS *HEAD, mix_int8},
    {"widen_int8, 3500 x 64", "G/s", 1e-9 * TOKENS *HEAD, widen_int8},
    {"scan_tiles, 3488 x 64", "G/s", 1e-9 * TILES *TILE_ROWS *HEAD, scan_tiles},
    {"unpack, 2 bits, 8 of 32 kept", "G/s", 1e-9 * TOKENS *HEAD, unpack},
    {"unpack_rows, 7 such", "G/s", 1e-9 * CHUNKS *OTHERS *HEAD, unpack_rows},
    {"scores_codes, 7 such", "G/s", 1e-9 * CHUNKS *OTHERS *HEAD, scores_codes},
    {"mix_codes, 7 such", "G/s", 1e-9 * CHUNKS *OTHERS *HEAD, mix_codes},
    {"encode_group, 8 groups of 32", "G/s", 1e-9 * HIDDEN, encode_group},
    {"pack, 2 bits, 8 of 32 kept", "G/s", 1e-9 * CHUNKS *OTHERS *HEAD, pack},
};

struct side {
    const struct kernels *kernels;
    struct data *data;
    void (*run)(const struct kernels *kn, struct data *d);
};

static double time_side(void *arg, long n)
{
    const struct side *s = arg;
    double start = clock_seconds();
    for (long i = 0; i < n; i++)
        s->run(s->kernels, s->data);
    return clock_seconds() - start;
}

/* n records of so many bytes of codes at random, and behind them pairs of small numbers. */
static uint8_t *records(size_t n, size_t codes, size_t record, const uint16_t *half)
{
    struct rng r = {2};
    size_t size = n * (record + 1) + PACKED_SLACK;
    uint8_t *p = xmalloc(size);
    for (size_t i = 0; i < size; i++)
        p[i] = (uint8_t)rng_below(&r, 256);
    for (size_t i = 0; i < n; i++)
        memcpy(p + i * record + codes, half + i * HEAD, record - codes);
    return p;
}

static void open_data(struct data *d)
{
    struct rng r = {1};
    size_t n = TOKENS * HEAD;
    float **const all[] = {&d->rows, &d->x, &d->y, &d->out};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        *all[i] = mem_aligned(n * sizeof(float));
        for (size_t j = 0; j < n; j++)
            (*all[i])[j] = (float)rng_normal(&r);
    }
    d->half = mem_aligned(n * sizeof *d->half);
    for (size_t j = 0; j < n; j++)
        d->half[j] = f16_from_f32(d->rows[j]);
    d->packed = records(TOKENS, HEAD, PACKED, d->half);
    d->tiles = records(TILES, TILE_ROWS * HEAD, TILE_ROWS * PACKED, d->half);
    d->quant = records(MLP, HIDDEN / 2, QUANT, d->half);
    for (size_t i = 0; i < HEAD; i++)
        d->codes[i] = (uint8_t)(i % 4);
}

static int run(struct bench *b, struct err *e)
{
    struct data d;
    const struct kernels *best = kernels_best();
    char title[64];
    (void)e;
    open_data(&d);
    snprintf(title, sizeof title, "%s on one thread", best->name);
    bench_title(b, title);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct side fast = {best, &d, cases[i].run}, plain = {&kernels_plain, &d, cases[i].run};
        struct bench_pair p = {.name = cases[i].name,
                               .unit = cases[i].unit,
                               .against = "plain twin",
                               .work_a = cases[i].work,
                               .work_b = cases[i].work,
                               .a = time_side,
                               .b = time_side,
                               .arg_a = &fast,
                               .arg_b = &plain};
        bench_compare(b, &p);
    }
    free(d.rows);
    free(d.x);
    free(d.y);
    free(d.out);
    free(d.half);
    free(d.packed);
    free(d.tiles);
    free(d.quant);
    return 0;
}

const struct bench_kind bench_kernels = {
    .name = "kernels", .summary = "each kernel against its plain twin", .run = run};
