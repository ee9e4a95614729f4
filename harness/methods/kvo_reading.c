#include "harness/methods/kvo_reading.h"

#include <string.h>

#include "harness/methods/kvo_chunks.h"
#include "harness/methods/kvo_windows.h"

static int chunks_of(const struct kvo_reading *r, int cap)
{
    return cap / r->chunk;
}

/* Queries as the codec meets them, and the room to choose. */
static size_t scratch_floats(const struct kvo_reading *r, const struct kv_shape *shape, int cap)
{
    size_t group = (size_t)(shape->n_heads / shape->n_kv_heads);
    return group * (size_t)shape->head_dim + kv_top_scores((int)group, chunks_of(r, cap));
}

size_t kvo_reading_scratch_size(const struct kvo_reading *r, const struct kv_shape *shape, int cap)
{
    size_t ints = (size_t)chunks_of(r, cap) * (size_t)(1 + shape->n_heads / shape->n_kv_heads);
    return scratch_floats(r, shape, cap) * sizeof(float) + ints * sizeof(int);
}

static void choose(const struct kvo_reading *r, const struct kv_part *p,
                   const struct kv_layer *layer, int kv_head, const float *q, int chunks, int n,
                   int *index)
{
    int group = p->shape.n_heads / p->shape.n_kv_heads, d = p->shape.head_dim;
    float *met = p->scratch;
    struct kv_top_room room = {met + group * d, index + group * n};
    memcpy(met, q, (size_t)(group * d) * sizeof *met);
    kv_layer_enter(layer, met, group);
    layer->codec->top(layer->store, kv_head, met, group, (struct kv_run){0, r->chunk, chunks}, n,
                      index, n, &room);
}

void kvo_reading_select(const struct kvo_reading *r, const struct kv_part *p,
                        const struct kv_layer *layer, int kv_head, const float *q,
                        struct kv_range *out, int *n_out, int ld)
{
    int compressed = p->layer >= r->first_layer ? kvo_boundary(layer->n - 1, r->window) : 0;
    int group = p->shape.n_heads / p->shape.n_kv_heads;
    int n = kvo_select_count(compressed, r->token_budget, r->chunk);
    int *index = (int *)((float *)p->scratch + scratch_floats(r, &p->shape, p->cap));
    if (compressed == 0)
        return;
    choose(r, p, layer, kv_head, q, compressed / r->chunk, n, index);
    for (int g = 0; g < group; g++, out += ld) {
        for (int i = 0; i < n; i++)
            out[i] = (struct kv_range){index[g * n + i] * r->chunk, r->chunk};
        out[n] = (struct kv_range){compressed, layer->n - compressed};
        n_out[g] = n + 1;
    }
}
