/* Rows in one piece, f32 or f16: three codecs that differ in what they do to a row on arrival. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/kv/meter.h"
#include "harness/kv/rows.h"

struct row_store {
    struct kv_part part;
    const struct kv_codec *as; // the reference of this codec, or NULL
    struct kv_rows wide;       // f32, or
    uint16_t *k, *v;           // f16 [n_kv_heads][cap][head_dim]
    int n, cap, packed;
    int before; // rows before the step
    struct kv_meter *meters;
};

static size_t numbers(const struct kv_part *p, int cap)
{
    return mem_size((size_t)p->shape.n_kv_heads * (size_t)p->shape.head_dim, (size_t)cap);
}

static size_t bytes_f32(const struct kv_part *part, int cap)
{
    return mem_size(numbers(part, cap), 2 * sizeof(float));
}

static size_t bytes_f16(const struct kv_part *part, int cap)
{
    return mem_size(numbers(part, cap), 2 * sizeof(uint16_t));
}

static struct row_store *open_store(const struct kv_part *part, int cap)
{
    struct row_store *s = xcalloc(1, sizeof *s);
    s->part = *part;
    s->cap = cap;
    s->meters = kv_meters_new(&part->shape, cap);
    return s;
}

static void *open_f32(const struct kv_part *part, int cap)
{
    struct row_store *s = open_store(part, cap);
    kv_rows_init(&s->wide, &part->shape, cap);
    return s;
}

static void *open_f16(const struct kv_part *part, int cap)
{
    struct row_store *s = open_store(part, cap);
    s->k = mem_aligned(bytes_f16(part, cap) / 2);
    s->v = mem_aligned(bytes_f16(part, cap) / 2);
    return s;
}

void *kv_reference_open(const struct kv_part *part, int cap, const struct kv_codec *as)
{
    struct row_store *s = open_f32(part, cap);
    s->as = as;
    return s;
}

const struct kv_rows *kv_reference_rows(const void *store)
{
    const struct row_store *s = store;
    assert(!s->k);
    return &s->wide;
}

static void close_store(void *store)
{
    struct row_store *s = store;
    kv_meters_free(s->meters, &s->part.shape);
    kv_rows_release(&s->wide);
    free(s->k);
    free(s->v);
    free(s);
}

static uint64_t row_bits(const struct row_store *s)
{
    return (uint64_t)s->part.shape.head_dim * (s->k ? 16 : 32);
}

static size_t at(const struct row_store *s, int head, int t)
{
    return ((size_t)head * (size_t)s->cap + (size_t)t) * (size_t)s->part.shape.head_dim;
}

static void begin_f16(void *store, const struct kv_rows *rows, int due)
{
    struct row_store *s = store;
    (void)due;
    assert(s->n + rows->n <= s->cap);
    kv_meters_step(s->meters, &s->part.shape);
    s->before = s->n;
    s->n += rows->n;
}

static void append_f16(void *store, int kv_head, const struct kv_rows *rows, const void *records)
{
    struct row_store *s = store;
    int d = s->part.shape.head_dim;
    uint16_t *k = s->k + at(s, kv_head, s->before), *v = s->v + at(s, kv_head, s->before);
    (void)records;
    s->part.kernels->narrow_f16(k, kv_rows_k(rows, d, kv_head, 0), (long)rows->n * d);
    s->part.kernels->narrow_f16(v, kv_rows_v(rows, d, kv_head, 0), (long)rows->n * d);
    kv_meter_write(&s->meters[kv_head], KV_ROWS, 2 * row_bits(s) * (uint64_t)rows->n);
}

/* All heads at once: the reference's groups may cross them. */
static void begin_f32(void *store, const struct kv_rows *rows, int due)
{
    struct row_store *s = store;
    begin_f16(store, rows, due);
    kv_rows_push(&s->wide, &s->part.shape, rows, 0, rows->n);
    if (s->as && s->as->round)
        s->as->round(&s->part, &s->wide, s->before);
    if (s->as && s->as->compress && due > s->packed)
        s->as->compress(&s->part, &s->wide, s->packed, due);
    s->packed = due > s->packed ? due : s->packed;
}

static void append_f32(void *store, int kv_head, const struct kv_rows *rows, const void *records)
{
    struct row_store *s = store;
    (void)records;
    kv_meter_write(&s->meters[kv_head], KV_ROWS, 2 * row_bits(s) * (uint64_t)rows->n);
}

static void count_run(struct row_store *s, int kv_head, enum kv_side side, int n_q,
                      struct kv_run run)
{
    struct kv_meter *m = &s->meters[kv_head];
    bool together = n_q == s->part.shape.n_heads / s->part.shape.n_kv_heads;
    kv_meter_read(m, KV_ROWS, row_bits(s) * kv_meter_rows(m, side, together, run));
}

static void scores_of(const struct row_store *s, const float *q, size_t row, int n, float divisor,
                      float *out)
{
    int d = s->part.shape.head_dim;
    if (s->k)
        s->part.kernels->scores_f16(out, q, s->k + row, n, d, divisor);
    else
        s->part.kernels->scores(out, q, s->wide.k + row, n, d, divisor);
}

static void top(void *store, int kv_head, const float *q, int n_q, struct kv_run run, int k,
                int *out, int ld, const struct kv_top_room *room)
{
    struct row_store *s = store;
    assert(run.n == 0 || run.start + (run.n - 1) * run.step < s->n);
    kv_meter_choose(&s->meters[kv_head]);
    for (int j = 0; j < run.n; j++)
        for (int i = 0; i < n_q; i++)
            scores_of(s, q + i * s->part.shape.head_dim, at(s, kv_head, run.start + j * run.step),
                      1, 1, room->scores + (size_t)i * (size_t)run.n + j);
    kv_rows_top(out, ld, room->scores, n_q, run.n, k);
    count_run(s, kv_head, KV_KEY_SIDE, n_q, run);
}

static void scores(void *store, int kv_head, const float *q, int n_q, const struct kv_range *ranges,
                   int n_ranges, float divisor, float *out, int ld)
{
    struct row_store *s = store;
    for (const struct kv_range *r = ranges; r < ranges + n_ranges; out += r->n, r++) {
        assert(r->start + r->n <= s->n);
        for (int i = 0; i < n_q; i++)
            scores_of(s, q + i * s->part.shape.head_dim, at(s, kv_head, r->start), r->n, divisor,
                      out + (size_t)i * (size_t)ld);
        count_run(s, kv_head, KV_KEY_SIDE, n_q, (struct kv_run){r->start, 1, r->n});
    }
}

static void mix_of(const struct row_store *s, const float *w, size_t row, int n, float *out)
{
    int d = s->part.shape.head_dim;
    if (s->k)
        s->part.kernels->mix_f16(out, w, s->v + row, n, d);
    else
        s->part.kernels->mix(out, w, s->wide.v + row, n, d);
}

static void mix(void *store, int kv_head, const float *w, int ld, int n_q,
                const struct kv_range *ranges, int n_ranges, float *out)
{
    struct row_store *s = store;
    for (const struct kv_range *r = ranges; r < ranges + n_ranges; w += r->n, r++) {
        for (int i = 0; i < n_q; i++)
            mix_of(s, w + (size_t)i * (size_t)ld, at(s, kv_head, r->start), r->n,
                   out + i * s->part.shape.head_dim);
        count_run(s, kv_head, KV_VALUE_SIDE, n_q, (struct kv_run){r->start, 1, r->n});
    }
}

static void permute(void *store, int kv_head, int from, int n, const int *order)
{
    struct row_store *s = store;
    size_t row = at(s, kv_head, from), d = (size_t)s->part.shape.head_dim;
    assert(from >= s->packed && from + n <= s->n);
    if (s->k) {
        kv_rows_permute(s->k + row, d * sizeof *s->k, n, order);
        kv_rows_permute(s->v + row, d * sizeof *s->v, n, order);
    } else {
        kv_rows_permute(s->wide.k + row, d * sizeof(float), n, order);
        kv_rows_permute(s->wide.v + row, d * sizeof(float), n, order);
    }
}

static void move_up(void *rows, size_t row_bytes, int row, int n)
{
    char *at = (char *)rows + (size_t)row * row_bytes;
    memmove(at, at + row_bytes, (size_t)(n - row - 1) * row_bytes);
}

static void drop(void *store, int row)
{
    struct row_store *s = store;
    size_t d = (size_t)s->part.shape.head_dim;
    assert(row >= 0 && row < s->n && s->packed == 0);
    for (int h = 0; h < s->part.shape.n_kv_heads; h++) {
        size_t first = at(s, h, 0);
        if (s->k) {
            move_up(s->k + first, d * sizeof *s->k, row, s->n);
            move_up(s->v + first, d * sizeof *s->v, row, s->n);
        } else {
            move_up(s->wide.k + first, d * sizeof(float), row, s->n);
            move_up(s->wide.v + first, d * sizeof(float), row, s->n);
        }
    }
    s->n--;
    s->wide.n -= s->k ? 0 : 1;
}

static void read_rows(const void *store, int kv_head, int from, int n, float *k, float *v)
{
    const struct row_store *s = store;
    size_t row = at(s, kv_head, from), count = (size_t)n * (size_t)s->part.shape.head_dim;
    assert(from + n <= s->n);
    if (s->k) {
        s->part.kernels->widen_f16(k, s->k + row, (long)count);
        s->part.kernels->widen_f16(v, s->v + row, (long)count);
    } else {
        memcpy(k, s->wide.k + row, count * sizeof *k);
        memcpy(v, s->wide.v + row, count * sizeof *v);
    }
    if (s->as && s->as->leave) {
        s->as->leave(&s->part, k, n);
        s->as->leave(&s->part, v, n);
    }
}

static void count(const void *store, struct kv_ledger *out)
{
    const struct row_store *s = store;
    kv_meters_add(s->meters, &s->part.shape, out);
    out->held[KV_ROWS] += 2 * row_bits(s) * (uint64_t)s->n * (uint64_t)s->part.shape.n_kv_heads;
}

static void round_f16(const struct kv_part *part, struct kv_rows *rows, int from)
{
    size_t d = (size_t)part->shape.head_dim, n = (size_t)(rows->n - from) * d;
    for (int h = 0; h < part->shape.n_kv_heads; h++) {
        kv_rows_halve(part->kernels, kv_rows_k(rows, (int)d, h, from), n);
        kv_rows_halve(part->kernels, kv_rows_v(rows, (int)d, h, from), n);
    }
}

const struct kv_codec kv_codec_f32 = {
    .bytes = bytes_f32,
    .open = open_f32,
    .close = close_store,
    .begin = begin_f32,
    .append = append_f32,
    .top = top,
    .scores = scores,
    .mix = mix,
    .permute = permute,
    .drop = drop,
    .read = read_rows,
    .count = count,
};

const struct kv_codec kv_codec_f16 = {
    .bytes = bytes_f16,
    .open = open_f16,
    .close = close_store,
    .begin = begin_f16,
    .append = append_f16,
    .top = top,
    .scores = scores,
    .mix = mix,
    .permute = permute,
    .drop = drop,
    .read = read_rows,
    .count = count,
    .round = round_f16,
};

const struct kv_codec kv_codec_reference = {
    .bytes = bytes_f32,
    .close = close_store,
    .begin = begin_f32,
    .append = append_f32,
    .top = top,
    .scores = scores,
    .mix = mix,
    .permute = permute,
    .drop = drop,
    .read = read_rows,
    .count = count,
};
