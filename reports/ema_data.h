/*
 * What the ema report shows, as numbers: bytes of the cache by class, summed over the items of a
 * setting whose contexts have about the same length. Items without a ledger or without a decode
 * step are counted and left out.
 */
#ifndef KVLAB_EMA_DATA_H
#define KVLAB_EMA_DATA_H

#include "reports/report.h"

/* Classes of table ledger; weights are no part of the cache. */
enum ema_class {
    EMA_ROWS,
    EMA_RECENT,
    EMA_BASES,
    EMA_DIFFS,
    EMA_VALUES,
    EMA_PAIRS,
    EMA_MASKS,
    EMA_INDEX,
    EMA_SUMS,
    EMA_CACHE_CLASSES,
    EMA_WEIGHTS = EMA_CACHE_CLASSES,
    EMA_CLASSES
};

const char *ema_class_name(enum ema_class c);

/* Bytes of one kind, summed over items: by class, and what a full 16-bit cache would have. */
struct ema_bytes {
    double of[EMA_CLASSES];
    double full, dense_full; // dense_full: of `full`, what the uncompressed layers have
};

/* Items whose mean context is next to the same power of two. */
struct ema_bin {
    int items;
    double steps;   // of all items
    double context; // summed over the steps
    double tokens;  // in the cache at the end, summed over the items
    struct ema_bytes held, read, written;
};

enum { EMA_BINS = 40 };

struct ema_row {
    int64_t run;
    char *name, *method;
    struct ema_bin bin[EMA_BINS]; // [k]: about 2^k tokens; items 0: nothing there
};

/* One model under one protocol. */
struct ema_table {
    int64_t model, protocol;
    char *model_name, *protocol_name;
    struct ema_row *row;
    int n_rows;
    bool has[EMA_CLASSES]; // any row holds or reads something of the class
};

struct ema_data {
    char *name; // of the experiment
    struct ema_table *table;
    int n_tables;
    int left_out; // finished items
};

/* ERR_USER when no item can be shown. */
int ema_data_load(struct ema_data *d, struct store *s, const struct report_request *r,
                  struct err *e);
void ema_data_release(struct ema_data *d);

/* ---- what follows from the numbers ---- */

double ema_sum(const struct ema_bytes *b); // of the cache's classes

/* How much less than a full cache, as a share of it; NaN where it says nothing. */
enum ema_view {
    EMA_AS_IS,
    EMA_NO_METADATA, // without pairs, masks and index
    EMA_PACKED,      // only layers that the setting compresses; NaN: there are none
    EMA_COMPOSED,    // EMA_PACKED as if 2 of 32 layers were full
    EMA_VIEWS
};
double ema_less(const struct ema_bytes *b, enum ema_view view);

#endif
