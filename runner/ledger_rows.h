/*
 * From a cache's ledger to rows of table ledger: bits by class become bytes by name. Knows neither
 * caches nor the database's file.
 */
#ifndef KVLAB_LEDGER_ROWS_H
#define KVLAB_LEDGER_ROWS_H

#include "harness/kv/ledger.h"
#include "harness/store/store.h"

enum { LEDGER_ROWS_MAX = KV_CLASSES + 1 };

/* Fills out and returns how many: classes that are not all zero, in kv_class's order, bits rounded
 * up to bytes, each class for itself; then class "weights" unless both numbers are 0. */
int ledger_rows(const struct kv_ledger *l, uint64_t weights_held_bytes, uint64_t weights_read_bytes,
                struct store_ledger out[LEDGER_ROWS_MAX]);

#endif
