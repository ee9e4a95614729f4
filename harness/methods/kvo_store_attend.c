/* Attention over a layer's packed rows, and what a step reads of them. */
#include "harness/methods/kvo_store.h"

#include <assert.h>
#include <string.h>

#include "harness/kv/rows.h"
#include "harness/methods/kvo_store_int.h"

enum { AHEAD = 3 }; // chunks that are asked for before their turn

static void add_bits(struct kv_meter *m, const struct kvo_bits *b)
{
    kv_meter_read(m, KV_DIFFS, b->keys);
    kv_meter_read(m, KV_VALUES, b->values);
    kv_meter_read(m, KV_PAIRS, b->pairs);
    kv_meter_read(m, KV_MASKS, b->masks);
    kv_meter_read(m, KV_INDEX, b->index);
}

/* A salient key is read with all others or with its chunk: once a step. */
static void count_bases(struct kvo_store *s, int head, uint64_t n)
{
    kv_meter_read(&s->meters[head], KV_BASES, n * (uint64_t)s->f.d * 8);
    kv_meter_read(&s->meters[head], KV_PAIRS, n * (s->f.base_size - (size_t)s->f.d) * 8);
}

/* Do all queries of the head read it now? Then it is the first time in this step: nobody reads a
 * row twice. Marks are needed, and cost a miss each, where a group's queries read one by one. */
static bool together(const struct kvo_store *s, int n_q)
{
    return n_q == s->part.shape.n_heads / s->part.shape.n_kv_heads;
}

static void count_recent(struct kvo_store *s, int head, enum kv_side side, int n_q, int from, int n,
                         uint64_t bits)
{
    struct kv_meter *m = &s->meters[head];
    struct kv_run run = {s->max_chunks + from - s->packed, 1, n};
    kv_meter_read(m, KV_RECENT, kv_meter_rows(m, side, together(s, n_q), run) * bits);
}

/* fresh: they are read for the first time in this step. */
static void count_keys(struct kvo_store *s, int head, int chunk, bool fresh,
                       const struct kvo_bits *bits)
{
    if (!fresh && !kv_meter_first(&s->meters[head], KV_KEY_SIDE, chunk))
        return;
    add_bits(&s->meters[head], bits);
    count_bases(s, head, kv_meter_base(&s->meters[head], chunk));
}

/* Keys of a chunk into the head's tile. */
static const float *chunk_keys(struct kvo_store *s, int head, int chunk, bool fresh)
{
    float *tile = tile_of(s, head);
    struct kvo_bits bits = {0};
    kvo_scan_key(&s->bases[head], s->part.kernels, chunk, tile);
    kvo_keys_get(&s->f, s->part.kernels, block_at(s, head, chunk / s->f.chunks),
                 chunk % s->f.chunks, tile, scratch_of(s, head), &bits);
    count_keys(s, head, chunk, fresh, &bits);
    return tile;
}

/* A whole chunk for one query. */
static void chunk_scores(struct kvo_store *s, int head, int chunk, bool fresh, const float *q,
                         float divisor, float *out)
{
    float *base = tile_of(s, head);
    struct kvo_bits bits = {0};
    kvo_scan_key(&s->bases[head], s->part.kernels, chunk, base);
    kvo_keys_score(&s->f, s->part.kernels, block_at(s, head, chunk / s->f.chunks),
                   chunk % s->f.chunks, base, q, divisor, out, scratch_of(s, head), &bits);
    count_keys(s, head, chunk, fresh, &bits);
}

/* The pairs of a value group serve all of its chunks. Fresh chunks come in order. */
static void count_value_pairs(struct kvo_store *s, int head, int chunk, bool fresh)
{
    int c = s->f.key.chunk, g = s->f.value.group, *next = &s->ways[head].next_group;
    uint64_t first = 0;
    if (!s->f.groups)
        return;
    for (int t = chunk * c; t < (chunk + 1) * c; t += g)
        first += fresh ? t / g >= *next : kv_meter_first(&s->meters[head], KV_PAIR_SIDE, t / g);
    *next = ((chunk + 1) * c - 1) / g + 1;
    kv_meter_read(&s->meters[head], KV_PAIRS, first * s->f.pairs_size / (size_t)s->f.groups * 8);
}

static void count_values(struct kvo_store *s, int head, int chunk, bool fresh,
                         const struct kvo_bits *bits)
{
    if (!fresh && !kv_meter_first(&s->meters[head], KV_VALUE_SIDE, chunk))
        return;
    add_bits(&s->meters[head], bits);
    count_value_pairs(s, head, chunk, fresh);
}

static const float *chunk_values(struct kvo_store *s, int head, int chunk, bool fresh)
{
    float *tile = tile_of(s, head);
    struct kvo_bits bits = {0};
    kvo_values_get(&s->f, s->part.kernels, block_at(s, head, chunk / s->f.chunks),
                   chunk % s->f.chunks, tile, scratch_of(s, head), &bits);
    count_values(s, head, chunk, fresh, &bits);
    return tile;
}

static void chunk_mix(struct kvo_store *s, int head, int chunk, bool fresh, const float *w,
                      struct kvo_value_room *room, float *out)
{
    struct kvo_bits bits = {0};
    kvo_values_mix(&s->f, s->part.kernels, block_at(s, head, chunk / s->f.chunks),
                   chunk % s->f.chunks, w, out, room, &bits);
    count_values(s, head, chunk, fresh, &bits);
}

static void expect_all(const uint8_t *from, size_t n)
{
    for (size_t i = 0; i < n; i += 64)
        __builtin_prefetch(from + i, 0, 2);
}

void kvo_store_expect(const void *store, int kv_head)
{
    const struct kvo_store *s = store;
    size_t chunks = (size_t)(s->packed / s->f.key.chunk), recent = (size_t)(s->n - s->packed);
    expect_all(s->bases[kv_head].data, chunks * s->f.base_size);
    expect_all(key_at(s, kv_head, s->packed), recent * s->f.base_size);
    expect_all(value_at(s, kv_head, s->packed), recent * value_size(s));
}

static void expect(const struct kvo_store *s, int head, const struct kv_range *r)
{
    int block = r->start / s->f.rows, chunk = (r->start - block * s->f.rows) / s->f.key.chunk;
    if (r->start < s->packed)
        kvo_record_expect(&s->f, block_at(s, head, block), chunk);
}

/* The part of the range that begins at row t and lies in one chunk, or in the recent window. */
static int piece_of(const struct kvo_store *s, int t, int end)
{
    int c = s->f.key.chunk, stop = t < s->packed ? (t / c + 1) * c : end;
    return (stop < end ? stop : end) - t;
}

/* One chunk as it was selected, by the only query of its head. */
static bool selected_once(const struct kvo_store *s, int head, int n_q, const struct kv_range *r)
{
    return together(s, n_q) && !kv_meter_chose(&s->meters[head]) && r->n == s->f.key.chunk &&
           r->start % r->n == 0;
}

static void piece_scores(struct kvo_store *s, int head, const float *q, int n_q, int t, int n,
                         bool fresh, float divisor, float *out, int ld)
{
    const struct kernels *kn = s->part.kernels;
    int c = s->f.key.chunk, d = s->f.d;
    if (t >= s->packed) {
        struct int8_rows keys = recent_keys(s, head, t);
        kn->scores_int8(out, ld, q, n_q, &keys, n, divisor);
        count_recent(s, head, KV_KEY_SIDE, n_q, t, n, recent_key_bits(s));
        return;
    }
    if (n_q == 1 && n == c && kvo_scores_packed(&s->f)) {
        chunk_scores(s, head, t / c, fresh, q, divisor, out);
        return;
    }
    const float *keys = chunk_keys(s, head, t / c, fresh) + t % c * d;
    for (int i = 0; i < n_q; i++)
        kn->scores(out + (size_t)i * (size_t)ld, q + i * d, keys, n, d, divisor);
}

void kvo_store_scores(void *store, int kv_head, const float *q, int n_q,
                      const struct kv_range *ranges, int n_ranges, float divisor, float *out,
                      int ld)
{
    struct kvo_store *s = store;
    for (int i = 0; i < n_ranges && i < AHEAD; i++)
        expect(s, kv_head, &ranges[i]);
    for (int i = 0; i < n_ranges; i++) {
        int end = ranges[i].start + ranges[i].n;
        bool fresh = selected_once(s, kv_head, n_q, &ranges[i]);
        if (i + AHEAD < n_ranges)
            expect(s, kv_head, &ranges[i + AHEAD]);
        for (int n, t = ranges[i].start; t < end; t += n, out += n) {
            n = piece_of(s, t, end);
            piece_scores(s, kv_head, q, n_q, t, n, fresh, divisor, out, ld);
        }
    }
}

/* A run of salient keys of all compressed chunks from the first on. */
static bool are_salient(const struct kvo_store *s, struct kv_run run)
{
    int c = s->f.key.chunk;
    return run.start == 0 && run.step == c && run.n * c <= s->packed;
}

/* Any rows, one by one. */
static void top_of_rows(struct kvo_store *s, int head, const float *q, int n_q, struct kv_run run,
                        int k, int *out, int ld, const struct kv_top_room *room)
{
    kv_meter_choose(&s->meters[head]);
    for (int j = 0; j < run.n; j++)
        piece_scores(s, head, q, n_q, run.start + j * run.step, 1, false, 1, room->scores + j,
                     run.n);
    kv_rows_top(out, ld, room->scores, n_q, run.n, k);
}

void kvo_store_top(void *store, int kv_head, const float *q, int n_q, struct kv_run run, int k,
                   int *out, int ld, const struct kv_top_room *room)
{
    struct kvo_store *s = store;
    if (!are_salient(s, run)) {
        top_of_rows(s, kv_head, q, n_q, run, k, out, ld, room);
        return;
    }
    kvo_scan_top(&s->bases[kv_head], s->part.kernels, q, n_q, run.n, k, out, ld, room);
    count_bases(s, kv_head, kv_meter_scan(&s->meters[kv_head], run.n));
}

static void recent_mix(struct kvo_store *s, int head, const float *w, int t, int n, float *out)
{
    const void *rows = value_at(s, head, t);
    if (s->f.value.half_numbers)
        s->part.kernels->mix_f16(out, w, rows, n, s->f.d);
    else
        s->part.kernels->mix(out, w, rows, n, s->f.d);
}

static void piece_mix(struct kvo_store *s, int head, const float *w, int ld, int n_q, int t, int n,
                      bool fresh, struct kvo_value_room *room, float *out)
{
    int c = s->f.key.chunk, d = s->f.d;
    if (t >= s->packed) {
        for (int i = 0; i < n_q; i++)
            recent_mix(s, head, w + (size_t)i * (size_t)ld, t, n, out + i * d);
        count_recent(s, head, KV_VALUE_SIDE, n_q, t, n, recent_value_bits(s));
        return;
    }
    if (n_q == 1 && n == c && kvo_mixes_packed(&s->f)) {
        chunk_mix(s, head, t / c, fresh, w, room, out);
        return;
    }
    room->from = NULL; // what follows works in the same scratch
    const float *values = chunk_values(s, head, t / c, fresh) + t % c * d;
    for (int i = 0; i < n_q; i++)
        s->part.kernels->mix(out + i * d, w + (size_t)i * (size_t)ld, values, n, d);
}

void kvo_store_mix(void *store, int kv_head, const float *w, int ld, int n_q,
                   const struct kv_range *ranges, int n_ranges, float *out)
{
    struct kvo_store *s = store;
    struct kvo_value_room room = {scratch_of(s, kv_head), NULL};
    for (int i = 0; i < n_ranges; i++) {
        int end = ranges[i].start + ranges[i].n;
        bool fresh = selected_once(s, kv_head, n_q, &ranges[i]);
        for (int n, t = ranges[i].start; t < end; t += n, w += n) {
            n = piece_of(s, t, end);
            piece_mix(s, kv_head, w, ld, n_q, t, n, fresh, &room, out);
        }
    }
}

/* Rows t..t+n-1 of one chunk, or of the recent window. */
static void read_piece(const struct kvo_store *s, int head, int t, int n, float *k, float *v)
{
    const struct kernels *kn = s->part.kernels;
    int c = s->f.key.chunk, d = s->f.d, chunk = t / c;
    if (t >= s->packed) {
        struct int8_rows keys = recent_keys(s, head, t);
        kn->widen_int8(k, &keys, n);
        get_values(s, v, value_at(s, head, t), n);
        return;
    }
    struct kvo_bits ignored = {0};
    const uint8_t *block = block_at(s, head, chunk / s->f.chunks);
    float *tile = tile_of(s, head), *scratch = scratch_of(s, head);
    size_t from = (size_t)(t % c * d), bytes = (size_t)n * (size_t)d * sizeof *k;
    kvo_scan_key(&s->bases[head], kn, chunk, tile);
    kvo_keys_get(&s->f, kn, block, chunk % s->f.chunks, tile, scratch, &ignored);
    memcpy(k, tile + from, bytes);
    kvo_values_get(&s->f, kn, block, chunk % s->f.chunks, tile, scratch, &ignored);
    memcpy(v, tile + from, bytes);
}

void kvo_store_read(const void *store, int kv_head, int from, int n, float *k, float *v)
{
    const struct kvo_store *s = store;
    assert(from + n <= s->n);
    for (int piece, t = from; t < from + n; t += piece) {
        piece = piece_of(s, t, from + n);
        size_t at = (size_t)(t - from) * (size_t)s->f.d;
        read_piece(s, kv_head, t, piece, k + at, v + at);
    }
}
