/* The f32 rows of one layer (struct kv_rows of method.h): memory and access. */
#ifndef KVLAB_ROWS_H
#define KVLAB_ROWS_H

#include "harness/kv/method.h"

void kv_rows_init(struct kv_rows *r, const struct kv_shape *shape, int cap);
void kv_rows_release(struct kv_rows *r);

/* One new row of all KV heads, flattened: k, v [n_kv_heads * head_dim]. */
void kv_rows_push(struct kv_rows *r, const struct kv_shape *shape, const float *k, const float *v);
/* The rows of src into the empty dst, which has room. */
void kv_rows_copy(struct kv_rows *dst, const struct kv_rows *src, const struct kv_shape *shape);

static inline float *kv_rows_k(const struct kv_rows *r, int head_dim, int head, int t)
{
    return r->k + ((size_t)head * (size_t)r->cap + (size_t)t) * (size_t)head_dim;
}

static inline float *kv_rows_v(const struct kv_rows *r, int head_dim, int head, int t)
{
    return r->v + ((size_t)head * (size_t)r->cap + (size_t)t) * (size_t)head_dim;
}

#endif
