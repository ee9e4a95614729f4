/*
 * Counts what one KV head's records are read for: once in a step, however many query heads read
 * them. A unit is what a codec reads in one piece, a row or a chunk; its keys and its values are
 * told apart. Beside the cache, not part of it.
 */
#ifndef KVLAB_METER_H
#define KVLAB_METER_H

#include <stdbool.h>

#include "harness/kv/codec.h"

enum kv_side {
    KV_KEY_SIDE,
    KV_VALUE_SIDE,
    KV_BASE_SIDE, // what keys are differences to
    KV_PAIR_SIDE, // pairs that units share
    KV_SIDES
};

struct kv_meter {
    _Alignas(64) struct kv_ledger ledger; // so that two heads share no cache line
    uint32_t step;
    uint32_t marked;          // the step in which rows may be read a second time, or before
    uint32_t *seen[KV_SIDES]; // [units]: the step that read it last
    /* Of KV_BASE_SIDE: units before `scanned` were read at once in scan_step, single ones last in
     * single_step. */
    uint32_t scan_step, single_step;
    int scanned;
};

/* One for each KV head. */
struct kv_meter *kv_meters_new(const struct kv_shape *shape, int units);
void kv_meters_free(struct kv_meter *m, const struct kv_shape *shape);
void kv_meters_step(struct kv_meter *m, const struct kv_shape *shape); // a new step begins
/* Nothing has been marked in this step. */
void kv_meters_copy(struct kv_meter *to, const struct kv_meter *from, const struct kv_shape *shape);
void kv_meters_add(const struct kv_meter *m, const struct kv_shape *shape, struct kv_ledger *out);

/* Is this the first time in this step? */
static inline bool kv_meter_first(struct kv_meter *m, enum kv_side side, int unit)
{
    bool first = m->seen[side][unit] != m->step;
    m->seen[side][unit] = m->step;
    return first;
}

/* KV_BASE_SIDE, and only by these two. Is this the first time in this step? How many of the first n
 * units are read now for the first time, when all are: without a look at each, unless some were
 * read before. */
bool kv_meter_base(struct kv_meter *m, int unit);
uint64_t kv_meter_scan(struct kv_meter *m, int n);

/* Rows are read to choose some (top() of codec.h), and these will be read again: from here on in
 * this step each read looks for marks. */
static inline void kv_meter_choose(struct kv_meter *m)
{
    m->marked = m->step;
}

static inline bool kv_meter_chose(const struct kv_meter *m)
{
    return m->marked == m->step;
}

/* How many rows of the run are read now for the first time: all when the KV head's queries read
 * together, as they do it once unless they choose. */
uint64_t kv_meter_rows(struct kv_meter *m, enum kv_side side, bool together, struct kv_run run);

static inline void kv_meter_read(struct kv_meter *m, enum kv_class c, uint64_t bits)
{
    m->ledger.read[c] += bits;
}

static inline void kv_meter_write(struct kv_meter *m, enum kv_class c, uint64_t bits)
{
    m->ledger.written[c] += bits;
}

#endif
