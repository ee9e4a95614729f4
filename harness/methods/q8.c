/*
 * Plain INT8: each row's channels in groups with a scale and an offset, keys and values alike, by
 * the group quantizer of KVO at 8 bits. Nothing is ordered, pruned or left out of a step.
 */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/kv/meter.h"
#include "harness/kv/method.h"
#include "harness/kv/rows.h"
#include "harness/methods/int8_record.h"

struct q8_options {
    int group, symmetric, pairs;
};

static const char *const formats[] = {"f16", "f32", NULL};

#define AT(field) offsetof(struct q8_options, field)
static const struct opt options[] = {
    {"group", OPT_INT, AT(group), 1, 512, 32, NULL, NULL, NULL,
     "channels that share a scale and offset; must divide the head's channels"},
    {"symmetric", OPT_BOOL, AT(symmetric), 0, 1, 0, NULL, NULL, NULL,
     "no offset; scale by the signed maximum"},
    {"pairs", OPT_CHOICE, AT(pairs), 0, 0, 0, formats, NULL, NULL, "format of scales and offsets"},
    {0}};

static struct kvo_quant quant_of(const void *opt)
{
    const struct q8_options *o = opt;
    return (struct kvo_quant){.bits = 8,
                              .group = o->group,
                              .chunk = 1,
                              .kept = 1,
                              .clip = 1,
                              .symmetric = o->symmetric,
                              .half_pairs = o->pairs == 0};
}

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    const struct q8_options *o = opt;
    if (shape->head_dim % o->group)
        return err_user(e, "group %d does not divide the head's %d channels; %d does", o->group,
                        shape->head_dim, kvo_near_divisor(shape->head_dim, o->group));
    return 0;
}

/* One side: keys or values. */
struct side {
    uint8_t *records; // [n_kv_heads][cap][size]
};

struct q8_store {
    struct kv_part part;
    struct kvo_quant quant;
    int n, cap, before; // rows; those before the step
    size_t size;        // of a record
    struct side k, v;
    float *row; // [n_kv_heads][head_dim]: one on its way
    struct kv_meter *meters;
};

static size_t side_bytes(const struct kv_part *part, int cap)
{
    struct kvo_quant q = quant_of(part->opt);
    size_t records = mem_size((size_t)part->shape.n_kv_heads, (size_t)cap);
    return mem_size(records, int8_record_size(part->shape.head_dim, &q)) + PACKED_SLACK;
}

static size_t store_bytes(const struct kv_part *part, int cap)
{
    return 2 * side_bytes(part, cap);
}

static void *open_store(const struct kv_part *part, int cap)
{
    struct q8_store *s = xcalloc(1, sizeof *s);
    s->part = *part;
    s->quant = quant_of(part->opt);
    s->cap = cap;
    s->size = int8_record_size(part->shape.head_dim, &s->quant);
    s->k.records = mem_aligned(side_bytes(part, cap));
    s->v.records = mem_aligned(side_bytes(part, cap));
    s->row =
        mem_aligned((size_t)part->shape.n_kv_heads * (size_t)part->shape.head_dim * sizeof *s->row);
    s->meters = kv_meters_new(&part->shape, cap);
    return s;
}

static void close_store(void *store)
{
    struct q8_store *s = store;
    kv_meters_free(s->meters, &s->part.shape);
    free(s->k.records);
    free(s->v.records);
    free(s->row);
    free(s);
}

static uint8_t *record_at(const struct q8_store *s, const struct side *x, int head, int t)
{
    return x->records + ((size_t)head * (size_t)s->cap + (size_t)t) * s->size;
}

static struct int8_rows rows_at(const struct q8_store *s, const struct side *x, int head, int t)
{
    return int8_record_rows(record_at(s, x, head, t), s->size, s->part.shape.head_dim, &s->quant);
}

static void push(struct q8_store *s, const struct side *x, int head, int t, const float *row)
{
    int d = s->part.shape.head_dim;
    float *copy = s->row + head * d;
    memcpy(copy, row, (size_t)d * sizeof *row);
    int8_record_put(s->part.kernels, record_at(s, x, head, t), copy, d, &s->quant);
}

static uint64_t code_bits(const struct q8_store *s)
{
    return (uint64_t)s->part.shape.head_dim * 8;
}

static uint64_t pair_bits(const struct q8_store *s)
{
    return s->size * 8 - code_bits(s);
}

static void begin(void *store, const struct kv_rows *rows, int due)
{
    struct q8_store *s = store;
    (void)due;
    assert(s->n + rows->n <= s->cap);
    kv_meters_step(s->meters, &s->part.shape);
    s->before = s->n;
    s->n += rows->n;
}

static void append(void *store, int kv_head, const struct kv_rows *rows, const void *records)
{
    struct q8_store *s = store;
    int d = s->part.shape.head_dim;
    (void)records;
    for (int i = 0; i < rows->n; i++) {
        push(s, &s->k, kv_head, s->before + i, kv_rows_k(rows, d, kv_head, i));
        push(s, &s->v, kv_head, s->before + i, kv_rows_v(rows, d, kv_head, i));
    }
    kv_meter_write(&s->meters[kv_head], KV_ROWS, 2 * code_bits(s) * (uint64_t)rows->n);
    kv_meter_write(&s->meters[kv_head], KV_PAIRS, 2 * pair_bits(s) * (uint64_t)rows->n);
}

static void count_run(struct q8_store *s, int head, enum kv_side side, int n_q, struct kv_run run)
{
    struct kv_meter *m = &s->meters[head];
    uint64_t n =
        kv_meter_rows(m, side, n_q == s->part.shape.n_heads / s->part.shape.n_kv_heads, run);
    kv_meter_read(m, KV_ROWS, n * code_bits(s));
    kv_meter_read(m, KV_PAIRS, n * pair_bits(s));
}

static void top(void *store, int kv_head, const float *q, int n_q, struct kv_run run, int k,
                int *out, int ld, const struct kv_top_room *room)
{
    struct q8_store *s = store;
    struct int8_rows rows = rows_at(s, &s->k, kv_head, run.start);
    rows.stride *= (size_t)run.step;
    kv_meter_choose(&s->meters[kv_head]);
    s->part.kernels->scores_int8(room->scores, run.n, q, n_q, &rows, run.n, 1);
    kv_rows_top(out, ld, room->scores, n_q, run.n, k);
    count_run(s, kv_head, KV_KEY_SIDE, n_q, run);
}

static void scores(void *store, int kv_head, const float *q, int n_q, const struct kv_range *ranges,
                   int n_ranges, float divisor, float *out, int ld)
{
    struct q8_store *s = store;
    for (const struct kv_range *r = ranges; r < ranges + n_ranges; out += r->n, r++) {
        struct int8_rows rows = rows_at(s, &s->k, kv_head, r->start);
        assert(r->start + r->n <= s->n);
        s->part.kernels->scores_int8(out, ld, q, n_q, &rows, r->n, divisor);
        count_run(s, kv_head, KV_KEY_SIDE, n_q, (struct kv_run){r->start, 1, r->n});
    }
}

static void mix(void *store, int kv_head, const float *w, int ld, int n_q,
                const struct kv_range *ranges, int n_ranges, float *out)
{
    struct q8_store *s = store;
    for (const struct kv_range *r = ranges; r < ranges + n_ranges; w += r->n, r++) {
        struct int8_rows rows = rows_at(s, &s->v, kv_head, r->start);
        for (int i = 0; i < n_q; i++)
            s->part.kernels->mix_int8(out + i * s->part.shape.head_dim, w + (size_t)i * (size_t)ld,
                                      &rows, r->n);
        count_run(s, kv_head, KV_VALUE_SIDE, n_q, (struct kv_run){r->start, 1, r->n});
    }
}

static void permute(void *store, int kv_head, int from, int n, const int *order)
{
    struct q8_store *s = store;
    kv_rows_permute(record_at(s, &s->k, kv_head, from), s->size, n, order);
    kv_rows_permute(record_at(s, &s->v, kv_head, from), s->size, n, order);
}

static void drop(void *store, int row)
{
    struct q8_store *s = store;
    size_t behind = (size_t)(s->n - row - 1) * s->size;
    for (int h = 0; h < s->part.shape.n_kv_heads; h++) {
        memmove(record_at(s, &s->k, h, row), record_at(s, &s->k, h, row + 1), behind);
        memmove(record_at(s, &s->v, h, row), record_at(s, &s->v, h, row + 1), behind);
    }
    s->n--;
}

static void read_rows(const void *store, int kv_head, int from, int n, float *k, float *v)
{
    const struct q8_store *s = store;
    struct int8_rows keys = rows_at(s, &s->k, kv_head, from),
                     values = rows_at(s, &s->v, kv_head, from);
    assert(from + n <= s->n);
    s->part.kernels->widen_int8(k, &keys, n);
    s->part.kernels->widen_int8(v, &values, n);
}

static void count(const void *store, struct kv_ledger *out)
{
    const struct q8_store *s = store;
    uint64_t rows = 2 * (uint64_t)s->n * (uint64_t)s->part.shape.n_kv_heads;
    kv_meters_add(s->meters, &s->part.shape, out);
    out->held[KV_ROWS] += rows * code_bits(s);
    out->held[KV_PAIRS] += rows * pair_bits(s);
}

static void round_rows(const struct kv_part *part, struct kv_rows *rows, int from)
{
    struct kvo_quant q = quant_of(part->opt);
    int d = part->shape.head_dim;
    struct kvo_rows k = {rows->k, (size_t)rows->cap * (size_t)d, (size_t)d, part->shape.n_kv_heads,
                         d},
                    v = k;
    v.x = rows->v;
    kvo_int8_rows(&k, from, rows->n, &q);
    kvo_int8_rows(&v, from, rows->n, &q);
}

static const struct kv_codec packed = {
    .bytes = store_bytes,
    .open = open_store,
    .close = close_store,
    .begin = begin,
    .append = append,
    .top = top,
    .scores = scores,
    .mix = mix,
    .permute = permute,
    .drop = drop,
    .read = read_rows,
    .count = count,
    .round = round_rows,
};

static const struct kv_codec *codec(const void *opt, int layer)
{
    (void)opt;
    (void)layer;
    return &packed;
}

const struct kv_method method_q8 = {
    .name = "q8",
    .version = 1,
    .summary = "keys and values in 8 bits, each row by itself, a scale and offset a group",
    .cite = "round to nearest",
    .hooks = 1u << KV_CODEC,
    .opt_size = sizeof(struct q8_options),
    .options = options,
    .check = check,
    .codec = codec,
};
