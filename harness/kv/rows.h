/*
 * Rows in one piece: struct kv_rows of codec.h, and the store that keeps them as f32 or f16 (the
 * codecs kv_codec_f32, kv_codec_f16 and kv_codec_reference).
 */
#ifndef KVLAB_ROWS_H
#define KVLAB_ROWS_H

#include "harness/kv/codec.h"

void kv_rows_init(struct kv_rows *r, const struct kv_shape *shape, int cap);
void kv_rows_release(struct kv_rows *r);

/* n more rows: row from + i of every head of src. */
void kv_rows_push(struct kv_rows *r, const struct kv_shape *shape, const struct kv_rows *src,
                  int from, int n);
/* One row of all KV heads, flattened, as rows. */
struct kv_rows kv_rows_one(float *k, float *v);

/* Row j becomes what row order[j] was; row_bytes is at most KV_ROW_BYTES_MAX. */
enum { KV_ROW_BYTES_MAX = 8192 };
void kv_rows_permute(void *rows, size_t row_bytes, int n, const int *order);
/* Whoever permutes rows from..from+n-1 of a KV head of its slot, in adopt() or in a step, says so:
 * where their positions are traced, these go along. */
void kv_rows_permuted(const struct kv_part *part, int kv_head, int from, int n, const int *order);

/* f32 numbers to the nearest that f16 has, in place. */
void kv_rows_halve(const struct kernels *kn, float *x, size_t n);

/* top() of codec.h from all scores [n_q][n]. */
void kv_rows_top(int *out, int ld, const float *scores, int n_q, int n, int k);

static inline float *kv_rows_k(const struct kv_rows *r, int head_dim, int head, int t)
{
    return r->k + ((size_t)head * (size_t)r->cap + (size_t)t) * (size_t)head_dim;
}

static inline float *kv_rows_v(const struct kv_rows *r, int head_dim, int head, int t)
{
    return r->v + ((size_t)head * (size_t)r->cap + (size_t)t) * (size_t)head_dim;
}

#endif
