#include "runner/layer_error.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"

enum { BLOCK = 64 }; // rows that are read at a time

/* ---- the full cache ---- */

struct layer_full {
    const struct kv_engine *engine;
    struct kv_shape shape;
    struct kv_chain chain;
    struct kv_cache *cache;
    struct layer_span span;
    float *q; // [steps][n_layers][n_heads][head_dim]
};

static void open_chain(struct kv_chain *chain)
{
    struct err e;
    struct json *list = json_read(text_of("[\"full\"]"), &e);
    kv_chain_read(chain, list, "full", &e);
    json_free(list);
}

static size_t query_width(const struct kv_shape *s)
{
    return (size_t)s->n_heads * (size_t)s->head_dim;
}

static size_t queries(const struct kv_shape *s, int steps)
{
    return mem_size((size_t)steps * (size_t)s->n_layers, query_width(s));
}

/* Of a position whose step counts. */
static float *queries_at(const struct layer_full *f, int position, int layer)
{
    size_t step = (size_t)(position - f->span.first);
    return f->q + (step * (size_t)f->shape.n_layers + (size_t)layer) * query_width(&f->shape);
}

static bool counts(const struct layer_full *f, int position)
{
    return position >= f->span.first && position < f->span.first + f->span.steps;
}

static void remember(void *arg, const struct kv_cache *c, int layer, const float *q)
{
    const struct layer_full *f = arg;
    int position = kv_cache_length(c);
    if (counts(f, position))
        memcpy(queries_at(f, position, layer), q, query_width(&f->shape) * sizeof(float));
}

struct layer_full *layer_full_new(const struct kv_shape *shape, const struct kv_engine *engine,
                                  struct layer_span span)
{
    struct layer_full *f = xcalloc(1, sizeof *f);
    f->engine = engine;
    f->shape = *shape;
    f->span = span;
    open_chain(&f->chain);
    f->cache = kv_cache_new(&f->chain, shape, engine, span.room);
    f->q = xcalloc(queries(shape, span.steps), sizeof *f->q);
    if (span.steps)
        kv_cache_trace(f->cache, remember, f);
    return f;
}

void layer_full_free(struct layer_full *f)
{
    if (!f)
        return;
    kv_cache_free(f->cache);
    kv_chain_release(&f->chain);
    free(f->q);
    free(f);
}

struct kv_cache *layer_full_cache(const struct layer_full *f)
{
    return f->cache;
}

size_t layer_full_bytes(const struct kv_shape *shape, const struct kv_engine *engine,
                        struct layer_span span)
{
    struct kv_chain chain;
    open_chain(&chain);
    size_t sum = kv_cache_bytes(&chain, shape, engine, span.room);
    if (span.steps)
        sum += kv_cache_trace_bytes(&chain, shape, span.room);
    kv_chain_release(&chain);
    return sum + queries(shape, span.steps) * sizeof(float);
}

/* ---- attention that is lost ---- */

struct layer_sums {
    const struct layer_full *full;
    double *lost; // [n_layers], summed over steps and query heads
    int steps;    // that were counted, of the last layer
    /* Room, of a layer at work: the full cache's weights, its rows, and what was read. */
    float *weights; // [n_heads][room]
    float *k, *v;   // [BLOCK][head_dim]
    char *was_read; // [room]
};

/* One KV head of a slot, and the query heads that read its rows. */
struct head {
    const struct kv_layer *rows;
    int kv_head;   // of the slot
    int source;    // of the model
    int first;     // query head, of the model
    int group;     // query heads
    const int *at; // [rows->n]
};

static struct head head_of(const struct kv_cache *c, int layer, int slot, int kv_head)
{
    const struct kv_layer *l = kv_cache_slot(c, layer, slot);
    const struct kv_part *p = l->part;
    int group = p->shape.n_heads / p->shape.n_kv_heads;
    return (struct head){.rows = l,
                         .kv_head = kv_head,
                         .source = p->kv_head + kv_head,
                         .first = p->head + kv_head * group,
                         .group = group,
                         .at = p->at + (size_t)kv_head * (size_t)p->cap};
}

/* What the full cache's query heads pay to its first n rows: into weights[0..group-1]. */
static void weigh(struct layer_sums *s, int layer, const struct head *h, int n)
{
    const struct layer_full *f = s->full;
    const struct kernels *kn = f->engine->kernels;
    const struct kv_layer *full = kv_cache_layer(f->cache, layer);
    size_t room = (size_t)f->span.room, d = (size_t)f->shape.head_dim;
    const float *q = queries_at(f, n - 1, layer) + (size_t)h->first * d;
    for (int t = 0; t < n; t += BLOCK) {
        int some = n - t < BLOCK ? n - t : BLOCK;
        full->codec->read(full->store, h->source, t, some, s->k, s->v);
        for (int g = 0; g < h->group; g++)
            kn->scores(s->weights + (size_t)g * room + t, q + (size_t)g * d, s->k, some, (int)d,
                       sqrtf((float)d));
    }
    for (int g = 0; g < h->group; g++)
        kn->softmax(s->weights + (size_t)g * room, n);
}

/* Not 1 less what was read: that would be rounding where all of it was. */
static double unread(struct layer_sums *s, const struct kv_cache *c, const struct head *h, int g,
                     int n)
{
    const float *w = s->weights + (size_t)g * (size_t)s->full->span.room;
    const struct kv_range *r;
    double sum = 0;
    int ranges = kv_cache_ranges(c, h->first + g, &r);
    memset(s->was_read, 0, (size_t)n);
    for (int i = 0; i < ranges; i++)
        for (int j = r[i].start; j < r[i].start + r[i].n; j++)
            s->was_read[h->at[j]] = 1;
    for (int t = 0; t < n; t++)
        sum += s->was_read[t] ? 0 : (double)w[t];
    return sum;
}

static void add_step(void *arg, const struct kv_cache *c, int layer, const float *q)
{
    struct layer_sums *s = arg;
    int n = kv_cache_length(c) + 1;
    (void)q;
    if (!counts(s->full, n - 1))
        return;
    for (int i = 0; i < kv_cache_n_slots(c); i++)
        for (int k = 0; k < kv_cache_slot(c, layer, i)->part->shape.n_kv_heads; k++) {
            struct head h = head_of(c, layer, i, k);
            weigh(s, layer, &h, n);
            for (int g = 0; g < h.group; g++)
                s->lost[layer] += unread(s, c, &h, g, n);
        }
    s->steps += layer == s->full->shape.n_layers - 1;
}

struct layer_sums *layer_sums_new(const struct layer_full *f, struct kv_cache *c)
{
    const struct kv_shape *shape = &f->shape;
    struct layer_sums *s = xcalloc(1, sizeof *s);
    size_t room = (size_t)f->span.room, block = (size_t)shape->head_dim * BLOCK;
    s->full = f;
    s->lost = xcalloc((size_t)shape->n_layers, sizeof *s->lost);
    s->weights = mem_aligned(mem_size((size_t)shape->n_heads * sizeof(float), room));
    s->k = mem_aligned(block * sizeof(float));
    s->v = mem_aligned(block * sizeof(float));
    s->was_read = xcalloc(1, room);
    kv_cache_trace(c, add_step, s);
    return s;
}

void layer_sums_free(struct layer_sums *s)
{
    if (!s)
        return;
    free(s->lost);
    free(s->weights);
    free(s->k);
    free(s->v);
    free(s->was_read);
    free(s);
}

size_t layer_sums_bytes(const struct kv_shape *s, const struct kv_chain *chain, int room)
{
    return mem_size((size_t)s->n_heads * sizeof(float) + 1, (size_t)room) +
           (size_t)s->head_dim * BLOCK * 2 * sizeof(float) + kv_cache_trace_bytes(chain, s, room);
}

/* ---- rows that are held ---- */

/* Sums of squares: of keys and of values, of what they should be and of what is wrong. */
struct squares {
    double k, v, k_wrong, v_wrong;
};

static void add_row(double *all, double *wrong, const float *is, const float *should, int n)
{
    for (int i = 0; i < n; i++) {
        double x = (double)should[i], off = (double)is[i] - x;
        *all += x * x;
        *wrong += off * off;
    }
}

/* room: of one row of the full cache. */
static void add_head(const struct layer_sums *s, const struct head *h, int layer, float *room,
                     struct squares *sum)
{
    const struct layer_full *f = s->full;
    const struct kv_layer *full = kv_cache_layer(f->cache, layer);
    int d = f->shape.head_dim;
    for (int t = 0; t < h->rows->n; t += BLOCK) {
        int some = h->rows->n - t < BLOCK ? h->rows->n - t : BLOCK;
        h->rows->codec->read(h->rows->store, h->kv_head, t, some, s->k, s->v);
        for (int j = 0; j < some; j++) {
            if (h->at[t + j] >= f->span.read)
                continue;
            full->codec->read(full->store, h->source, h->at[t + j], 1, room, room + d);
            add_row(&sum->k, &sum->k_wrong, s->k + (size_t)j * (size_t)d, room, d);
            add_row(&sum->v, &sum->v_wrong, s->v + (size_t)j * (size_t)d, room + d, d);
        }
    }
}

static double share(double wrong, double all)
{
    double x = all > 0 ? sqrt(wrong / all) : NAN;
    return isfinite(x) ? x : NAN;
}

static double mass(const struct layer_sums *s, int layer)
{
    double x = s->lost[layer] / s->steps / s->full->shape.n_heads;
    return x > 1 ? 1 : isfinite(x) ? x : NAN; // weights add up to 1 but for rounding
}

void layer_sums_put(const struct layer_sums *s, const struct kv_cache *c, struct store_layer *out)
{
    const struct kv_shape *shape = &s->full->shape;
    float *room = xmalloc((size_t)shape->head_dim * 2 * sizeof *room);
    for (int l = 0; l < shape->n_layers; l++) {
        struct squares sum = {0, 0, 0, 0};
        for (int i = 0; i < kv_cache_n_slots(c); i++)
            for (int k = 0; k < kv_cache_slot(c, l, i)->part->shape.n_kv_heads; k++) {
                struct head h = head_of(c, l, i, k);
                add_head(s, &h, l, room, &sum);
            }
        out[l] = (struct store_layer){l, share(sum.k_wrong, sum.k), share(sum.v_wrong, sum.v),
                                      mass(s, l)};
    }
    free(room);
}
