#include "harness/kv/tile_store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/kv/rows.h"

/* Keys or values of all heads. Rows before `packed` are in tiles, the others in the tail, whose
 * first place has row `base`. */
struct half {
    struct kv_tiles form;
    size_t tile_bytes, head_bytes;
    uint8_t *tiles; // [n_kv_heads][head_bytes]
    uint16_t *tail; // [n_kv_heads][tail_cap][head_dim]
    int tail_cap;
    int packed, base, was_packed, was_base; // was: before the step
};

struct tile_store {
    struct kv_part part;
    const struct kv_tile_form *form;
    struct half half[2]; // KV_KEY_SIDE, KV_VALUE_SIDE
    int n, cap, before;  // rows; those before the step
    size_t room;         // floats of a head
    float *rooms;        // [n_kv_heads][room]: rows on their way, then what pack and unpack need
    struct kv_meter *meters;
};

int kv_tile_packed(const struct kv_tiles *t, int due, int n)
{
    switch (t->when) {
    case KV_TILE_ARRIVAL:
        return n;
    case KV_TILE_BLOCKS:
        return due / t->wait * t->wait;
    case KV_TILE_ALL_BUT:
        return due > t->wait ? due - t->wait : 0;
    case KV_TILE_DUE:
        return due;
    case KV_TILE_NEVER:
        break;
    }
    return 0;
}

int kv_tile_due(const struct kv_part *part, int n_before)
{
    (void)part;
    return n_before;
}

/* ---- memory ---- */

/* Of rows that are kept one by one the tail is made longer, so that it moves seldom. */
static int tail_rows(const struct kv_tiles *t, int cap)
{
    int most = t->when == KV_TILE_ARRIVAL   ? 0
               : t->when == KV_TILE_BLOCKS  ? t->wait + 1
               : t->when == KV_TILE_ALL_BUT ? 2 * (t->wait + 1)
                                            : cap;
    return most < cap ? most : cap;
}

static size_t tile_bytes(const struct kv_tiles *t)
{
    return (size_t)t->rows * (t->code_bytes + (t->pairs_shared ? 0 : t->pair_bytes)) +
           (t->pairs_shared ? t->pair_bytes : 0);
}

static size_t head_bytes(const struct kv_tiles *t, int cap)
{
    size_t tiles = ((size_t)cap + (size_t)t->rows - 1) / (size_t)t->rows;
    return t->when == KV_TILE_NEVER ? 0 : mem_size(tiles, tile_bytes(t));
}

static size_t half_bytes(const struct kv_part *part, const struct kv_tiles *t, int cap)
{
    size_t row = (size_t)part->shape.head_dim * sizeof(uint16_t);
    size_t tail = mem_size((size_t)tail_rows(t, cap), row);
    return mem_size((size_t)part->shape.n_kv_heads, head_bytes(t, cap) + tail);
}

size_t kv_tile_bytes(const struct kv_part *part, int cap, const struct kv_tile_form *form)
{
    size_t sum = 0;
    for (int side = 0; side < 2; side++) {
        struct kv_tiles t = {0};
        form->tiles(part, (enum kv_side)side, &t);
        sum += half_bytes(part, &t, cap) + PACKED_SLACK;
    }
    return sum;
}

static void open_half(struct tile_store *s, enum kv_side side)
{
    struct half *x = &s->half[side];
    size_t heads = (size_t)s->part.shape.n_kv_heads, d = (size_t)s->part.shape.head_dim;
    s->form->tiles(&s->part, side, &x->form);
    x->tile_bytes = tile_bytes(&x->form);
    x->head_bytes = head_bytes(&x->form, s->cap);
    x->tail_cap = tail_rows(&x->form, s->cap);
    x->tiles = mem_aligned(heads * x->head_bytes + PACKED_SLACK);
    x->tail = mem_aligned(heads * (size_t)x->tail_cap * d * sizeof *x->tail);
}

void *kv_tile_open(const struct kv_part *part, int cap, const struct kv_tile_form *form)
{
    struct tile_store *s = xcalloc(1, sizeof *s);
    s->part = *part;
    s->form = form;
    s->cap = cap;
    open_half(s, KV_KEY_SIDE);
    open_half(s, KV_VALUE_SIDE);
    int most = KV_TILE_PIECE;
    for (int i = 0; i < 2; i++)
        most = s->half[i].form.rows > most ? s->half[i].form.rows : most;
    s->room = (size_t)(most + KV_TILE_ROOM) * (size_t)part->shape.head_dim;
    s->rooms = mem_aligned((size_t)part->shape.n_kv_heads * s->room * sizeof *s->rooms);
    s->meters = kv_meters_new(&part->shape, 2 * cap + 4);
    return s;
}

void kv_tile_close(void *store)
{
    struct tile_store *s = store;
    kv_meters_free(s->meters, &s->part.shape);
    for (int i = 0; i < 2; i++) {
        free(s->half[i].tiles);
        free(s->half[i].tail);
    }
    free(s->rooms);
    free(s);
}

/* Row t of a head and some after it, in its tile. x: the head's room, whose end is the tile's. */
static struct kv_tile tile_at(const struct tile_store *s, enum kv_side side, int kv_head, int t,
                              int n, float *x)
{
    const struct half *h = &s->half[side];
    size_t tile = (size_t)(t / h->form.rows);
    return (struct kv_tile){
        .part = &s->part,
        .side = side,
        .form = &h->form,
        .kv_head = kv_head,
        .data = h->tiles + (size_t)kv_head * h->head_bytes + tile * h->tile_bytes,
        .at = t % h->form.rows,
        .n = n,
        .room = x + s->room - (size_t)KV_TILE_ROOM * (size_t)s->part.shape.head_dim};
}

static uint16_t *tail_at(const struct tile_store *s, const struct half *x, int kv_head, int place)
{
    size_t row = (size_t)kv_head * (size_t)x->tail_cap + (size_t)place;
    return x->tail + row * (size_t)s->part.shape.head_dim;
}

static float *room_of(const struct tile_store *s, int kv_head)
{
    return s->rooms + (size_t)kv_head * s->room;
}

/* ---- what is counted ---- */

static uint64_t tail_bits(const struct tile_store *s)
{
    return (uint64_t)s->part.shape.head_dim * 16;
}

static enum kv_class tail_class(const struct half *x)
{
    return x->form.when == KV_TILE_NEVER ? KV_ROWS : KV_RECENT;
}

/* Tiles of keys and of values are told apart, and behind them what a head shares. */
static bool tile_first(struct tile_store *s, enum kv_side side, int kv_head, int tile)
{
    return kv_meter_first(&s->meters[kv_head], KV_PAIR_SIDE, (int)side * (s->cap + 2) + tile);
}

static void count_pairs(struct tile_store *s, enum kv_side side, int kv_head, struct kv_run run,
                        uint64_t rows)
{
    const struct kv_tiles *t = &s->half[side].form;
    uint64_t units = t->pairs_shared ? 0 : rows;
    for (int i = 0, last = -1; t->pairs_shared && i < run.n; i++) {
        int tile = (run.start + i * run.step) / t->rows;
        units += tile != last && tile_first(s, side, kv_head, tile);
        last = tile;
    }
    kv_meter_read(&s->meters[kv_head], KV_PAIRS, units * t->pair_bytes * 8);
}

static void count_packed(struct tile_store *s, enum kv_side side, int kv_head, int n_q,
                         struct kv_run run)
{
    struct kv_meter *m = &s->meters[kv_head];
    const struct kv_tiles *t = &s->half[side].form;
    bool together = n_q == s->part.shape.n_heads / s->part.shape.n_kv_heads;
    uint64_t rows = kv_meter_rows(m, side, together, run);
    kv_meter_read(m, KV_ROWS, rows * t->code_bytes * 8);
    count_pairs(s, side, kv_head, run, rows);
    if (t->shared_bits && run.n && tile_first(s, side, kv_head, s->cap + 1))
        kv_meter_read(m, KV_MASKS, t->shared_bits);
}

static void count_tail(struct tile_store *s, enum kv_side side, int kv_head, int n_q,
                       struct kv_run run)
{
    struct kv_meter *m = &s->meters[kv_head];
    bool together = n_q == s->part.shape.n_heads / s->part.shape.n_kv_heads;
    kv_meter_read(m, tail_class(&s->half[side]),
                  tail_bits(s) * kv_meter_rows(m, side, together, run));
}

void kv_tile_count(const void *store, struct kv_ledger *out)
{
    const struct tile_store *s = store;
    uint64_t heads = (uint64_t)s->part.shape.n_kv_heads;
    kv_meters_add(s->meters, &s->part.shape, out);
    for (int i = 0; i < 2; i++) {
        const struct half *x = &s->half[i];
        uint64_t packed = (uint64_t)x->packed, tile = (uint64_t)x->form.rows;
        uint64_t pairs = x->form.pairs_shared ? (packed + tile - 1) / tile : packed;
        out->held[KV_ROWS] += heads * packed * x->form.code_bytes * 8;
        out->held[KV_PAIRS] += heads * pairs * x->form.pair_bytes * 8;
        out->held[KV_MASKS] += packed ? heads * x->form.shared_bits : 0;
        out->held[tail_class(x)] += heads * (uint64_t)(s->n - x->packed) * tail_bits(s);
    }
}

/* ---- rows come ---- */

/* The tail begins anew when what is left of it and what comes has no room behind it. */
static void begin_half(struct half *x, int due, int before, int n)
{
    int packed = kv_tile_packed(&x->form, due, n);
    x->was_packed = x->packed;
    x->was_base = x->base;
    x->packed = packed > x->packed ? packed : x->packed;
    if (x->packed >= before || n - x->base > x->tail_cap)
        x->base = x->packed;
}

void kv_tile_begin(void *store, const struct kv_rows *rows, int due)
{
    struct tile_store *s = store;
    assert(s->n + rows->n <= s->cap);
    kv_meters_step(s->meters, &s->part.shape);
    s->before = s->n;
    s->n += rows->n;
    for (int i = 0; i < 2; i++)
        begin_half(&s->half[i], due, s->before, s->n);
}

static const float *row_of(const struct tile_store *s, const struct kv_rows *rows,
                           enum kv_side side, int kv_head, int t)
{
    int d = s->part.shape.head_dim;
    return side == KV_KEY_SIDE ? kv_rows_k(rows, d, kv_head, t - s->before)
                               : kv_rows_v(rows, d, kv_head, t - s->before);
}

/* Row t as it is to be packed: from the tail, or one that comes. */
static void take_row(struct tile_store *s, enum kv_side side, int kv_head, int t,
                     const struct kv_rows *rows, float *out)
{
    const struct half *x = &s->half[side];
    int d = s->part.shape.head_dim;
    if (t < s->before) {
        s->part.kernels->widen_f16(out, tail_at(s, x, kv_head, t - x->was_base), d);
        kv_meter_read(&s->meters[kv_head], KV_RECENT, tail_bits(s));
        return;
    }
    memcpy(out, row_of(s, rows, side, kv_head, t), (size_t)d * sizeof *out);
    if (x->form.when != KV_TILE_ARRIVAL)
        kv_rows_halve(s->part.kernels, out, (size_t)d);
}

static void pack_rows(struct tile_store *s, enum kv_side side, int kv_head,
                      const struct kv_rows *rows)
{
    const struct half *h = &s->half[side];
    int unit = h->form.when == KV_TILE_BLOCKS ? h->form.rows : 1;
    float *x = room_of(s, kv_head);
    for (int t = h->was_packed; t < h->packed; t += unit) {
        struct kv_tile tile = tile_at(s, side, kv_head, t, unit, x);
        for (int i = 0; i < unit; i++)
            take_row(s, side, kv_head, t + i, rows, x + i * s->part.shape.head_dim);
        s->form->pack(&tile, x);
    }
    uint64_t n = (uint64_t)(h->packed - h->was_packed);
    uint64_t pairs = h->form.pairs_shared ? n / (uint64_t)h->form.rows : n;
    kv_meter_write(&s->meters[kv_head], KV_ROWS, n * h->form.code_bytes * 8);
    kv_meter_write(&s->meters[kv_head], KV_PAIRS, pairs * h->form.pair_bytes * 8);
}

/* After packing: what stays in the tail moves to its begin, and new rows come behind it. */
static void keep_tail(struct tile_store *s, enum kv_side side, int kv_head,
                      const struct kv_rows *rows)
{
    const struct half *x = &s->half[side];
    int d = s->part.shape.head_dim, first = x->packed > s->before ? x->packed : s->before;
    if (x->base != x->was_base && x->packed < s->before)
        memmove(tail_at(s, x, kv_head, x->packed - x->base),
                tail_at(s, x, kv_head, x->packed - x->was_base),
                (size_t)(s->before - x->packed) * (size_t)d * sizeof *x->tail);
    for (int t = first; t < s->n; t++)
        s->part.kernels->narrow_f16(tail_at(s, x, kv_head, t - x->base),
                                    row_of(s, rows, side, kv_head, t), d);
    kv_meter_write(&s->meters[kv_head], tail_class(x), tail_bits(s) * (uint64_t)(s->n - first));
}

void kv_tile_append(void *store, int kv_head, const struct kv_rows *rows, const void *records)
{
    struct tile_store *s = store;
    (void)records;
    for (int i = 0; i < 2; i++) {
        pack_rows(s, (enum kv_side)i, kv_head, rows);
        keep_tail(s, (enum kv_side)i, kv_head, rows);
    }
}

/* ---- rows are read ---- */

/* Some rows from t on, before `end`: those of one tile, or of the tail. */
static int piece_at(const struct half *x, int t, int end)
{
    int most = end - t;
    if (t >= x->packed)
        return most;
    int in_tile = x->form.rows - t % x->form.rows;
    most = most < in_tile ? most : in_tile;
    most = most < x->packed - t ? most : x->packed - t;
    return most < KV_TILE_PIECE ? most : KV_TILE_PIECE;
}

/* x: the head's room. Returns packed rows as floats there. */
static const float *unpack(const struct tile_store *s, enum kv_side side, int kv_head, int t, int n,
                           float *x)
{
    struct kv_tile tile = tile_at(s, side, kv_head, t, n, x);
    s->form->unpack(&tile, x);
    return x;
}

/* Of the rows t to t + n - 1, all packed or all in the tail. */
static void score_piece(const struct tile_store *s, int kv_head, const float *q, int n_q, int t,
                        int n, float divisor, float *out, int ld)
{
    const struct half *x = &s->half[KV_KEY_SIDE];
    const struct kernels *kn = s->part.kernels;
    int d = s->part.shape.head_dim;
    const float *rows =
        t < x->packed ? unpack(s, KV_KEY_SIDE, kv_head, t, n, room_of(s, kv_head)) : NULL;
    for (int i = 0; i < n_q; i++) {
        float *to = out + (size_t)i * (size_t)ld;
        if (rows)
            kn->scores(to, q + i * d, rows, n, d, divisor);
        else
            kn->scores_f16(to, q + i * d, tail_at(s, x, kv_head, t - x->base), n, d, divisor);
    }
}

static void mix_piece(const struct tile_store *s, int kv_head, const float *w, int ld, int n_q,
                      int t, int n, float *out)
{
    const struct half *x = &s->half[KV_VALUE_SIDE];
    const struct kernels *kn = s->part.kernels;
    int d = s->part.shape.head_dim;
    const float *rows =
        t < x->packed ? unpack(s, KV_VALUE_SIDE, kv_head, t, n, room_of(s, kv_head)) : NULL;
    for (int i = 0; i < n_q; i++) {
        const float *by = w + (size_t)i * (size_t)ld;
        if (rows)
            kn->mix(out + i * d, by, rows, n, d);
        else
            kn->mix_f16(out + i * d, by, tail_at(s, x, kv_head, t - x->base), n, d);
    }
}

/* The part of a range that is packed, and the rest of it. */
static void count_range(struct tile_store *s, enum kv_side side, int kv_head, int n_q,
                        struct kv_range r)
{
    int end = r.start + r.n, packed = s->half[side].packed;
    int middle = packed < r.start ? r.start : packed < end ? packed : end;
    assert(end <= s->n);
    count_packed(s, side, kv_head, n_q, (struct kv_run){r.start, 1, middle - r.start});
    count_tail(s, side, kv_head, n_q, (struct kv_run){middle, 1, end - middle});
}

void kv_tile_scores(void *store, int kv_head, const float *q, int n_q,
                    const struct kv_range *ranges, int n_ranges, float divisor, float *out, int ld)
{
    struct tile_store *s = store;
    for (const struct kv_range *r = ranges; r < ranges + n_ranges; r++) {
        count_range(s, KV_KEY_SIDE, kv_head, n_q, *r);
        for (int t = r->start, n; t < r->start + r->n; t += n, out += n) {
            n = piece_at(&s->half[KV_KEY_SIDE], t, r->start + r->n);
            score_piece(s, kv_head, q, n_q, t, n, divisor, out, ld);
        }
    }
}

void kv_tile_mix(void *store, int kv_head, const float *w, int ld, int n_q,
                 const struct kv_range *ranges, int n_ranges, float *out)
{
    struct tile_store *s = store;
    for (const struct kv_range *r = ranges; r < ranges + n_ranges; r++) {
        count_range(s, KV_VALUE_SIDE, kv_head, n_q, *r);
        for (int t = r->start, n; t < r->start + r->n; t += n, w += n) {
            n = piece_at(&s->half[KV_VALUE_SIDE], t, r->start + r->n);
            mix_piece(s, kv_head, w, ld, n_q, t, n, out);
        }
    }
}

void kv_tile_top(void *store, int kv_head, const float *q, int n_q, struct kv_run run, int k,
                 int *out, int ld, const struct kv_top_room *room)
{
    struct tile_store *s = store;
    kv_meter_choose(&s->meters[kv_head]);
    for (int j = 0; j < run.n; j++) {
        int t = run.start + j * run.step;
        score_piece(s, kv_head, q, n_q, t, 1, 1, room->scores + j, run.n);
        if (run.step != 1)
            count_range(s, KV_KEY_SIDE, kv_head, n_q, (struct kv_range){t, 1});
    }
    if (run.step == 1)
        count_range(s, KV_KEY_SIDE, kv_head, n_q, (struct kv_range){run.start, run.n});
    kv_rows_top(out, ld, room->scores, n_q, run.n, k);
}

/* ---- the rest ---- */

static void move_row(const struct tile_store *s, enum kv_side side, int kv_head, int to, int from)
{
    struct kv_tile a = tile_at(s, side, kv_head, to, 1, s->rooms);
    struct kv_tile b = tile_at(s, side, kv_head, from, 1, s->rooms);
    memcpy(kv_tile_codes(&a), kv_tile_codes(&b), a.form->code_bytes);
    memcpy(kv_tile_pairs(&a), kv_tile_pairs(&b), a.form->pair_bytes);
}

void kv_tile_drop(void *store, int row)
{
    struct tile_store *s = store;
    assert(row >= 0 && row < s->n);
    for (int i = 0; i < 2; i++) {
        assert(s->half[i].form.when == KV_TILE_ARRIVAL && !s->half[i].form.pairs_shared);
        for (int h = 0; h < s->part.shape.n_kv_heads; h++)
            for (int t = row; t + 1 < s->n; t++)
                move_row(s, (enum kv_side)i, h, t, t + 1);
        s->half[i].packed--;
    }
    s->n--;
}

static void read_half(const struct tile_store *s, enum kv_side side, int kv_head, int from, int n,
                      float *out)
{
    const struct half *x = &s->half[side];
    int d = s->part.shape.head_dim;
    for (int t = from, m; t < from + n; t += m, out += (size_t)m * (size_t)d) {
        m = piece_at(x, t, from + n);
        if (t < x->packed)
            memcpy(out, unpack(s, side, kv_head, t, m, room_of(s, kv_head)),
                   (size_t)m * (size_t)d * sizeof *out);
        else
            s->part.kernels->widen_f16(out, tail_at(s, x, kv_head, t - x->base), (long)m * d);
    }
}

void kv_tile_read(const void *store, int kv_head, int from, int n, float *k, float *v)
{
    const struct tile_store *s = store;
    assert(from + n <= s->n);
    read_half(s, KV_KEY_SIDE, kv_head, from, n, k);
    read_half(s, KV_VALUE_SIDE, kv_head, from, n, v);
    if (s->form->leave) {
        s->form->leave(&s->part, k, n);
        s->form->leave(&s->part, v, n);
    }
}

void kv_tile_round(const struct kv_part *part, struct kv_rows *rows, int from,
                   const struct kv_tile_form *form)
{
    int d = part->shape.head_dim;
    size_t count = (size_t)(rows->n - from) * (size_t)d;
    for (int i = 0; i < 2; i++) {
        struct kv_tiles t = {0};
        form->tiles(part, (enum kv_side)i, &t);
        for (int h = 0; t.when != KV_TILE_ARRIVAL && h < part->shape.n_kv_heads; h++)
            kv_rows_halve(part->kernels,
                          i == KV_KEY_SIDE ? kv_rows_k(rows, d, h, from)
                                           : kv_rows_v(rows, d, h, from),
                          count);
    }
}
