#include "harness/methods/kvo_store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/kv/rows.h"
#include "harness/methods/kvo_store_int.h"

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
/* ---- writing ---- */

static void put_recent_value(const struct kvo_store *s, int head, int t, const float *v)
{
    uint8_t *to = value_at(s, head, t);
    if (!s->f.value.half_numbers) {
        memcpy(to, v, value_size(s));
        return;
    }
    s->part.kernels->narrow_f16((uint16_t *)(void *)to, v, s->f.d);
}

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
void kvo_store_count(const void *store, struct kv_ledger *out)
{
    const struct kvo_store *s = store;
    uint64_t heads = (uint64_t)s->part.shape.n_kv_heads, recent = (uint64_t)(s->n - s->packed);
    kv_meters_add(s->meters, &s->part.shape, out);
    count_block(s, out->held, (int)heads * (s->packed / s->f.rows));
    out->held[KV_RECENT] += heads * recent * (recent_key_bits(s) + recent_value_bits(s));
}
