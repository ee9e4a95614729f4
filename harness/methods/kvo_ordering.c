#include "harness/methods/kvo_ordering.h"

#include <assert.h>

#include "harness/kv/rows.h"
#include "harness/methods/kvo.h"
#include "harness/methods/kvo_windows.h"

int kvo_state_ordered(const void *state)
{
    return ((const struct kvo_state *)state)->ordered;
}

int kvo_state_packed(const void *state)
{
    return ((const struct kvo_state *)state)->packed;
}

const float *kvo_state_sums(const void *state)
{
    return ((const struct kvo_state *)state)->sums;
}

size_t kvo_ordering_state_size(const void *opt, const struct kv_shape *shape, int cap)
{
    const struct kvo_ordering *o = opt;
    size_t sums = (size_t)shape->n_kv_heads * 2 * (size_t)o->window;
    (void)cap;
    return sizeof(struct kvo_state) + sums * sizeof(float);
}

static float *sums_of(const struct kv_part *p, int kv_head)
{
    const struct kvo_ordering *o = p->opt;
    struct kvo_state *s = p->state;
    return s->sums + (size_t)kv_head * 2 * (size_t)o->window;
}

/* Scores and an order of rows. */
struct scratch {
    float *score;
    int *index;
};

static size_t scratch_rows(const void *opt, int cap)
{
    const struct kvo_ordering *o = opt;
    return (size_t)(cap > 2 * o->window ? cap : 2 * o->window);
}

size_t kvo_ordering_scratch_size(const void *opt, const struct kv_shape *shape, int cap)
{
    (void)shape;
    return scratch_rows(opt, cap) * (sizeof(float) + sizeof(int));
}

static struct scratch scratch_of(const struct kv_part *p)
{
    struct scratch s = {.score = p->scratch};
    s.index = (int *)(s.score + scratch_rows(p->opt, p->cap));
    return s;
}

/* ---- prefill ---- */

void kvo_ordering_observe_key(const void *opt, const struct kv_shape *shape, int layer,
                              int n_prompt, struct buf *out)
{
    const struct kvo_ordering *o = opt;
    (void)shape;
    if (o->order && layer >= o->first_layer && kvo_boundary(n_prompt, o->window) > 0)
        buf_printf(out, "kvo: windows of %d", o->window);
}

void *kvo_ordering_observe_new(const void *opt, const struct kv_shape *shape, int n_prompt)
{
    const struct kvo_ordering *o = opt;
    return kvo_seen_new(shape, n_prompt, o->window);
}

void kvo_ordering_adopt(const struct kv_part *p, struct kv_rows *rows, const struct kv_kept *kept,
                        const void *seen)
{
    const struct kvo_ordering *o = p->opt;
    struct kvo_state *state = p->state;
    struct scratch s = scratch_of(p);
    int d = p->shape.head_dim;
    size_t row = (size_t)d * sizeof(float);
    (void)kept;
    if (!seen)
        return;
    state->ordered = kvo_boundary(rows->n, o->window);
    for (int h = 0; h < p->shape.n_kv_heads; h++) {
        kvo_seen_group(seen, p->kv_head + h, s.score, sums_of(p, h));
        kvo_order_chunks(s.index, s.score, 0, state->ordered, o->chunk);
        kv_rows_permute(kv_rows_k(rows, d, h, 0), row, state->ordered, s.index);
        kv_rows_permute(kv_rows_v(rows, d, h, 0), row, state->ordered, s.index);
        kv_rows_permuted(p, h, 0, state->ordered, s.index);
    }
}

/* ---- steps ---- */

/* Of the rows that are not ordered yet, those that were read. */
void kvo_ordering_observe_step(const struct kv_part *p, int head, const struct kv_range *ranges,
                               int n_ranges, const float *weights)
{
    const struct kvo_ordering *o = p->opt;
    const struct kvo_state *state = p->state;
    float *sums = sums_of(p, head / (p->shape.n_heads / p->shape.n_kv_heads));
    if (!o->order || !kvo_works_here(p))
        return;
    for (const struct kv_range *r = ranges; r < ranges + n_ranges; weights += r->n, r++) {
        int past = state->ordered > r->start ? state->ordered - r->start : 0;
        assert(r->start + r->n - state->ordered <= 2 * o->window);
        if (past < r->n)
            kvo_sums_add(sums + r->start + past - state->ordered, weights + past, r->n - past);
    }
}

int kvo_ordering_step_end(const struct kv_part *p, const struct kv_layer *layer)
{
    const struct kvo_ordering *o = p->opt;
    struct kvo_state *state = p->state;
    struct scratch s = scratch_of(p);
    int heads = p->shape.n_kv_heads, recent = layer->n - state->ordered;
    if (!o->order || !kvo_works_here(p))
        return layer->n;
    state->moved += (uint64_t)heads * (uint64_t)recent * sizeof(float) * 8;
    if (!kvo_window_due(layer->n, state->ordered, o->window))
        return layer->n;
    for (int h = 0; h < heads; h++) {
        kvo_order_chunks(s.index, sums_of(p, h), 0, o->window, o->chunk);
        layer->codec->permute(layer->store, h, state->ordered, o->window, s.index);
        kv_rows_permuted(p, h, state->ordered, o->window, s.index);
        kvo_sums_shift(sums_of(p, h), o->window);
    }
    state->ordered += o->window;
    return state->ordered - o->window;
}

void kvo_ordering_count(const struct kv_part *p, struct kv_ledger *out)
{
    const struct kvo_ordering *o = p->opt;
    const struct kvo_state *state = p->state;
    if (!o->order || !kvo_works_here(p))
        return;
    out->held[KV_SUMS] += (uint64_t)p->shape.n_kv_heads * 2 * (uint64_t)o->window * 32;
    out->read[KV_SUMS] += state->moved;
    out->written[KV_SUMS] += state->moved;
}
