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

/* The rows of the slot's KV heads: in a row's order they lie side by side. */
static struct kv_rows row_of(const struct kv_cache *c, int slot, float *k, float *v)
{
    int first = kv_cache_source(c, slot * c->inside.n_kv_heads) * c->shape.head_dim;
    return kv_rows_one(k + first, v + first);
}

static const void *record_of(const struct kv_cache *c, int slot)
{
    size_t each = c->record / (size_t)c->shape.n_kv_heads;
    int first = kv_cache_source(c, slot * c->inside.n_kv_heads);
    return c->record ? c->row_record + (size_t)first * each : NULL;
}

static void begin_row(struct kv_cache *c, int layer, float *k, float *v)
{
    const struct kv_chain *chain = c->chain;
    int link = chain->owner[KV_APPEND];
    if (link >= 0)
        chain->links[link].method->append(&c->append[layer], k, v,
                                          c->record ? c->row_record : NULL);
    for (int i = 0; i < c->n_slots; i++) {
        struct slot *s = &kv_cache_slots(c, layer)[i];
        struct kv_rows row = row_of(c, i, k, v);
        s->rows.codec->begin(s->rows.store, &row, kv_cache_due(c, s, s->rows.n));
        kv_cache_trace_row(c, s);
        s->rows.n++;
    }
}

static size_t width_of_queries(const struct kv_cache *c)
{
    return (size_t)c->shape.n_heads * (size_t)c->shape.head_dim;
}

static int group_of(const struct kv_cache *c)
{
    return c->inside.n_heads / c->inside.n_kv_heads;
}

/* One KV head of a slot, and the query heads that read it. */
struct unit {
    struct kv_cache *c;
    struct slot *slot;
    int index;   // of all units of the layer
    int kv_head; // of the slot
    int first;   // query head, of the model
};

static struct unit unit_of(struct kv_cache *c, int layer, int u)
{
    int heads = c->inside.n_kv_heads;
    return (struct unit){c, &kv_cache_slots(c, layer)[u / heads], u, u % heads, u * group_of(c)};
}

/* The rows that the query heads of a unit read. */
static void choose_rows(const struct unit *u, const float *q)
{
    struct kv_cache *c = u->c;
    int link = c->chain->owner[KV_SELECT];
    struct kv_range *ranges = c->ranges + (size_t)u->first * (size_t)c->cap;
    for (int g = 0; g < group_of(c); g++)
        c->n_ranges[u->first + g] = 0;
    if (link >= 0) {
        struct kv_part part = u->slot->parts[link];
        part.scratch = c->select_scratch + (size_t)u->index * c->select_bytes;
        c->chain->links[link].method->select(&part, &u->slot->rows, u->kv_head, q, ranges,
                                             c->n_ranges + u->first, c->cap);
    }
}

/* The codec's basis (codec.h): into it, and back. */
static void enter(const struct unit *u, float *q, int n)
{
    if (u->slot->codec->enter)
        u->slot->codec->enter(&u->slot->parts[u->c->chain->owner[KV_CODEC]], q, n);
}

static void leave(const struct unit *u, float *out, int n)
{
    if (u->slot->codec->leave)
        u->slot->codec->leave(&u->slot->parts[u->c->chain->owner[KV_CODEC]], out, n);
}

/* n queries from `head` on as the rows meet them: a copy, where they are turned. */
static const float *met(const struct unit *u, int head, const float *q, int n)
{
    size_t d = (size_t)u->c->shape.head_dim;
    float *copy = u->c->turned + (size_t)head * d;
    if (!u->slot->codec->enter)
        return q;
    memcpy(copy, q, (size_t)n * d * sizeof *q);
    enter(u, copy, n);
    return copy;
}

/* Scores of ranges, each of which meets the query as the method turns it. */
static void score_turned(const struct unit *u, int head, const float *q, const struct kv_range *r,
                         int n, float *w)
{
    struct kv_cache *c = u->c;
    int d = c->shape.head_dim, link = c->chain->owner[KV_SELECT];
    const struct kv_layer *rows = &u->slot->rows;
    float *turned = c->turned + (size_t)head * (size_t)d;
    for (int i = 0; i < n; w += r[i++].n) {
        memcpy(turned, q, (size_t)d * sizeof *q);
        c->chain->links[link].method->turn(&u->slot->parts[link], r[i], turned);
        enter(u, turned, 1);
        rows->codec->scores(rows->store, u->kv_head, turned, 1, r + i, 1, sqrtf((float)d), w,
                            c->cap);
    }
}

static void score_ranges(const struct unit *u, int head, const float *q, const struct kv_range *r,
                         int n, float *w)
{
    struct kv_cache *c = u->c;
    const struct kv_layer *rows = &u->slot->rows;
    if (c->chain->links[c->chain->owner[KV_SELECT]].method->turn)
        score_turned(u, head, q, r, n, w);
    else
        rows->codec->scores(rows->store, u->kv_head, met(u, head, q, 1), 1, r, n,
                            sqrtf((float)c->shape.head_dim), w, c->cap);
}

/* What a head reads, in its own ranges. */
static void attend_ranges(const struct unit *u, const struct kernels *kn, int head, const float *q,
                          float *out)
{
    struct kv_cache *c = u->c;
    int d = c->shape.head_dim, n = c->n_ranges[head], m = 0;
    const struct kv_range *r = c->ranges + (size_t)head * (size_t)c->cap;
    float *w = c->weights + (size_t)head * (size_t)c->cap;
    for (int i = 0; i < n; i++)
        m += r[i].n;
    score_ranges(u, head, q, r, n, w);
    kn->softmax(w, m);
    memset(out, 0, (size_t)d * sizeof *out);
    u->slot->rows.codec->mix(u->slot->rows.store, u->kv_head, w, c->cap, 1, r, n, out);
    leave(u, out, 1);
}

/* All rows, for the heads that share them: piece by piece, so that a piece is fetched once and is
 * near for the other heads. The same sums in the same order as one head after the other. */
static void attend_all(const struct unit *u, const struct kernels *kn, const float *q, float *out)
{
    const struct kv_cache *c = u->c;
    const struct kv_layer *l = &u->slot->rows;
    int d = c->shape.head_dim, group = group_of(c), rows = l->n;
    int piece = group == 1 || d > PIECE ? rows : PIECE / d;
    float *w = c->weights + (size_t)u->first * (size_t)c->cap;
    q = met(u, u->first, q, group);
    for (int t = 0; t < rows; t += piece) {
        struct kv_range r = {t, rows - t < piece ? rows - t : piece};
        l->codec->scores(l->store, u->kv_head, q, group, &r, 1, sqrtf((float)d), w + t, c->cap);
    }
    for (int h = 0; h < group; h++)
        kn->softmax(w + (size_t)h * (size_t)c->cap, rows);
    memset(out, 0, (size_t)group * (size_t)d * sizeof *out);
    for (int t = 0; t < rows; t += piece) {
        struct kv_range r = {t, rows - t < piece ? rows - t : piece};
        l->codec->mix(l->store, u->kv_head, w + t, c->cap, group, &r, 1, out);
    }
    leave(u, out, group);
}

static void begin_cache(struct step *s, int i)
{
    struct kv_cache *c = s->caches[i];
    size_t width = (size_t)c->shape.n_kv_heads * (size_t)c->shape.head_dim;
    c->layer_start = kv_cache_seconds(c);
    begin_row(c, s->layer, s->k + (size_t)i * width, s->v + (size_t)i * width);
}

/* Takes the new row and attends. */
static void attend_unit(struct step *s, int i, int unit)
{
    struct kv_cache *c = s->caches[i];
    struct unit u = unit_of(c, s->layer, unit);
    struct kv_layer *l = &u.slot->rows;
    int group = group_of(c), d = c->shape.head_dim, slot = unit / c->inside.n_kv_heads;
    size_t row = (size_t)i * (size_t)c->shape.n_kv_heads * (size_t)d;
    size_t at = ((size_t)i * (size_t)c->shape.n_heads + (size_t)u.first) * (size_t)d;
    struct kv_rows rows = row_of(c, slot, s->k + row, s->v + row);
    l->codec->append(l->store, u.kv_head, &rows, record_of(c, slot));
    choose_rows(&u, s->q + at);
    if (c->n_ranges[u.first] == 0) {
        attend_all(&u, s->engine->kernels, s->q + at, s->out + at);
        for (int h = u.first; h < u.first + group; h++) {
            c->ranges[(size_t)h * (size_t)c->cap] = (struct kv_range){0, l->n};
            c->n_ranges[h] = 1;
        }
        return;
    }
    for (int g = 0; g < group; g++)
        attend_ranges(&u, s->engine->kernels, u.first + g, s->q + at + g * d, s->out + at + g * d);
}

/* All units that have rows of one of the model's KV heads. */
static void attend_head(struct step *s, int i, int kv_head)
{
    const struct kv_cache *c = s->caches[i];
    int each = kv_cache_units(c) / c->shape.n_kv_heads;
    for (int u = kv_head * each; u < (kv_head + 1) * each; u++)
        attend_unit(s, i, u);
}

static void watch_slot(struct kv_cache *c, struct slot *s, int link)
{
    const struct kv_method *m = c->chain->links[link].method;
    for (int h = 0; h < c->inside.n_heads && m->observe_step; h++) {
        size_t at = (size_t)(s->parts[link].head + h) * (size_t)c->cap;
        m->observe_step(&s->parts[link], h, c->ranges + at, c->n_ranges[s->parts[link].head + h],
                        c->weights + at);
    }
}

static void drop_rows(struct kv_cache *c, struct slot *s)
{
    int link = c->chain->owner[KV_EVICT], row;
    if (link < 0)
        return;
    while ((row = c->chain->links[link].method->evict(&s->parts[link], &s->rows)) >= 0) {
        s->rows.codec->drop(s->rows.store, row);
        kv_cache_trace_drop(c, s, row);
        s->rows.n--;
        s->rows.moved = row < s->rows.moved ? row : s->rows.moved;
    }
}

static void end_slot(struct kv_cache *c, struct slot *s)
{
    int order = c->chain->owner[KV_ORDER];
    for (int k = 0; k < c->chain->n; k++)
        watch_slot(c, s, k);
    s->rows.moved = s->rows.n;
    if (order >= 0)
        s->rows.moved = c->chain->links[order].method->step_end(&s->parts[order], &s->rows);
    drop_rows(c, s);
}

static void end_cache(struct step *s, int i)
{
    struct kv_cache *c = s->caches[i];
    if (c->watch)
        c->watch(c->watch_arg, c, s->layer, s->q + (size_t)i * width_of_queries(c));
    for (int k = 0; k < c->n_slots; k++)
        end_slot(c, &kv_cache_slots(c, s->layer)[k]);
    c->read_full += kv_cache_full_bits(c, c->n + 1);
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
    int unit = kv_head * (kv_cache_units(c) / c->shape.n_kv_heads);
    const struct slot *slot = &kv_cache_slots(c, s->layer)[unit / c->inside.n_kv_heads];
    if (slot->rows.codec->expect)
        slot->rows.codec->expect(slot->rows.store, unit % c->inside.n_kv_heads);
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
