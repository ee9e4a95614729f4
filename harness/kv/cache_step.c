/*
 * One decode step of one layer for many caches. A cache passes through it in three parts: its new
 * row is begun, its KV heads attend, what they saw is recorded. Of many caches each is one item of
 * the pool, those that took longest first, so that all threads end together; few caches are shared
 * out by their heads.
 */
#include "harness/kv/cache_int.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/kv/rows.h"

enum {
    PIECE = 4096,       // numbers of a piece of rows: half of a small first-level cache
    CACHES_A_THREAD = 4 // from here on caches are items
};

struct step {
    struct kv_cache *const *caches;
    const struct kv_engine *engine;
    int layer, n;
    const float *q;
    float *k, *v, *out;
    short order[KV_STEP_MAX]; // of the caches
};

static void begin_row(struct kv_cache *c, struct layer *l, float *k, float *v)
{
    const struct kv_chain *chain = c->chain;
    int link = chain->owner[KV_APPEND];
    if (link >= 0)
        chain->links[link].method->append(&l->parts[link], k, v, c->own_record ? l->record : NULL);
    struct kv_rows row = kv_rows_one(k, v);
    l->rows.codec->begin(l->rows.store, &row, kv_cache_due(c, l, l->rows.n));
    l->rows.n++;
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

static void begin_cache(struct step *s, int i)
{
    struct kv_cache *c = s->caches[i];
    size_t width = (size_t)c->shape.n_kv_heads * (size_t)c->shape.head_dim;
    c->layer_start = kv_cache_seconds(c);
    begin_row(c, &c->layers[s->layer], s->k + (size_t)i * width, s->v + (size_t)i * width);
}

/* Takes the new row and attends. */
static void attend_head(struct step *s, int i, int kv_head)
{
    struct kv_cache *c = s->caches[i];
    struct layer *l = &c->layers[s->layer];
    int group = group_of(c), d = c->shape.head_dim, first = kv_head * group;
    size_t row = ((size_t)i * (size_t)c->shape.n_kv_heads) * (size_t)d;
    size_t at = (row + (size_t)kv_head * (size_t)d) * (size_t)group;
    struct kv_rows rows = kv_rows_one(s->k + row, s->v + row);
    l->rows.codec->append(l->rows.store, kv_head, &rows, c->own_record ? l->record : NULL);
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

static void end_cache(struct step *s, int i)
{
    struct kv_cache *c = s->caches[i];
    struct layer *l = &c->layers[s->layer];
    const struct kv_chain *chain = c->chain;
    int watch = chain->owner[KV_OBSERVE], order = chain->owner[KV_ORDER];
    if (watch >= 0)
        for (int h = 0; h < c->shape.n_heads; h++) {
            size_t at = (size_t)h * (size_t)c->cap;
            chain->links[watch].method->observe_step(&l->parts[watch], h, c->ranges + at,
                                                     c->n_ranges[h], c->weights + at);
        }
    c->read_full += kv_cache_full_bits(c, l);
    if (order >= 0)
        chain->links[order].method->step_end(&l->parts[order], &l->rows);
}

/* ---- by heads ---- */

static void begin_item(void *arg, int i, int worker)
{
    struct step *s = arg;
    double start = clock_seconds();
    (void)worker;
    begin_cache(s, i);
    s->caches[i]->seconds[0] += clock_seconds() - start;
}

static void head_item(void *arg, int item, int worker)
{
    struct step *s = arg;
    int heads = s->caches[0]->shape.n_kv_heads, i = s->order[item / heads];
    double start = clock_seconds();
    (void)worker;
    attend_head(s, i, item % heads);
    s->caches[i]->seconds[item % heads] += clock_seconds() - start;
}

static void end_item(void *arg, int i, int worker)
{
    struct step *s = arg;
    double start = clock_seconds();
    (void)worker;
    end_cache(s, i);
    s->caches[i]->seconds[0] += clock_seconds() - start;
}

/* ---- by caches ---- */

/* Asks for the head after this one; behind the last, for the first of the cache that this thread
 * comes to next when all take turns. */
static void expect_next(const struct step *s, int item, int kv_head)
{
    const struct kv_cache *c = s->caches[s->order[item]];
    int next = item + pool_threads(s->engine->pool);
    if (kv_head == c->shape.n_kv_heads) {
        if (next >= s->n)
            return;
        c = s->caches[s->order[next]];
        kv_head = 0;
    }
    const struct kv_layer *rows = &c->layers[s->layer].rows;
    if (rows->codec->expect)
        rows->codec->expect(rows->store, kv_head);
}

static void cache_item(void *arg, int item, int worker)
{
    struct step *s = arg;
    int i = s->order[item];
    struct kv_cache *c = s->caches[i];
    double start = clock_seconds();
    (void)worker;
    begin_cache(s, i);
    for (int h = 0; h < c->shape.n_kv_heads; h++) {
        expect_next(s, item, h + 1);
        attend_head(s, i, h);
    }
    end_cache(s, i);
    c->seconds[0] += clock_seconds() - start;
}

/* By what the layer before cost, the most first; which says nothing of results. */
static void order_caches(struct step *s, int n)
{
    for (int i = 0; i < n; i++) {
        int at = i;
        for (; at > 0 && s->caches[s->order[at - 1]]->cost < s->caches[i]->cost; at--)
            s->order[at] = s->order[at - 1];
        s->order[at] = (short)i;
    }
}

void kv_cache_attend(struct kv_cache *const *caches, int n, const struct kv_engine *engine,
                     int layer, const float *q, float *k, float *v, float *out)
{
    struct step s = {.caches = caches,
                     .engine = engine,
                     .layer = layer,
                     .n = n,
                     .q = q,
                     .k = k,
                     .v = v,
                     .out = out};
    assert(n > 0 && n <= KV_STEP_MAX);
    order_caches(&s, n);
    if (n >= CACHES_A_THREAD * pool_threads(engine->pool)) {
        pool_run(engine->pool, n, cache_item, &s);
    } else {
        pool_run(engine->pool, n, begin_item, &s);
        pool_run(engine->pool, n * caches[0]->shape.n_kv_heads, head_item, &s);
        pool_run(engine->pool, n, end_item, &s);
    }
    for (int i = 0; i < n; i++)
        caches[i]->cost = kv_cache_seconds(caches[i]) - caches[i]->layer_start;
}
