/* Where the rows of a watched cache come from: a position a row, which goes wherever the row goes.
 */
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/kv/cache_int.h"

static size_t positions(const struct kv_shape *inside, int n_slots, int n_layers, int cap)
{
    return mem_size(mem_size((size_t)n_layers * (size_t)n_slots, (size_t)inside->n_kv_heads),
                    (size_t)cap);
}

void kv_cache_trace(struct kv_cache *c, kv_cache_watch *watch, void *arg)
{
    size_t each = (size_t)c->inside.n_kv_heads * (size_t)c->cap;
    c->watch = watch;
    c->watch_arg = arg;
    c->at = xcalloc(positions(&c->inside, c->n_slots, c->shape.n_layers, c->cap), sizeof *c->at);
    for (int i = 0; i < c->shape.n_layers * c->n_slots; i++)
        for (int k = 0; k < c->chain->n; k++)
            c->slots[i].parts[k].at = c->at + (size_t)i * each;
}

size_t kv_cache_trace_bytes(const struct kv_chain *chain, const struct kv_shape *shape,
                            int max_tokens)
{
    int n_slots;
    struct kv_shape inside = kv_cache_slots_of(chain, shape, &n_slots);
    return mem_size(positions(&inside, n_slots, shape->n_layers, max_tokens), sizeof(int));
}

static int *of_head(const struct kv_cache *c, const struct slot *s, int kv_head)
{
    return s->parts[0].at + (size_t)kv_head * (size_t)c->cap;
}

void kv_cache_trace_prompt(const struct kv_cache *c, struct slot *s, const struct kv_kept *kept,
                           int n)
{
    for (int h = 0; c->at && h < c->inside.n_kv_heads; h++)
        for (int j = 0; j < n; j++)
            of_head(c, s, h)[j] = kept->rows ? kept->rows[j] : j;
}

void kv_cache_trace_copy(const struct kv_cache *c, struct slot *to, const struct slot *from)
{
    for (int h = 0; c->at && h < c->inside.n_kv_heads; h++)
        memcpy(of_head(c, to, h), of_head(c, from, h), (size_t)from->rows.n * sizeof(int));
}

void kv_cache_trace_row(const struct kv_cache *c, struct slot *s)
{
    for (int h = 0; c->at && h < c->inside.n_kv_heads; h++)
        of_head(c, s, h)[s->rows.n] = c->n;
}

/* Before the slot counts one row less. */
void kv_cache_trace_drop(const struct kv_cache *c, struct slot *s, int row)
{
    for (int h = 0; c->at && h < c->inside.n_kv_heads; h++) {
        int *at = of_head(c, s, h) + row;
        memmove(at, at + 1, (size_t)(s->rows.n - row - 1) * sizeof *at);
    }
}
