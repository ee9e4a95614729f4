#include "harness/kv/cache.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/kv/rows.h"

enum { PIECE = 4096 }; // numbers of a piece of rows: half of a small first-level cache

struct layer {
    struct kv_layer rows;
    struct kv_part parts[KV_CHAIN_MAX]; // one for each link of the chain, with scratch of its own
    void *record;                       // of the row at work
};

struct kv_cache {
    const struct kv_chain *chain;
    struct kv_shape shape;
    int n, cap;
    struct layer *layers;
    struct kv_ledger start; // what adopting a prompt has counted: no step's
    uint64_t read_full;
    /* Of the layer at work: what each query head reads, and the weights of these rows. */
    struct kv_range *ranges; // [n_heads][cap]
    int *n_ranges;           // [n_heads]
    float *weights;          // [n_heads][cap]
    char *select_scratch;    // [n_kv_heads][select_bytes]
    size_t select_bytes;
};

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
        l->parts[k] =
            (struct kv_part){link->opt,       c->shape,         i,
                             engine->kernels, xcalloc(1, size), xcalloc(1, scratch_size(c, k))};
    }
    const struct kv_codec *codec = codec_of(c->chain, i);
    const struct kv_part *part = &l->parts[c->chain->owner[KV_CODEC]];
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

struct kv_cache *kv_cache_new(const struct kv_chain *chain, const struct kv_shape *shape,
                              const struct kv_engine *engine, int max_tokens)
{
    struct kv_cache *c = xcalloc(1, sizeof *c);
    assert(max_tokens > 0);
    c->chain = chain;
    c->shape = *shape;
    c->cap = max_tokens;
    c->layers = xcalloc((size_t)shape->n_layers, sizeof *c->layers);
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
    free(c->layers);
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
    const void *opt = chain->links[chain->owner[KV_CODEC]].opt;
    for (int i = 0; i < shape->n_layers; i++) {
        struct kv_part part = {opt, *shape, i, engine->kernels, NULL, NULL};
        const struct kv_codec *codec = engine->floats ? &kv_codec_reference : codec_of(chain, i);
        sum += codec->bytes(&part, max_tokens);
    }
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

/* ---- from a prefill ---- */

static int due_of(const struct kv_cache *c, const struct layer *l, int n_before)
{
    int link = c->chain->owner[KV_CODEC];
    const struct kv_method *m = c->chain->links[link].method;
    return m->due ? m->due(&l->parts[link], n_before) : 0;
}

static bool rearranges(const struct kv_chain *chain)
{
    for (int k = 0; k < chain->n; k++)
        if (chain->links[k].method->adopt)
            return true;
    return false;
}

void kv_cache_adopt(struct kv_cache *c, int layer, const struct kv_rows *rows, const void *records,
                    const void *seen, struct kv_rows *scratch)
{
    struct layer *l = &c->layers[layer];
    assert(l->rows.n == 0 && rows->n <= c->cap);
    if (rearranges(c->chain)) {
        scratch->n = 0;
        kv_rows_push(scratch, &c->shape, rows, 0, rows->n);
        for (int k = 0; k < c->chain->n; k++)
            if (c->chain->links[k].method->adopt)
                c->chain->links[k].method->adopt(&l->parts[k], scratch, seen);
        rows = scratch;
    }
    bool own = record_size(c->chain, &c->shape) > 0;
    l->rows.codec->append(l->rows.store, rows, own ? records : NULL, due_of(c, l, rows->n));
    l->rows.n = rows->n;
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

/* ---- one decode step of one layer ---- */

struct step {
    struct kv_cache *const *caches;
    const struct kv_engine *engine;
    int layer;
    const float *q;
    float *k, *v, *out;
};

static void append_row(struct kv_cache *c, struct layer *l, float *k, float *v)
{
    const struct kv_chain *chain = c->chain;
    int link = chain->owner[KV_APPEND];
    bool own = record_size(chain, &c->shape) > 0;
    if (link >= 0)
        chain->links[link].method->append(&l->parts[link], k, v, own ? l->record : NULL);
    struct kv_rows row = kv_rows_one(k, v);
    l->rows.codec->append(l->rows.store, &row, own ? l->record : NULL, due_of(c, l, l->rows.n));
    l->rows.n++;
}

static void begin_step(void *arg, int i, int worker)
{
    struct step *s = arg;
    struct kv_cache *c = s->caches[i];
    size_t width = (size_t)c->shape.n_kv_heads * (size_t)c->shape.head_dim;
    (void)worker;
    append_row(c, &c->layers[s->layer], s->k + (size_t)i * width, s->v + (size_t)i * width);
}

static int group_of(const struct kv_cache *c)
{
    return c->shape.n_heads / c->shape.n_kv_heads;
}

/* The rows that the query heads of a KV head read. */
static void choose_rows(struct kv_cache *c, struct layer *l, int kv_head, const float *q)
{
    int link = c->chain->owner[KV_SELECT], first = kv_head * group_of(c);
    struct kv_range *ranges = c->ranges + (size_t)first * (size_t)c->cap;
    for (int g = 0; g < group_of(c); g++)
        c->n_ranges[first + g] = 0;
    if (link >= 0) {
        struct kv_part part = l->parts[link];
        part.scratch = c->select_scratch + (size_t)kv_head * c->select_bytes;
        c->chain->links[link].method->select(&part, &l->rows, kv_head, q, ranges,
                                             c->n_ranges + first, c->cap);
    }
}

/* What a head reads, in its own ranges. */
static void attend_ranges(struct kv_cache *c, struct layer *l, const struct kernels *kn, int head,
                          const float *q, float *out)
{
    int d = c->shape.head_dim, kv_head = head / group_of(c), n = c->n_ranges[head], m = 0;
    const struct kv_range *r = c->ranges + (size_t)head * (size_t)c->cap;
    float *w = c->weights + (size_t)head * (size_t)c->cap;
    for (int i = 0; i < n; i++)
        m += r[i].n;
    l->rows.codec->scores(l->rows.store, kv_head, q, 1, r, n, sqrtf((float)d), w, c->cap);
    kn->softmax(w, m);
    memset(out, 0, (size_t)d * sizeof *out);
    l->rows.codec->mix(l->rows.store, kv_head, w, c->cap, 1, r, n, out);
}

/* All rows, for the heads that share them: piece by piece, so that a piece is fetched once and is
 * near for the other heads. The same sums in the same order as one head after the other. */
static void attend_all(struct kv_cache *c, struct layer *l, const struct kernels *kn, int kv_head,
                       const float *q, float *out)
{
    int d = c->shape.head_dim, group = group_of(c), rows = l->rows.n;
    int piece = group == 1 || d > PIECE ? rows : PIECE / d;
    float *w = c->weights + (size_t)kv_head * (size_t)group * (size_t)c->cap;
    for (int t = 0; t < rows; t += piece) {
        struct kv_range r = {t, rows - t < piece ? rows - t : piece};
        l->rows.codec->scores(l->rows.store, kv_head, q, group, &r, 1, sqrtf((float)d), w + t,
                              c->cap);
    }
    for (int h = 0; h < group; h++)
        kn->softmax(w + (size_t)h * (size_t)c->cap, rows);
    memset(out, 0, (size_t)group * (size_t)d * sizeof *out);
    for (int t = 0; t < rows; t += piece) {
        struct kv_range r = {t, rows - t < piece ? rows - t : piece};
        l->rows.codec->mix(l->rows.store, kv_head, w + t, c->cap, group, &r, 1, out);
    }
}

static void attend_kv_head(void *arg, int item, int worker)
{
    struct step *s = arg;
    int n_kv_heads = s->caches[0]->shape.n_kv_heads, kv_head = item % n_kv_heads;
    struct kv_cache *c = s->caches[item / n_kv_heads];
    struct layer *l = &c->layers[s->layer];
    int group = group_of(c), d = c->shape.head_dim, first = kv_head * group;
    size_t at = (size_t)item * (size_t)group * (size_t)d;
    (void)worker;
    choose_rows(c, l, kv_head, s->q + at);
    if (c->n_ranges[first] == 0) {
        attend_all(c, l, s->engine->kernels, kv_head, s->q + at, s->out + at);
        for (int h = first; h < first + group; h++) {
            c->ranges[(size_t)h * (size_t)c->cap] = (struct kv_range){0, l->rows.n};
            c->n_ranges[h] = 1;
        }
        return;
    }
    for (int g = 0; g < group; g++)
        attend_ranges(c, l, s->engine->kernels, first + g, s->q + at + g * d, s->out + at + g * d);
}

static uint64_t full_bits(const struct kv_cache *c, const struct layer *l)
{
    return (uint64_t)l->rows.n * (uint64_t)c->shape.n_kv_heads * (uint64_t)c->shape.head_dim * 2 *
           16;
}

static void end_step(void *arg, int i, int worker)
{
    struct step *s = arg;
    struct kv_cache *c = s->caches[i];
    struct layer *l = &c->layers[s->layer];
    const struct kv_chain *chain = c->chain;
    int watch = chain->owner[KV_OBSERVE], order = chain->owner[KV_ORDER];
    (void)worker;
    if (watch >= 0)
        for (int h = 0; h < c->shape.n_heads; h++) {
            size_t at = (size_t)h * (size_t)c->cap;
            chain->links[watch].method->observe_step(&l->parts[watch], h, c->ranges + at,
                                                     c->n_ranges[h], c->weights + at);
        }
    c->read_full += full_bits(c, l);
    if (order >= 0)
        chain->links[order].method->step_end(&l->parts[order], &l->rows);
}

void kv_cache_attend(struct kv_cache *const *caches, int n, const struct kv_engine *engine,
                     int layer, const float *q, float *k, float *v, float *out)
{
    struct step s = {caches, engine, layer, q, k, v, out};
    pool_run(engine->pool, n, begin_step, &s);
    pool_run(engine->pool, n * caches[0]->shape.n_kv_heads, attend_kv_head, &s);
    pool_run(engine->pool, n, end_step, &s);
}

void kv_cache_ledger(const struct kv_cache *c, struct kv_ledger *out)
{
    count_now(c, out);
    for (int i = 0; i < KV_CLASSES; i++) {
        out->read[i] -= c->start.read[i];
        out->written[i] -= c->start.written[i];
    }
    for (int i = 0; i < c->shape.n_layers; i++)
        out->full += full_bits(c, &c->layers[i]);
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
