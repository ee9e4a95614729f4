/*
 * What the tests of methods share: random queries, keys and values of a sequence, caches driven
 * through them, and the settings that a registry's option tables allow. Names no method.
 *
 * All layers get the same rows: a method may leave the first ones alone.
 */
#ifndef KVLAB_TEST_SEQUENCE_H
#define KVLAB_TEST_SEQUENCE_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/base/rng.h"
#include "harness/kv/prefill.h"
#include "harness/kv/rows.h"
#include "harness/tensor/gemm.h"

/* gemm_init is what holds BLAS to one thread; here is no model that calls it. */
static inline struct kv_engine engine_new(int threads)
{
    static const float frequency[] = {1, 0.3f, 0.1f, 0.03f, 0.01f, 0.003f, 0.001f, 0.0003f,
                                      1, 0.3f, 0.1f, 0.03f, 0.01f, 0.003f, 0.001f, 0.0003f,
                                      1, 0.3f, 0.1f, 0.03f, 0.01f, 0.003f, 0.001f, 0.0003f,
                                      1, 0.3f, 0.1f, 0.03f, 0.01f, 0.003f, 0.001f, 0.0003f};
    struct kv_engine e = {
        .pool = pool_new(threads), .kernels = kernels_best(), .rope = {frequency}};
    struct gemm g;
    gemm_init(&g, e.pool, e.kernels, e.plain, 1);
    gemm_release(&g);
    return e;
}

struct sequence {
    struct kv_shape shape;
    int n;
    float *q, *k, *v; // [n][n_heads or n_kv_heads][head_dim]
};

static inline size_t out_width(const struct kv_shape *s)
{
    return (size_t)s->n_heads * (size_t)s->head_dim;
}

static inline size_t row_width(const struct kv_shape *s)
{
    return (size_t)s->n_kv_heads * (size_t)s->head_dim;
}

static inline float *normals_new(struct rng *r, size_t n)
{
    float *x = xmalloc(mem_size(n, sizeof *x));
    for (size_t i = 0; i < n; i++)
        x[i] = (float)rng_normal(r);
    return x;
}

static inline struct sequence sequence_new(struct kv_shape shape, int n, uint64_t seed)
{
    struct rng r = {seed};
    struct sequence s = {.shape = shape, .n = n};
    s.q = normals_new(&r, (size_t)n * out_width(&shape));
    s.k = normals_new(&r, (size_t)n * row_width(&shape));
    s.v = normals_new(&r, (size_t)n * row_width(&shape));
    return s;
}

static inline void sequence_release(struct sequence *s)
{
    free(s->q), free(s->k), free(s->v);
}

/* Tokens 0..n-1 into p, layer by layer. out [n_layers][n][n_heads * head_dim], or NULL. */
static inline void sequence_push(const struct sequence *s, struct kv_prefill *p, int n, float *out)
{
    size_t rows = (size_t)n * row_width(&s->shape), outs = (size_t)n * out_width(&s->shape);
    float *k = xmalloc(rows * sizeof *k), *v = xmalloc(rows * sizeof *v);
    float *unseen = xmalloc(outs * sizeof *unseen);
    for (int layer = 0; layer < s->shape.n_layers; layer++) {
        memcpy(k, s->k, rows * sizeof *k);
        memcpy(v, s->v, rows * sizeof *v);
        kv_prefill_attend(p, s->q, k, v, n, out ? out + (size_t)layer * outs : unseen);
        kv_prefill_end_layer(p);
    }
    free(k), free(v), free(unseen);
}

/* What is fed of part i of n tokens in a replay: some words, where the method has any, and the
 * part's own tokens; other rows in each layer. */
static inline struct sequence sequence_fed(const struct kv_shape *shape,
                                           const struct kv_replay_form *f, int n, int layer, int i)
{
    int own = kv_replay_from(f, n, i + 1) - kv_replay_from(f, n, i);
    return sequence_new(*shape, own + (f->first ? 3 : 0), (uint64_t)(1000 + 50 * i + layer));
}

static inline void sequence_feed(const struct sequence *s, const struct kv_engine *engine,
                                 struct kv_prefix *x, const struct kv_chain *class,
                                 struct kv_replay *r, int i)
{
    struct sequence first = sequence_fed(&s->shape, &r->form, r->n_prompt, 0, i);
    float *out = xmalloc((size_t)first.n * out_width(&s->shape) * sizeof *out);
    struct kv_prefill *p = kv_prefill_new(engine, &s->shape, NULL, 0, r->n_prompt + first.n);
    kv_prefill_append_as(p, class);
    kv_prefill_watch(p, r, kv_replay_from(&r->form, r->n_prompt, i),
                     kv_replay_from(&r->form, r->n_prompt, i + 1));
    kv_prefill_share(p, x, r->n_prompt, r->n_prompt);
    for (int layer = 0; layer < s->shape.n_layers; layer++) {
        struct sequence f = sequence_fed(&s->shape, &r->form, r->n_prompt, layer, i);
        kv_prefill_attend(p, f.q, f.k, f.v, f.n, out);
        kv_prefill_end_layer(p);
        sequence_release(&f);
    }
    kv_prefill_free(p);
    free(out);
    sequence_release(&first);
}

/* As harness/model/reading.c does it: all rows are kept, fed behind, and taken. */
static inline void sequence_replay(const struct sequence *s, const struct kv_engine *engine,
                                   struct kv_cache *const *caches, int n_caches, int n, float *out,
                                   struct kv_replays *all)
{
    const struct kv_chain *class = kv_cache_chain(caches[0]);
    struct kv_prefix *x = kv_prefix_new(&s->shape, true);
    struct kv_prefill *p = kv_prefill_new(engine, &s->shape, NULL, 0, n);
    kv_prefill_append_as(p, class);
    kv_prefill_share(p, x, 0, n);
    sequence_push(s, p, n, out);
    kv_prefill_free(p);
    for (int k = 0; k < all->n; k++)
        for (int i = 0; i < kv_replay_parts(&all->list[k].form, n); i++)
            sequence_feed(s, engine, x, class, &all->list[k], i);
    p = kv_prefill_new(engine, &s->shape, caches, n_caches, n);
    kv_prefill_replayed(p, all);
    kv_prefill_share(p, x, n, n);
    kv_prefill_shared_all(p);
    kv_prefill_free(p);
    kv_prefix_free(x);
}

/* Tokens 0..n-1 into new caches. */
static inline void sequence_prefill(const struct sequence *s, const struct kv_engine *engine,
                                    struct kv_cache *const *caches, int n_caches, int n, float *out)
{
    struct kv_replays all;
    kv_replays_open(&all, caches, n_caches, &s->shape, n);
    if (all.n) {
        sequence_replay(s, engine, caches, n_caches, n, out, &all);
    } else {
        struct kv_prefill *p = kv_prefill_new(engine, &s->shape, caches, n_caches, n);
        sequence_push(s, p, n, out);
        kv_prefill_free(p);
    }
    kv_replays_release(&all);
}

/* A new cache that has read tokens 0..n-1; n = 0: an empty one. */
static inline struct kv_cache *sequence_cache(const struct sequence *s,
                                              const struct kv_engine *engine,
                                              const struct kv_chain *chain, int n, float *out)
{
    struct kv_cache *c = kv_cache_new(chain, &s->shape, engine, s->n);
    if (n)
        sequence_prefill(s, engine, &c, 1, n, out);
    return c;
}

/* The heads of a slot. */
static inline struct kv_shape slot_shape(const struct kv_cache *c, const struct kv_shape *shape)
{
    struct kv_shape s = *shape;
    int n = kv_cache_n_slots(c);
    s.n_heads /= n;
    s.n_kv_heads = n == 1 ? s.n_kv_heads : 1;
    return s;
}

/* All rows of a slot, as floats. */
static inline struct kv_rows rows_of_slot(const struct kv_cache *c, const struct kv_shape *shape,
                                          int layer, int slot)
{
    const struct kv_layer *l = kv_cache_slot(c, layer, slot);
    struct kv_shape inside = slot_shape(c, shape);
    struct kv_rows r;
    kv_rows_init(&r, &inside, l->n + 1);
    for (int h = 0; h < inside.n_kv_heads; h++)
        l->codec->read(l->store, h, 0, l->n, kv_rows_k(&r, inside.head_dim, h, 0),
                       kv_rows_v(&r, inside.head_dim, h, 0));
    r.n = l->n;
    return r;
}

/* Of a cache whose heads keep the same rows. */
static inline struct kv_rows rows_of_layer(const struct kv_cache *c, const struct kv_shape *shape,
                                           int layer)
{
    assert(kv_cache_n_slots(c) == 1);
    return rows_of_slot(c, shape, layer, 0);
}

/* One layer of a step for n caches, each at its own token: out [n][n_heads * head_dim]. q, k and v
 * are room for the rows of n caches. */
struct rows_of_step {
    float *q, *k, *v;
};

static inline struct rows_of_step rows_of_step_new(const struct kv_shape *shape, int n)
{
    size_t count = (size_t)n * out_width(shape) * sizeof(float);
    return (struct rows_of_step){xmalloc(count), xmalloc(count), xmalloc(count)};
}

static inline void rows_of_step_free(struct rows_of_step *r)
{
    free(r->q), free(r->k), free(r->v);
}

static inline void sequence_attend(const struct sequence *const *s, struct kv_cache *const *caches,
                                   int n, const struct kv_engine *engine, int layer,
                                   struct rows_of_step *r, float *out)
{
    size_t heads = out_width(&s[0]->shape), rows = row_width(&s[0]->shape);
    for (int i = 0; i < n; i++) {
        size_t t = (size_t)kv_cache_length(caches[i]);
        assert(t < (size_t)s[i]->n);
        memcpy(r->q + (size_t)i * heads, s[i]->q + t * heads, heads * sizeof(float));
        memcpy(r->k + (size_t)i * rows, s[i]->k + t * rows, rows * sizeof(float));
        memcpy(r->v + (size_t)i * rows, s[i]->v + t * rows, rows * sizeof(float));
    }
    kv_cache_attend(caches, n, engine, layer, r->q, r->k, r->v, out);
}

/* `steps` whole steps of n caches: out [steps][n_layers][n][n_heads * head_dim]. */
static inline void sequence_steps(const struct sequence *const *s, struct kv_cache *const *caches,
                                  int n, const struct kv_engine *engine, int steps, float *out)
{
    struct rows_of_step r = rows_of_step_new(&s[0]->shape, n);
    for (int step = 0; step < steps; step++) {
        for (int layer = 0; layer < s[0]->shape.n_layers; layer++) {
            sequence_attend(s, caches, n, engine, layer, &r, out);
            out += (size_t)n * out_width(&s[0]->shape);
        }
        for (int i = 0; i < n; i++)
            kv_cache_advance(caches[i]);
    }
    rows_of_step_free(&r);
}

/* ---- settings ---- */

/* Chains as text: [{"method":{"option":value}}], and what else the method needs. */
struct settings {
    char **text;
    int n;
};

/* Who only says how many rows a slot keeps, or merges some, needs one beside it that says which:
 * the first that needs nothing itself. */
static inline const struct kv_method *scorer_beside(const struct kv_method *m)
{
    unsigned follows = 1u << KV_ALLOT | 1u << KV_MERGE;
    if (!(m->hooks & follows) || m->hooks & 1u << KV_SCORE)
        return NULL;
    for (int i = 0; kv_method_all[i]; i++)
        if (kv_method_all[i]->hooks == 1u << KV_SCORE)
            return kv_method_all[i];
    return NULL;
}

static inline void settings_add(struct settings *s, const struct kv_method *m, const char *members)
{
    const struct kv_method *scorer = scorer_beside(m);
    struct buf b;
    buf_init(&b);
    buf_printf(&b, "[{\"%s\":{%s}}", m->name, members);
    if (scorer)
        buf_printf(&b, ",\"%s\"", scorer->name);
    buf_char(&b, ']');
    s->text = xrealloc(s->text, (size_t)(s->n + 1) * sizeof *s->text);
    s->text[s->n++] = b.s;
}

static inline void settings_release(struct settings *s)
{
    for (int i = 0; i < s->n; i++)
        free(s->text[i]);
    free(s->text);
}

/* Both ends of a range, all choices; texts have no ends. */
static inline int option_values(const struct opt *o)
{
    int n = 0;
    if (o->type == OPT_CHOICE)
        while (o->choices[n])
            n++;
    return o->type == OPT_CHOICE ? n : o->type == OPT_STR ? 0 : 2;
}

static inline void put_option(struct buf *b, const struct opt *o, int value)
{
    buf_printf(b, "%s\"%s\":", b->n ? "," : "", o->name);
    if (o->type == OPT_CHOICE)
        buf_printf(b, "\"%s\"", o->choices[value]);
    else if (o->type == OPT_BOOL)
        buf_str(b, value ? "true" : "false");
    else
        json_put_number(b, value ? o->max : o->min);
}

/* A method with its defaults, and one that it needs. */
static inline void settings_default(struct settings *s, const struct kv_method *m)
{
    settings_add(s, m, "");
}

/* One option at an end of its range, the others at their defaults. */
static inline void settings_ends(struct settings *s, const struct kv_method *m)
{
    struct buf b;
    buf_init(&b);
    for (const struct opt *o = m->options; o && o->name; o++)
        for (int i = 0; i < option_values(o); i++) {
            buf_reset(&b);
            put_option(&b, o, i);
            settings_add(s, m, b.s);
        }
    buf_release(&b);
}

/* Each pair of options at ends of their ranges. */
static inline void settings_pairs(struct settings *s, const struct kv_method *m)
{
    struct buf b;
    buf_init(&b);
    for (const struct opt *o = m->options; o && o->name; o++)
        for (const struct opt *p = o + 1; p->name; p++)
            for (int i = 0; i < option_values(o) * option_values(p); i++) {
                buf_reset(&b);
                put_option(&b, o, i / option_values(p));
                put_option(&b, p, i % option_values(p));
                settings_add(s, m, b.s);
            }
    buf_release(&b);
}

static inline int read_chain(struct kv_chain *c, const char *text, struct err *e)
{
    struct json *list = json_read(text_of(text), e);
    int rc = list ? kv_chain_read(c, list, "test", e) : -1;
    json_free(list);
    return rc;
}

#endif
