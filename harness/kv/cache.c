#include "harness/kv/cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/kv/cache_int.h"
#include "harness/kv/rows.h"

static const struct kv_codec *codec_of(const struct kv_chain *chain, int layer)
{
    const struct kv_link *l = &chain->links[chain->owner[KV_CODEC]];
    return l->method->codec(l->opt, layer);
}

/* Bytes of a row's record, of all KV heads. */
static size_t record_size(const struct kv_chain *chain, const struct kv_shape *shape)
{
    int link = chain->owner[KV_APPEND];
    if (link < 0 || link != chain->owner[KV_CODEC] || !chain->links[link].method->record_size)
        return 0;
    return chain->links[link].method->record_size(chain->links[link].opt, shape);
}

static size_t scratch_size(const struct kv_cache *c, int link)
{
    const struct kv_link *l = &c->chain->links[link];
    return l->method->scratch_size ? l->method->scratch_size(l->opt, &c->inside, c->cap) : 0;
}

/* The part of a link in slot i of a layer, without memory. */
static struct kv_part part_of(const struct kv_cache *c, const struct kv_engine *engine, int link,
                              int layer, int i)
{
    int unit = i * c->inside.n_kv_heads;
    return (struct kv_part){.opt = c->chain->links[link].opt,
                            .shape = c->inside,
                            .layer = layer,
                            .head = i * c->inside.n_heads,
                            .kv_head = kv_cache_source(c, unit),
                            .cap = c->cap,
                            .kernels = engine->kernels,
                            .rope = &c->rope};
}

static void open_slot(struct kv_cache *c, const struct kv_engine *engine, int layer, int i)
{
    struct slot *s = &kv_cache_slots(c, layer)[i];
    for (int k = 0; k < c->chain->n; k++) {
        const struct kv_link *l = &c->chain->links[k];
        size_t size = l->method->state_size ? l->method->state_size(l->opt, &c->inside, c->cap) : 0;
        s->parts[k] = part_of(c, engine, k, layer, i);
        s->parts[k].state = xcalloc(1, size);
        s->parts[k].scratch = xcalloc(1, scratch_size(c, k));
    }
    const struct kv_codec *codec = codec_of(c->chain, layer);
    struct kv_part *part = &s->parts[c->chain->owner[KV_CODEC]];
    part->arena = &c->records;
    s->codec = codec;
    s->rows = (struct kv_layer){.codec = codec, .basis = codec, .part = part};
    if (engine->floats)
        s->rows.codec = &kv_codec_reference;
    s->rows.store =
        engine->floats ? kv_reference_open(part, c->cap, codec) : codec->open(part, c->cap);
}

/* append() takes the rows of all heads, whoever keeps them. */
static void open_append(struct kv_cache *c, const struct kv_engine *engine)
{
    int link = c->chain->owner[KV_APPEND];
    c->append = xcalloc((size_t)c->shape.n_layers, sizeof *c->append);
    c->row_record = xcalloc(1, c->record);
    for (int l = 0; l < c->shape.n_layers && link >= 0; l++) {
        c->append[l] = part_of(c, engine, link, l, 0);
        c->append[l].shape = c->shape;
    }
}

static void open_heads(struct kv_cache *c)
{
    size_t heads = (size_t)c->shape.n_heads, cap = (size_t)c->cap;
    int link = c->chain->owner[KV_SELECT];
    c->ranges = xcalloc(mem_size(heads, cap), sizeof *c->ranges);
    c->n_ranges = xcalloc(heads, sizeof *c->n_ranges);
    c->weights = mem_aligned(mem_size(mem_size(heads, cap), sizeof(float)));
    c->turned = xcalloc(mem_size(heads, (size_t)c->shape.head_dim), sizeof *c->turned);
    c->select_bytes = link < 0 ? 0 : (scratch_size(c, link) + 63) / 64 * 64;
    c->select_scratch = mem_aligned(mem_size(c->select_bytes, (size_t)kv_cache_units(c)));
}

struct kv_shape kv_cache_slots_of(const struct kv_chain *chain, const struct kv_shape *shape,
                                  int *n)
{
    struct kv_shape s = *shape;
    enum kv_heads heads = kv_chain_heads(chain);
    *n = heads == KV_HEADS_LAYER ? 1 : heads == KV_HEADS_KV ? s.n_kv_heads : s.n_heads;
    if (heads != KV_HEADS_LAYER)
        s.n_kv_heads = 1;
    s.n_heads /= *n;
    return s;
}

static size_t layer_bytes(const struct kv_chain *chain, const struct kv_shape *shape,
                          const struct kv_engine *engine, int layer, int cap)
{
    int n;
    struct kv_part part = {.opt = chain->links[chain->owner[KV_CODEC]].opt,
                           .shape = kv_cache_slots_of(chain, shape, &n),
                           .layer = layer,
                           .kernels = engine->kernels};
    const struct kv_codec *codec = engine->floats ? &kv_codec_reference : codec_of(chain, layer);
    return mem_size(codec->bytes(&part, cap), (size_t)n);
}

/* Untouched memory costs nothing: codecs that take theirs elsewhere leave it so. */
static size_t records_size(const struct kv_cache *c, const struct kv_engine *engine)
{
    size_t sum = 0;
    for (int i = 0; i < c->shape.n_layers; i++)
        sum += layer_bytes(c->chain, &c->shape, engine, i, c->cap) +
               (size_t)c->n_slots * KV_PIECES * mem_piece(0);
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
    c->rope = engine->rope;
    c->inside = kv_cache_slots_of(chain, shape, &c->n_slots);
    c->record = record_size(chain, shape);
    c->content = content_dup(chain);
    c->seconds = xcalloc((size_t)shape->n_kv_heads, sizeof *c->seconds);
    c->slots = xcalloc(mem_size((size_t)shape->n_layers, (size_t)c->n_slots), sizeof *c->slots);
    mem_arena_init(&c->records, records_size(c, engine));
    for (int l = 0; l < shape->n_layers; l++)
        for (int i = 0; i < c->n_slots; i++)
            open_slot(c, engine, l, i);
    open_append(c, engine);
    open_heads(c);
    return c;
}

void kv_cache_free(struct kv_cache *c)
{
    if (!c)
        return;
    for (int i = 0; i < c->shape.n_layers * c->n_slots; i++) {
        struct slot *s = &c->slots[i];
        s->rows.codec->close(s->rows.store);
        for (int k = 0; k < c->chain->n; k++) {
            free(s->parts[k].state);
            free(s->parts[k].scratch);
        }
    }
    mem_arena_release(&c->records);
    free(c->slots);
    free(c->append);
    free(c->row_record);
    free(c->content);
    free(c->seconds);
    free(c->ranges);
    free(c->n_ranges);
    free(c->weights);
    free(c->turned);
    free(c->select_scratch);
    free(c->at);
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

int kv_cache_due(const struct kv_cache *c, const struct slot *s, int n_before)
{
    int link = c->chain->owner[KV_CODEC];
    const struct kv_method *m = c->chain->links[link].method;
    return m->due ? m->due(&s->parts[link], n_before) : 0;
}

static void count_now(const struct kv_cache *c, struct kv_ledger *out)
{
    *out = (struct kv_ledger){0};
    for (int i = 0; i < c->shape.n_layers * c->n_slots; i++) {
        const struct slot *s = &c->slots[i];
        s->rows.codec->count(s->rows.store, out);
        for (int k = 0; k < c->chain->n; k++)
            if (c->chain->links[k].method->count)
                c->chain->links[k].method->count(&s->parts[k], out);
    }
}

void kv_cache_adopted(struct kv_cache *c, int n_prompt)
{
    c->n = n_prompt;
    count_now(c, &c->start);
}

uint64_t kv_cache_full_bits(const struct kv_cache *c, int tokens)
{
    return (uint64_t)tokens * (uint64_t)c->shape.n_kv_heads * (uint64_t)c->shape.head_dim * 2 * 16;
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
    out->full = (uint64_t)c->shape.n_layers * kv_cache_full_bits(c, c->n);
    out->read_full = c->read_full;
}

int kv_cache_n_slots(const struct kv_cache *c)
{
    return c->n_slots;
}

const struct kv_layer *kv_cache_slot(const struct kv_cache *c, int layer, int slot)
{
    return &kv_cache_slots(c, layer)[slot].rows;
}

const struct kv_layer *kv_cache_layer(const struct kv_cache *c, int layer)
{
    return kv_cache_slot(c, layer, 0);
}

const void *kv_cache_state(const struct kv_cache *c, int layer, enum kv_hook hook)
{
    int link = c->chain->owner[hook];
    return link < 0 ? NULL : kv_cache_slots(c, layer)[0].parts[link].state;
}

int kv_cache_ranges(const struct kv_cache *c, int head, const struct kv_range **out)
{
    *out = c->ranges + (size_t)head * (size_t)c->cap;
    return c->n_ranges[head];
}
