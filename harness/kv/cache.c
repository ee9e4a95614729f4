#include "harness/kv/cache.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/kv/rows.h"

enum { PIECE = 4096 }; // numbers of a piece of rows: half of a small first-level cache

struct layer {
    struct kv_rows rows;
    struct kv_part parts[KV_CHAIN_MAX]; // one for each link of the chain, with scratch of its own
    struct kv_ledger read;
};

struct kv_cache {
    const struct kv_chain *chain;
    struct kv_shape shape;
    int n, cap;
    struct layer *layers;
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

static void open_layer(struct kv_cache *c, const struct kernels *kn, int i)
{
    struct layer *l = &c->layers[i];
    kv_rows_init(&l->rows, &c->shape, c->cap);
    for (int k = 0; k < c->chain->n; k++) {
        const struct kv_link *link = &c->chain->links[k];
        size_t size = link->method->state_size ? link->method->state_size(link->opt, &c->shape) : 0;
        l->parts[k] = (struct kv_part){link->opt, c->shape,         i,
                                       kn,        xcalloc(1, size), xcalloc(1, scratch_size(c, k))};
    }
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

struct adopt_job {
    struct kv_cache *c;
    const struct kv_prefill *prompt;
};

static void adopt_layer(void *arg, int layer, int worker)
{
    struct adopt_job *j = arg;
    struct kv_cache *c = j->c;
    struct layer *l = &c->layers[layer];
    (void)worker;
    kv_rows_copy(&l->rows, kv_prefill_rows(j->prompt, layer), &c->shape);
    const void *seen = kv_prefill_seen(j->prompt, c->chain, layer);
    for (int k = 0; k < c->chain->n; k++)
        if (c->chain->links[k].method->adopt)
            c->chain->links[k].method->adopt(&l->parts[k], &l->rows, seen);
    for (int k = 0; k < c->chain->n; k++)
        if (c->chain->links[k].method->pack)
            c->chain->links[k].method->pack(&l->parts[k], &l->rows, l->rows.n);
}

struct kv_cache *kv_cache_new(const struct kv_chain *chain, const struct kv_shape *shape,
                              const struct kv_engine *engine, const struct kv_prefill *prompt,
                              int max_tokens)
{
    struct kv_cache *c = xcalloc(1, sizeof *c);
    c->chain = chain;
    c->shape = *shape;
    c->cap = max_tokens;
    c->layers = xcalloc((size_t)shape->n_layers, sizeof *c->layers);
    for (int l = 0; l < shape->n_layers; l++)
        open_layer(c, engine->kernels, l);
    open_heads(c);
    if (prompt) {
        struct adopt_job j = {c, prompt};
        assert(kv_prefill_length(prompt) <= max_tokens);
        pool_run(engine->pool, shape->n_layers, adopt_layer, &j);
        c->n = kv_prefill_length(prompt);
    }
    return c;
}

void kv_cache_free(struct kv_cache *c)
{
    if (!c)
        return;
    for (int l = 0; l < c->shape.n_layers; l++) {
        kv_rows_release(&c->layers[l].rows);
        for (int k = 0; k < c->chain->n; k++) {
            free(c->layers[l].parts[k].state);
            free(c->layers[l].parts[k].scratch);
        }
    }
    free(c->layers);
    free(c->ranges);
    free(c->n_ranges);
    free(c->weights);
    free(c->select_scratch);
    free(c);
}

int kv_cache_length(const struct kv_cache *c)
{
    return c->n;
}

void kv_cache_advance(struct kv_cache *c)
{
    c->n++;
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
    int n_before = l->rows.n, link = chain->owner[KV_APPEND];
    if (link >= 0)
        chain->links[link].method->append(&l->parts[link], k, v);
    kv_rows_push(&l->rows, &c->shape, k, v);
    for (int i = 0; i < chain->n; i++)
        if (chain->links[i].method->pack)
            chain->links[i].method->pack(&l->parts[i], &l->rows, n_before);
}

static void begin_step(void *arg, int i, int worker)
{
    struct step *s = arg;
    struct kv_cache *c = s->caches[i];
    size_t width = (size_t)c->shape.n_kv_heads * (size_t)c->shape.head_dim;
    (void)worker;
    append_row(c, &c->layers[s->layer], s->k + (size_t)i * width, s->v + (size_t)i * width);
}

/* The rows that a query head reads. */
static void choose_rows(struct kv_cache *c, struct layer *l, int head, const float *q)
{
    struct kv_range *ranges = c->ranges + (size_t)head * (size_t)c->cap;
    int n = 0, link = c->chain->owner[KV_SELECT];
    if (link >= 0) {
        struct kv_part part = l->parts[link];
        int kv_head = head / (c->shape.n_heads / c->shape.n_kv_heads);
        part.scratch = c->select_scratch + (size_t)kv_head * c->select_bytes;
        n = c->chain->links[link].method->select(&part, &l->rows, head, q, ranges);
    }
    if (n == 0)
        ranges[n++] = (struct kv_range){0, l->rows.n};
    c->n_ranges[head] = n;
}

/* What a head reads, in its own ranges. */
static void attend_ranges(struct kv_cache *c, struct layer *l, const struct kernels *kn, int head,
                          const float *q, float *out)
{
    int d = c->shape.head_dim, kv_head = head / (c->shape.n_heads / c->shape.n_kv_heads), m = 0;
    const struct kv_range *r = c->ranges + (size_t)head * (size_t)c->cap;
    float *w = c->weights + (size_t)head * (size_t)c->cap, divisor = sqrtf((float)d);
    int n = c->n_ranges[head];
    for (int i = 0; i < n; m += r[i++].n)
        kn->scores(w + m, q, kv_rows_k(&l->rows, d, kv_head, r[i].start), r[i].n, d, divisor);
    kn->softmax(w, m);
    memset(out, 0, (size_t)d * sizeof *out);
    m = 0;
    for (int i = 0; i < n; m += r[i++].n)
        kn->mix(out, w + m, kv_rows_v(&l->rows, d, kv_head, r[i].start), r[i].n, d);
}

/* All rows, for the heads that share them: piece by piece, so that a piece is fetched once and is
 * near for the other heads. The same sums in the same order as one head after the other. */
static void attend_all(struct kv_cache *c, struct layer *l, const struct kernels *kn, int kv_head,
                       const float *q, float *out)
{
    int d = c->shape.head_dim, group = c->shape.n_heads / c->shape.n_kv_heads, rows = l->rows.n;
    int piece = group == 1 || d > PIECE ? rows : PIECE / d;
    float *w = c->weights + (size_t)kv_head * (size_t)group * (size_t)c->cap;
    for (int t = 0; t < rows; t += piece)
        for (int h = 0; h < group; h++)
            kn->scores(w + (size_t)h * (size_t)c->cap + t, q + h * d,
                       kv_rows_k(&l->rows, d, kv_head, t), rows - t < piece ? rows - t : piece, d,
                       sqrtf((float)d));
    for (int h = 0; h < group; h++)
        kn->softmax(w + (size_t)h * (size_t)c->cap, rows);
    memset(out, 0, (size_t)group * (size_t)d * sizeof *out);
    for (int t = 0; t < rows; t += piece)
        for (int h = 0; h < group; h++)
            kn->mix(out + h * d, w + (size_t)h * (size_t)c->cap + t,
                    kv_rows_v(&l->rows, d, kv_head, t), rows - t < piece ? rows - t : piece, d);
}

static void attend_kv_head(void *arg, int item, int worker)
{
    struct step *s = arg;
    int n_kv_heads = s->caches[0]->shape.n_kv_heads, i = item / n_kv_heads;
    struct kv_cache *c = s->caches[i];
    struct layer *l = &c->layers[s->layer];
    int group = c->shape.n_heads / n_kv_heads, kv_head = item % n_kv_heads, d = c->shape.head_dim;
    size_t at = (size_t)item * (size_t)group * (size_t)d;
    (void)worker;
    for (int g = 0; g < group; g++)
        choose_rows(c, l, kv_head * group + g, s->q + at + g * d);
    if (c->chain->owner[KV_SELECT] < 0) {
        attend_all(c, l, s->engine->kernels, kv_head, s->q + at, s->out + at);
        return;
    }
    for (int g = 0; g < group; g++)
        attend_ranges(c, l, s->engine->kernels, kv_head * group + g, s->q + at + g * d,
                      s->out + at + g * d);
}

/* 16 bits a number for each row that a KV head's queries read: the union over its group. */
static void count_rows_read(const struct kv_cache *c, const struct layer *l, struct kv_ledger *out)
{
    uint64_t row = (uint64_t)c->shape.n_kv_heads * (uint64_t)c->shape.head_dim * 2 * 16;
    out->read += row * (uint64_t)l->rows.n;
}

static void end_step(void *arg, int i, int worker)
{
    struct step *s = arg;
    struct kv_cache *c = s->caches[i];
    struct layer *l = &c->layers[s->layer];
    const struct kv_chain *chain = c->chain;
    int watch = chain->owner[KV_OBSERVE], select = chain->owner[KV_SELECT];
    (void)worker;
    if (watch >= 0)
        for (int h = 0; h < c->shape.n_heads; h++) {
            size_t at = (size_t)h * (size_t)c->cap;
            chain->links[watch].method->observe_step(&l->parts[watch], h, c->ranges + at,
                                                     c->n_ranges[h], c->weights + at);
        }
    if (select >= 0)
        chain->links[select].method->count_read(&l->parts[select], &l->rows, c->ranges, c->n_ranges,
                                                c->cap, &l->read);
    else
        count_rows_read(c, l, &l->read);
    l->read.read_full +=
        (uint64_t)l->rows.n * (uint64_t)c->shape.n_kv_heads * (uint64_t)c->shape.head_dim * 2 * 16;
    if (chain->owner[KV_ORDER] >= 0)
        chain->links[chain->owner[KV_ORDER]].method->step_end(&l->parts[chain->owner[KV_ORDER]],
                                                              &l->rows);
}

void kv_cache_attend(struct kv_cache *const *caches, int n, const struct kv_engine *engine,
                     int layer, const float *q, float *k, float *v, float *out)
{
    struct step s = {caches, engine, layer, q, k, v, out};
    pool_run(engine->pool, n, begin_step, &s);
    pool_run(engine->pool, n * caches[0]->shape.n_kv_heads, attend_kv_head, &s);
    pool_run(engine->pool, n, end_step, &s);
}

static void count_layer(const struct kv_cache *c, const struct layer *l, struct kv_ledger *out)
{
    uint64_t full =
        (uint64_t)l->rows.n * (uint64_t)c->shape.n_kv_heads * (uint64_t)c->shape.head_dim * 2 * 16;
    int codec = c->chain->owner[KV_CODEC];
    if (codec >= 0)
        c->chain->links[codec].method->count(&l->parts[codec], &l->rows, out);
    else
        out->recent += full;
    out->full += full;
    out->read += l->read.read;
    out->read_full += l->read.read_full;
}

void kv_cache_ledger(const struct kv_cache *c, struct kv_ledger *out)
{
    *out = (struct kv_ledger){0};
    for (int l = 0; l < c->shape.n_layers; l++)
        count_layer(c, &c->layers[l], out);
}

const struct kv_rows *kv_cache_rows(const struct kv_cache *c, int layer)
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
