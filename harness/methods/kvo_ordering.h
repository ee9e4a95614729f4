/*
 * The part of KVO that orders windows: what rows received of attention, in prefill and in steps,
 * and the order that puts a chunk's salient token first. Hooks of struct kv_method for methods
 * whose options begin with a struct kvo_ordering and whose state is a struct kvo_state.
 */
#ifndef KVLAB_KVO_ORDERING_H
#define KVLAB_KVO_ORDERING_H

#include "harness/kv/method.h"
#include "harness/methods/kvo_observe.h"

struct kvo_ordering {
    int window, chunk, order, first_layer;
};

/* Of one slot; what tests may look at is in kvo.h. */
struct kvo_state {
    int ordered;    // rows before it are ordered, or due for compression
    int packed;     // rows before it are compressed
    uint64_t moved; // bits of the sums that steps have read, and written again
    float sums[];   // [n_kv_heads][2 * window] attention received by the rows from `ordered` on
};

static inline bool kvo_works_here(const struct kv_part *p)
{
    return p->layer >= ((const struct kvo_ordering *)p->opt)->first_layer;
}

size_t kvo_ordering_state_size(const void *opt, const struct kv_shape *shape, int cap);
size_t kvo_ordering_scratch_size(const void *opt, const struct kv_shape *shape, int cap);
void kvo_ordering_observe_key(const void *opt, const struct kv_shape *shape, int layer,
                              int n_prompt, struct buf *out);
void *kvo_ordering_observe_new(const void *opt, const struct kv_shape *shape, int n_prompt);
void kvo_ordering_adopt(const struct kv_part *p, struct kv_rows *rows, const struct kv_kept *kept,
                        const void *seen);
void kvo_ordering_observe_step(const struct kv_part *p, int head, const struct kv_range *ranges,
                               int n_ranges, const float *weights);
int kvo_ordering_step_end(const struct kv_part *p, const struct kv_layer *layer);
void kvo_ordering_count(const struct kv_part *p, struct kv_ledger *out);

/* All of them but the sizes. */
#define KVO_ORDERING_HOOKS                                                                         \
    .observe_key = kvo_ordering_observe_key, .observe_new = kvo_ordering_observe_new,              \
    .observe_rows = kvo_seen_rows, .observe_free = kvo_seen_free, .adopt = kvo_ordering_adopt,     \
    .observe_step = kvo_ordering_observe_step, .step_end = kvo_ordering_step_end,                  \
    .count = kvo_ordering_count

#endif
