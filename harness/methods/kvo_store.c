#include "harness/methods/kvo_store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/kv/meter.h"
#include "harness/kv/rows.h"
#include "harness/methods/kvo_scan.h"

enum { AHEAD = 3 }; // chunks that are asked for before their turn

/* A block of one head on its way into records. */
struct way {
    struct kvo_work work;
    float *k, *v;     // [block rows][d]
    uint8_t *records; // [block chunks][base_size]: its salient keys
    int next_group;   // of values whose pairs the step has not read yet
};

struct kvo_store {
    struct kv_part part;
    struct kvo_format f;
    int n, packed, cap;     // rows; compressed ones
    int before, was_packed; // the same before the step
    int max_chunks, window; // chunks that fit; recent rows that fit
    size_t max_blocks;
    uint8_t *memory;        // of what follows, unless it is the cache's
    uint8_t *tiles;         // [n_kv_heads] of kvo_scan_bytes(): of the bases
    struct kvo_scan *bases; // [n_kv_heads]
    uint8_t *blocks;        // [n_kv_heads][max_chunks / chunks][block_size]
    uint8_t *keys;          // [n_kv_heads][window][base_size]: the recent rows
    uint8_t *values;        // [n_kv_heads][window][d] of f16 or f32
    struct way *ways;       // [n_kv_heads]
    float *tile;            // [n_kv_heads][tile_size]: a chunk decoded, and room to decode it
    size_t tile_size;
    struct kv_meter *meters;
};

static size_t number_size(const struct kvo_store *s)
{
    return s->f.value.half_numbers ? sizeof(uint16_t) : sizeof(float);
}

static size_t value_size(const struct kvo_store *s)
{
    return (size_t)s->f.d * number_size(s);
}

/* ---- memory ---- */

struct sizes {
    size_t bases, blocks, keys, values;
};

static struct sizes sizes_of(const struct kvo_store *s)
{
    size_t heads = (size_t)s->part.shape.n_kv_heads, chunks = (size_t)s->max_chunks;
    return (struct sizes){
        mem_size(heads, mem_piece(kvo_scan_bytes(s->f.d, &s->f.key, s->max_chunks))),
        mem_size(heads * chunks / (size_t)s->f.chunks, s->f.block_size) + PACKED_SLACK,
        mem_size(heads * (size_t)s->window, s->f.base_size) + PACKED_SLACK,
        mem_size(heads * (size_t)s->window, value_size(s)) + PACKED_SLACK};
}

/* All that follows from the settings. */
static void plan(struct kvo_store *s, const struct kv_part *part, int cap, int window,
                 const struct kvo_quant *key, const struct kvo_quant *value)
{
    *s = (struct kvo_store){.part = *part, .cap = cap};
    kvo_format_init(&s->f, key, value, part->shape.head_dim);
    s->max_blocks = (size_t)((cap + s->f.rows - 1) / s->f.rows);
    s->max_chunks = (int)s->max_blocks * s->f.chunks;
    s->window = cap < 2 * window ? cap : 2 * window;
}

size_t kvo_store_bytes(const struct kv_part *part, int cap, int window, const struct kvo_quant *key,
                       const struct kvo_quant *value)
{
    struct kvo_store s;
    plan(&s, part, cap, window, key, value);
    struct sizes z = sizes_of(&s);
    return z.bases + z.blocks + z.keys + z.values;
}

static void take_memory(struct kvo_store *s, const struct sizes *z)
{
    struct mem_arena own, *arena = s->part.arena;
    if (!arena) {
        arena = &own;
        mem_arena_init(arena, mem_piece(z->bases) + mem_piece(z->blocks) + mem_piece(z->keys) +
                                  mem_piece(z->values));
        s->memory = (uint8_t *)own.at;
    }
    s->tiles = mem_arena_take(arena, z->bases);
    s->blocks = mem_arena_take(arena, z->blocks);
    s->keys = mem_arena_take(arena, z->keys);
    s->values = mem_arena_take(arena, z->values);
}

struct kvo_store *kvo_store_open(const struct kv_part *part, int cap, int window,
                                 const struct kvo_quant *key, const struct kvo_quant *value)
{
    struct kvo_store *s = xmalloc(sizeof *s);
    plan(s, part, cap, window, key, value);
    struct sizes z = sizes_of(s);
    size_t d = (size_t)s->f.d, tiles = z.bases / (size_t)part->shape.n_kv_heads;
    take_memory(s, &z);
    s->bases = xcalloc((size_t)part->shape.n_kv_heads, sizeof *s->bases);
    for (int h = 0; h < part->shape.n_kv_heads; h++)
        kvo_scan_init(&s->bases[h], s->f.d, key, part->shape.n_heads / part->shape.n_kv_heads,
                      s->tiles + (size_t)h * tiles);
    s->ways = xcalloc((size_t)part->shape.n_kv_heads, sizeof *s->ways);
    for (int h = 0; h < part->shape.n_kv_heads; h++) {
        kvo_work_init(&s->ways[h].work, &s->f);
        s->ways[h].k = mem_aligned((size_t)s->f.rows * d * sizeof(float));
        s->ways[h].v = mem_aligned((size_t)s->f.rows * d * sizeof(float));
        s->ways[h].records = mem_aligned((size_t)s->f.chunks * s->f.base_size);
    }
    s->tile_size = ((size_t)s->f.key.chunk * d + kvo_scratch_size(&s->f) + 15) / 16 * 16;
    s->tile = mem_aligned((size_t)part->shape.n_kv_heads * s->tile_size * sizeof(float));
    /* Chunks and recent rows; of pairs, value groups, which may be smaller than chunks. */
    int units = s->max_chunks + s->window, groups = s->max_chunks / s->f.chunks * s->f.groups;
    s->meters = kv_meters_new(&part->shape, units > groups ? units : groups);
    return s;
}

void kvo_store_close(void *store)
{
    struct kvo_store *s = store;
    kv_meters_free(s->meters, &s->part.shape);
    for (int h = 0; h < s->part.shape.n_kv_heads; h++) {
        kvo_work_release(&s->ways[h].work);
        free(s->ways[h].k);
        free(s->ways[h].v);
        free(s->ways[h].records);
        kvo_scan_release(&s->bases[h]);
    }
    free(s->ways);
    free(s->bases);
    free(s->memory);
    free(s->tile);
    free(s);
}

/* ---- where things are ---- */

static uint8_t *block_at(const struct kvo_store *s, int head, int block)
{
    return s->blocks + ((size_t)head * s->max_blocks + (size_t)block) * s->f.block_size;
}

/* Row t, which is not compressed. */
static uint8_t *key_at(const struct kvo_store *s, int head, int t)
{
    size_t row = (size_t)head * (size_t)s->window + (size_t)(t - s->packed);
    return s->keys + row * s->f.base_size;
}

static uint8_t *value_at(const struct kvo_store *s, int head, int t)
{
    size_t row = (size_t)head * (size_t)s->window + (size_t)(t - s->packed);
    return s->values + row * value_size(s);
}

static float *tile_of(const struct kvo_store *s, int head)
{
    return s->tile + (size_t)head * s->tile_size;
}

/* kvo_scratch_size() behind the chunk. */
static float *scratch_of(const struct kvo_store *s, int head)
{
    return tile_of(s, head) + s->f.key.chunk * s->f.d;
}

static uint64_t recent_key_bits(const struct kvo_store *s)
{
    return s->f.base_size * 8;
}

static uint64_t recent_value_bits(const struct kvo_store *s)
{
    return value_size(s) * 8;
}

/* n rows of values as they are kept uncompressed. */
static void get_values(const struct kvo_store *s, float *out, const void *from, int n)
{
    if (s->f.value.half_numbers)
        s->part.kernels->widen_f16(out, from, (long)n * s->f.d);
    else
        memcpy(out, from, (size_t)n * value_size(s));
}

static void put_recent_value(const struct kvo_store *s, int head, int t, const float *v)
{
    uint8_t *to = value_at(s, head, t);
    if (!s->f.value.half_numbers) {
        memcpy(to, v, value_size(s));
        return;
    }
    s->part.kernels->narrow_f16((uint16_t *)(void *)to, v, s->f.d);
}

static struct int8_rows recent_keys(const struct kvo_store *s, int head, int t)
{
    return int8_record_rows(key_at(s, head, t), s->f.base_size, s->f.d, &s->f.key);
}

/* ---- writing ---- */

/* What blocks hold: written when they are made. */
static void count_block(const struct kvo_store *s, uint64_t bits[KV_CLASSES], int n_blocks)
{
    struct kvo_bits b;
    uint64_t n = (uint64_t)n_blocks, bases = n * (uint64_t)s->f.chunks;
    kvo_block_bits(&s->f, &b);
    bits[KV_BASES] += bases * (uint64_t)s->f.d * 8;
    bits[KV_PAIRS] += n * b.pairs + bases * (s->f.base_size - (size_t)s->f.d) * 8;
    bits[KV_DIFFS] += n * b.keys;
    bits[KV_VALUES] += n * b.values;
    bits[KV_MASKS] += n * b.masks;
    bits[KV_INDEX] += n * b.index;
}

/* w->k, w->v as the block that begins at row t. */
static void put_block(struct kvo_store *s, int head, int t)
{
    int block = t / s->f.rows, chunks = s->f.chunks;
    struct way *w = &s->ways[head];
    kvo_block_put(&s->f, s->part.kernels, &w->work, w->records, block_at(s, head, block), w->k,
                  w->v);
    for (int j = 0; j < chunks; j++)
        kvo_scan_put(&s->bases[head], block * chunks + j, w->records + (size_t)j * s->f.base_size);
    count_block(s, s->meters[head].ledger.written, 1);
}

/* Where a recent row was when `packed` rows were compressed. */
static size_t place(const struct kvo_store *s, int head, int t, int packed)
{
    return (size_t)head * (size_t)s->window + (size_t)(t - packed);
}

/* Recent rows up to s->packed become blocks, and the others move up. */
static void pack_recent(struct kvo_store *s, int head)
{
    struct way *w = &s->ways[head];
    size_t key = s->f.base_size, value = value_size(s), to = place(s, head, 0, 0);
    size_t left = (size_t)(s->before - s->packed), from = place(s, head, s->packed, s->was_packed);
    for (int t = s->was_packed; t < s->packed; t += s->f.rows) {
        size_t at = place(s, head, t, s->was_packed);
        struct int8_rows keys = int8_record_rows(s->keys + at * key, key, s->f.d, &s->f.key);
        s->part.kernels->widen_int8(w->k, &keys, s->f.rows);
        get_values(s, w->v, s->values + at * value, s->f.rows);
        put_block(s, head, t);
    }
    kv_meter_read(&s->meters[head], KV_RECENT,
                  (uint64_t)(s->packed - s->was_packed) *
                      (recent_key_bits(s) + recent_value_bits(s)));
    memmove(s->keys + to * key, s->keys + from * key, left * key);
    memmove(s->values + to * value, s->values + from * value, left * value);
}

/* Values arrive as they are kept uncompressed, whatever becomes of them. */
static void take_block(struct kvo_store *s, const struct kv_rows *rows, int head, int t)
{
    struct way *w = &s->ways[head];
    size_t n = (size_t)s->f.rows * (size_t)s->f.d;
    memcpy(w->k, kv_rows_k(rows, s->f.d, head, t), n * sizeof *w->k);
    memcpy(w->v, kv_rows_v(rows, s->f.d, head, t), n * sizeof *w->v);
    if (s->f.value.half_numbers)
        kv_rows_halve(s->part.kernels, w->v, n);
    put_block(s, head, t);
}

/* Row i of the new ones; its key comes as a record. */
static void push_recent(struct kvo_store *s, const struct kv_rows *rows, const uint8_t *records,
                        int head, int i, int t)
{
    size_t record = (size_t)i * (size_t)s->part.shape.n_kv_heads + (size_t)head;
    memcpy(key_at(s, head, t), records + record * s->f.base_size, s->f.base_size);
    put_recent_value(s, head, t, kv_rows_v(rows, s->f.d, head, i));
    kv_meter_write(&s->meters[head], KV_RECENT, recent_key_bits(s) + recent_value_bits(s));
}

void kvo_store_begin(void *store, const struct kv_rows *rows, int due)
{
    struct kvo_store *s = store;
    assert(s->n + rows->n <= s->cap && due % s->f.rows == 0);
    assert(due <= s->n || s->n == 0); // a prompt, or rows that are here
    kv_meters_step(s->meters, &s->part.shape);
    s->before = s->n;
    s->was_packed = s->packed;
    s->n += rows->n;
    s->packed = due > s->packed ? due : s->packed;
    assert(s->n - s->packed <= s->window);
}

void kvo_store_append(void *store, int kv_head, const struct kv_rows *rows, const void *records)
{
    struct kvo_store *s = store;
    int first = s->before == 0 ? s->packed : 0; // of the new rows: those before are packed
    assert(records);
    s->ways[kv_head].next_group = 0;
    if (s->before && s->packed > s->was_packed)
        pack_recent(s, kv_head);
    for (int t = 0; t < first; t += s->f.rows)
        take_block(s, rows, kv_head, t);
    for (int i = first; i < rows->n; i++)
        push_recent(s, rows, records, kv_head, i, s->before + i);
}

static void copy_head(struct kvo_store *to, const struct kvo_store *from, int head)
{
    size_t blocks = (size_t)(from->packed / from->f.rows),
           recent = (size_t)(from->n - from->packed);
    int t = from->packed;
    memcpy(block_at(to, head, 0), block_at(from, head, 0), blocks * from->f.block_size);
    kvo_scan_copy(&to->bases[head], &from->bases[head], (int)blocks * from->f.chunks);
    memcpy(key_at(to, head, t), key_at(from, head, t), recent * from->f.base_size);
    memcpy(value_at(to, head, t), value_at(from, head, t), recent * value_size(from));
}

void kvo_store_copy(void *store, const void *source)
{
    struct kvo_store *to = store;
    const struct kvo_store *from = source;
    assert(to->n == 0 && from->before == 0 && from->n <= to->cap);
    assert(to->f.block_size == from->f.block_size && to->f.base_size == from->f.base_size);
    to->n = from->n;
    to->packed = from->packed;
    kv_meters_copy(to->meters, from->meters, &from->part.shape);
    for (int h = 0; h < from->part.shape.n_kv_heads; h++)
        copy_head(to, from, h);
}

void kvo_store_permute(void *store, int kv_head, int from, int n, const int *order)
{
    struct kvo_store *s = store;
    assert(from >= s->packed && from + n <= s->n);
    kv_rows_permute(key_at(s, kv_head, from), s->f.base_size, n, order);
    kv_rows_permute(value_at(s, kv_head, from), value_size(s), n, order);
}

/* ---- reading ---- */

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

void kvo_store_top(void *store, int kv_head, const float *q, int n_q, struct kv_run run, int k,
                   int *out, int ld, const struct kv_top_room *room)
{
    struct kvo_store *s = store;
    int c = s->f.key.chunk;
    assert(run.start == 0 && run.step == c && run.n * c <= s->packed);
    kvo_scan_top(&s->bases[kv_head], s->part.kernels, q, n_q, run.n, k, out, ld, room);
    count_bases(s, kv_head, kv_meter_scan(&s->meters[kv_head], run.n));
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
static bool selected_once(const struct kvo_store *s, int n_q, const struct kv_range *r)
{
    return together(s, n_q) && r->n == s->f.key.chunk && r->start % r->n == 0;
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
        bool fresh = selected_once(s, n_q, &ranges[i]);
        if (i + AHEAD < n_ranges)
            expect(s, kv_head, &ranges[i + AHEAD]);
        for (int n, t = ranges[i].start; t < end; t += n, out += n) {
            n = piece_of(s, t, end);
            piece_scores(s, kv_head, q, n_q, t, n, fresh, divisor, out, ld);
        }
    }
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
        bool fresh = selected_once(s, n_q, &ranges[i]);
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

void kvo_store_count(const void *store, struct kv_ledger *out)
{
    const struct kvo_store *s = store;
    uint64_t heads = (uint64_t)s->part.shape.n_kv_heads, recent = (uint64_t)(s->n - s->packed);
    kv_meters_add(s->meters, &s->part.shape, out);
    count_block(s, out->held, (int)heads * (s->packed / s->f.rows));
    out->held[KV_RECENT] += heads * recent * (recent_key_bits(s) + recent_value_bits(s));
}
