#include "harness/kv/cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/kv/cache_int.h"
#include "harness/kv/rows.h"

static size_t scratch_size(const struct kv_cache *c, int link)
{
    const struct kv_link *l = &c->chain->links[link];
    return l->method->scratch_size ? l->method->scratch_size(l->opt, &c->shape, c->cap) : 0;
}

static const struct kv_codec *codec_of(const struct kv_chain *chain, int layer)
{
    const struct kv_link *l = &chain->links[chain->owner[KV_CODEC]];
    return l->method->codec(l->opt, layer);
}

/* Bytes of a row's record, when append and codec belong together. */
static size_t record_size(const struct kv_chain *chain, const struct kv_shape *shape)
{
    int link = chain->owner[KV_APPEND];
    if (link < 0 || link != chain->owner[KV_CODEC] || !chain->links[link].method->record_size)
        return 0;
    return chain->links[link].method->record_size(chain->links[link].opt, shape);
}

static void open_layer(struct kv_cache *c, const struct kv_engine *engine, int i)
{
    struct layer *l = &c->layers[i];
    for (int k = 0; k < c->chain->n; k++) {
        const struct kv_link *link = &c->chain->links[k];
        size_t size = link->method->state_size ? link->method->state_size(link->opt, &c->shape) : 0;
        l->parts[k] = (struct kv_part){link->opt,
                                       c->shape,
                                       i,
                                       engine->kernels,
                                       xcalloc(1, size),
                                       xcalloc(1, scratch_size(c, k)),
                                       NULL};
    }
    const struct kv_codec *codec = codec_of(c->chain, i);
    struct kv_part *part = &l->parts[c->chain->owner[KV_CODEC]];
    part->arena = &c->records;
    l->record = xcalloc(1, record_size(c->chain, &c->shape));
    if (engine->floats)
        l->rows = (struct kv_layer){0, &kv_codec_reference, kv_reference_open(part, c->cap, codec)};
    else
        l->rows = (struct kv_layer){0, codec, codec->open(part, c->cap)};
}

static void open_heads(struct kv_cache *c)
{
    size_t heads = (size_t)c->shape.n_heads, cap = (size_t)c->cap;
    int link = c->chain->owner[KV_SELECT];
    c->ranges = xcalloc(mem_size(heads, cap), sizeof *c->ranges);
    c->n_ranges = xcalloc(heads, sizeof *c->n_ranges);
    c->weights = mem_aligned(mem_size(mem_size(heads, cap), sizeof(float)));
    c->select_bytes = link < 0 ? 0 : (scratch_size(c, link) + 63) / 64 * 64;
    c->select_scratch = mem_aligned(mem_size(c->select_bytes, (size_t)c->shape.n_kv_heads));
}

static size_t layer_bytes(const struct kv_chain *chain, const struct kv_shape *shape,
                          const struct kv_engine *engine, int layer, int cap)
{
    const void *opt = chain->links[chain->owner[KV_CODEC]].opt;
    struct kv_part part = {opt, *shape, layer, engine->kernels, NULL, NULL, NULL};
    const struct kv_codec *codec = engine->floats ? &kv_codec_reference : codec_of(chain, layer);
    return codec->bytes(&part, cap);
}

/* Untouched memory costs nothing: codecs that take theirs elsewhere leave it so. */
static size_t records_size(const struct kv_cache *c, const struct kv_engine *engine)
{
    size_t sum = 0;
    for (int i = 0; i < c->shape.n_layers; i++)
        sum += layer_bytes(c->chain, &c->shape, engine, i, c->cap) + KV_PIECES * mem_piece(0);
    return sum;
}

static char *content_dup(const struct kv_chain *chain)
{
    struct buf text;
    buf_init(&text);
    kv_chain_content(chain, &text);
    return text.s;
}

struct kv_cache *kv_cache_new(const struct kv_chain *chain, const struct kv_shape *shape,
                              const struct kv_engine *engine, int max_tokens)
{
    struct kv_cache *c = xcalloc(1, sizeof *c);
    assert(max_tokens > 0);
    c->chain = chain;
    c->shape = *shape;
    c->cap = max_tokens;
    c->own_record = record_size(chain, shape) > 0;
    c->content = content_dup(chain);
    c->seconds = xcalloc((size_t)shape->n_kv_heads, sizeof *c->seconds);
    c->layers = xcalloc((size_t)shape->n_layers, sizeof *c->layers);
    mem_arena_init(&c->records, records_size(c, engine));
    for (int l = 0; l < shape->n_layers; l++)
        open_layer(c, engine, l);
    open_heads(c);
    return c;
}

void kv_cache_free(struct kv_cache *c)
{
    if (!c)
        return;
    for (int l = 0; l < c->shape.n_layers; l++) {
        c->layers[l].rows.codec->close(c->layers[l].rows.store);
        for (int k = 0; k < c->chain->n; k++) {
            free(c->layers[l].parts[k].state);
            free(c->layers[l].parts[k].scratch);
        }
        free(c->layers[l].record);
    }
    mem_arena_release(&c->records);
    free(c->layers);
    free(c->content);
    free(c->seconds);
    free(c->ranges);
    free(c->n_ranges);
    free(c->weights);
    free(c->select_scratch);
    free(c);
}

size_t kv_cache_bytes(const struct kv_chain *chain, const struct kv_shape *shape,
                      const struct kv_engine *engine, int max_tokens)
{
    size_t sum = mem_size((size_t)shape->n_heads * (size_t)max_tokens,
                          sizeof(float) + sizeof(struct kv_range));
    for (int i = 0; i < shape->n_layers; i++)
        sum += layer_bytes(chain, shape, engine, i, max_tokens);
    return sum;
}

const struct kv_chain *kv_cache_chain(const struct kv_cache *c)
{
    return c->chain;
}

int kv_cache_length(const struct kv_cache *c)
{
    return c->n;
}

void kv_cache_advance(struct kv_cache *c)
{
    c->n++;
}
int kv_cache_due(const struct kv_cache *c, const struct layer *l, int n_before)
{
    int link = c->chain->owner[KV_CODEC];
    const struct kv_method *m = c->chain->links[link].method;
    return m->due ? m->due(&l->parts[link], n_before) : 0;
}

static void count_now(const struct kv_cache *c, struct kv_ledger *out)
{
    *out = (struct kv_ledger){0};
    for (int i = 0; i < c->shape.n_layers; i++) {
        const struct layer *l = &c->layers[i];
        l->rows.codec->count(l->rows.store, out);
        for (int k = 0; k < c->chain->n; k++)
            if (c->chain->links[k].method->count)
                c->chain->links[k].method->count(&l->parts[k], out);
    }
}

void kv_cache_adopted(struct kv_cache *c)
{
    c->n = c->layers[0].rows.n;
    for (int i = 0; i < c->shape.n_layers; i++)
        assert(c->layers[i].rows.n == c->n);
    count_now(c, &c->start);
}
uint64_t kv_cache_full_bits(const struct kv_cache *c, const struct layer *l)
{
    return (uint64_t)l->rows.n * (uint64_t)c->shape.n_kv_heads * (uint64_t)c->shape.head_dim * 2 *
           16;
}
double kv_cache_seconds(const struct kv_cache *c)
{
    double sum = 0;
    for (int h = 0; h < c->shape.n_kv_heads; h++)
        sum += c->seconds[h];
    return sum;
}

void kv_cache_ledger(const struct kv_cache *c, struct kv_ledger *out)
{
    count_now(c, out);
    for (int i = 0; i < KV_CLASSES; i++) {
        out->read[i] -= c->start.read[i];
        out->written[i] -= c->start.written[i];
    }
    for (int i = 0; i < c->shape.n_layers; i++)
        out->full += kv_cache_full_bits(c, &c->layers[i]);
    out->read_full = c->read_full;
}

const struct kv_layer *kv_cache_layer(const struct kv_cache *c, int layer)
{
    return &c->layers[layer].rows;
}

const void *kv_cache_state(const struct kv_cache *c, int layer, enum kv_hook hook)
{
    return c->chain->owner[hook] < 0 ? NULL : c->layers[layer].parts[c->chain->owner[hook]].state;
}

int kv_cache_ranges(const struct kv_cache *c, int head, const struct kv_range **out)
{
    *out = c->ranges + (size_t)head * (size_t)c->cap;
    return c->n_ranges[head];
}
