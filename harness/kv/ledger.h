/*
 * Bits of a cache by class, counted where a record is stored, read or written, never from a
 * formula. A record that several query heads of one KV head read in a step counts once.
 */
#ifndef KVLAB_LEDGER_H
#define KVLAB_LEDGER_H

#include <stdint.h>

enum kv_class {
    KV_ROWS,   // rows kept in one piece: of codecs f32, f16, q8, and of KVO's uncompressed layers
    KV_RECENT, // KVO's recent window: keys with their pairs, values
    KV_BASES,  // codes of salient keys
    KV_DIFFS,  // codes of the differences of the other keys
    KV_VALUES, // codes of values
    KV_PAIRS,  // scales and offsets of bases, differences and values
    KV_MASKS,  // which channels or tokens are kept
    KV_INDEX,  // where a record begins, bits that fill up its last byte; what pages are chosen by
    KV_SUMS,   // received attention, which decides the order of rows
    KV_CLASSES
};

const char *kv_class_name(enum kv_class c); // "rows", "recent", ...

struct kv_ledger {
    uint64_t held[KV_CLASSES];                      // now
    uint64_t read[KV_CLASSES], written[KV_CLASSES]; // sums over all decode steps so far
    uint64_t full, read_full;                       // the same held and read by a 16-bit full cache
};

uint64_t kv_ledger_sum(const uint64_t bits[KV_CLASSES]);

#endif
