/*
 * A codec that is two functions: a store whose rows lie in tiles, which are unpacked some rows at a
 * time and multiplied by the kernels.
 *
 * Keys and values of a head each have tiles of a few rows: codes row by row, then the numbers that
 * decode them (pairs), of each row or of the whole tile. A form says how large these are, when rows
 * become packed, and what pack and unpack do. Rows that are not packed yet wait as f16. What
 * unpack writes must be what the codec's reference writes, bit for bit.
 *
 * The codec's method needs due = kv_tile_due, unless it says itself which rows are packed
 * (KV_TILE_DUE).
 */
#ifndef KVLAB_TILE_STORE_H
#define KVLAB_TILE_STORE_H

#include "harness/kv/meter.h"
#include "harness/kv/method.h"

enum kv_tile_when {
    KV_TILE_ARRIVAL, // when they come: no row waits
    KV_TILE_BLOCKS,  // `wait` rows at once, at the step after the last of them has come
    KV_TILE_ALL_BUT, // those before the last `wait` of the rows that were there before the step
    KV_TILE_DUE,     // rows before due()
    KV_TILE_NEVER
};

/* Keys or values. */
struct kv_tiles {
    enum kv_tile_when when;
    int wait;
    int rows;             // of a tile; ARRIVAL, ALL_BUT, DUE: packed one by one, BLOCKS: at once
    size_t code_bytes;    // of a row
    size_t pair_bytes;    // of a row, or of the tile
    bool pairs_shared;    // of the tile
    uint64_t shared_bits; // of a head, read in each step: which channels are stored
};

/* One tile of a head, to be packed or unpacked: rows at, at + 1, ... of it. */
struct kv_tile {
    const struct kv_part *part;
    enum kv_side side; // KV_KEY_SIDE or KV_VALUE_SIDE
    const struct kv_tiles *form;
    int kv_head; // of the slot
    uint8_t *data;
    int at, n;
    float *room; // [KV_TILE_ROOM][head_dim]
};
enum { KV_TILE_PIECE = 32, KV_TILE_ROOM = 2 * KV_TILE_PIECE };

/* Where the codes of the tile's row `at` begin, and its pairs. */
static inline uint8_t *kv_tile_codes(const struct kv_tile *t)
{
    return t->data + (size_t)t->at * t->form->code_bytes;
}

static inline uint8_t *kv_tile_pairs(const struct kv_tile *t)
{
    return t->data + (size_t)t->form->rows * t->form->code_bytes +
           (t->form->pairs_shared ? 0 : (size_t)t->at * t->form->pair_bytes);
}

struct kv_tile_form {
    void (*tiles)(const struct kv_part *part, enum kv_side side, struct kv_tiles *out);
    /* n rows x [n][head_dim]: 1, or the whole tile. */
    void (*pack)(const struct kv_tile *t, const float *x);
    /* out [n][head_dim], n <= KV_TILE_PIECE */
    void (*unpack)(const struct kv_tile *t, float *out);
    void (*leave)(const struct kv_part *part, float *x, int n); // as the codec's, or NULL
};

/* Rows that are packed when `due` is what the method said and n rows are there. */
int kv_tile_packed(const struct kv_tiles *t, int due, int n);
/* due() of a method: all rows that were there before the step. */
int kv_tile_due(const struct kv_part *part, int n_before);

/* For the hooks of a codec that name a form. */
size_t kv_tile_bytes(const struct kv_part *part, int cap, const struct kv_tile_form *form);
void *kv_tile_open(const struct kv_part *part, int cap, const struct kv_tile_form *form);

/* The other hooks. KV_TILE_HOOKS: of a codec; .drop = kv_tile_drop where all rows are packed one by
 * one on arrival, with codes that fill bytes. */
void kv_tile_close(void *store);
void kv_tile_begin(void *store, const struct kv_rows *rows, int due);
void kv_tile_append(void *store, int kv_head, const struct kv_rows *rows, const void *records);
void kv_tile_top(void *store, int kv_head, const float *q, int n_q, struct kv_run run, int k,
                 int *out, int ld, const struct kv_top_room *room);
void kv_tile_scores(void *store, int kv_head, const float *q, int n_q,
                    const struct kv_range *ranges, int n_ranges, float divisor, float *out, int ld);
void kv_tile_mix(void *store, int kv_head, const float *w, int ld, int n_q,
                 const struct kv_range *ranges, int n_ranges, float *out);
void kv_tile_drop(void *store, int row);
void kv_tile_read(const void *store, int kv_head, int from, int n, float *k, float *v);
void kv_tile_count(const void *store, struct kv_ledger *out);

#define KV_TILE_HOOKS                                                                              \
    .close = kv_tile_close, .begin = kv_tile_begin, .append = kv_tile_append, .top = kv_tile_top,  \
    .scores = kv_tile_scores, .mix = kv_tile_mix, .read = kv_tile_read, .count = kv_tile_count

/* The reference's round(): rows from `from` on, of sides that wait, as f16. */
void kv_tile_round(const struct kv_part *part, struct kv_rows *rows, int from,
                   const struct kv_tile_form *form);

#endif
