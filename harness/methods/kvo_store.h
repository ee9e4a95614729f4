/*
 * KVO's rows of one layer in packed form: blocks of records (kvo_record.h), the salient keys of all
 * chunks, and behind them the recent window, keys in INT8 and values uncompressed.
 */
#ifndef KVLAB_KVO_STORE_H
#define KVLAB_KVO_STORE_H

#include "harness/kv/codec.h"
#include "harness/methods/kvo_record.h"

struct kvo_store;

/* window: rows that are compressed at a time. */
struct kvo_store *kvo_store_open(const struct kv_part *part, int cap, int window,
                                 const struct kvo_quant *key, const struct kvo_quant *value);
size_t kvo_store_bytes(const struct kv_part *part, int cap, int window, const struct kvo_quant *key,
                       const struct kvo_quant *value);

/* The other functions of struct kv_codec, on a struct kvo_store. records: INT8 keys of the new
 * rows, [rows][n_kv_heads] of int8_record_size(). */
void kvo_store_close(void *store);
void kvo_store_begin(void *store, const struct kv_rows *rows, int due);
void kvo_store_append(void *store, int kv_head, const struct kv_rows *rows, const void *records);
void kvo_store_copy(void *store, const void *from);
void kvo_store_expect(const void *store, int kv_head);
/* Fast for a run of salient keys, from the first on. */
void kvo_store_top(void *store, int kv_head, const float *q, int n_q, struct kv_run run, int k,
                   int *out, int ld, const struct kv_top_room *room);
void kvo_store_scores(void *store, int kv_head, const float *q, int n_q,
                      const struct kv_range *ranges, int n_ranges, float divisor, float *out,
                      int ld);
void kvo_store_mix(void *store, int kv_head, const float *w, int ld, int n_q,
                   const struct kv_range *ranges, int n_ranges, float *out);
void kvo_store_permute(void *store, int kv_head, int from, int n, const int *order);
void kvo_store_read(const void *store, int kv_head, int from, int n, float *k, float *v);
void kvo_store_count(const void *store, struct kv_ledger *out);

#endif
