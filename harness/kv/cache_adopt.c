/*
 * Caches take a layer of a prompt. Those that would hold the same content are few among many
 * settings: the first of each kind packs, and the others copy from it.
 */
#include "harness/kv/cache_int.h"

#include <assert.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/kv/rows.h"

enum { PACKERS_MAX = 64 }; // threads beyond that wait

struct adoption {
    struct kv_cache *const *caches;
    int n, layer;
    const struct kv_prompt *prompt;
    struct kv_cache *packers[PACKERS_MAX]; // at work, one a thread's scratch
    const void *const *seen[PACKERS_MAX];
};

/* What was observed for the links of cache i. */
static const void *const *seen_by(const struct adoption *a, int i)
{
    return a->prompt->seen + (size_t)i * KV_CHAIN_MAX;
}

static bool rearranges(const struct kv_chain *chain)
{
    for (int k = 0; k < chain->n; k++)
        if (chain->links[k].method->adopt)
            return true;
    return false;
}

/* The first cache with the content of cache i; i itself when it must pack. */
static int source_of(const struct adoption *a, int i)
{
    const struct kv_codec *codec = kv_cache_slots(a->caches[i], a->layer)->rows.codec;
    for (int j = 0; codec->copy && j < i; j++)
        if (a->caches[j]->cap == a->caches[i]->cap && !a->caches[j]->at == !a->caches[i]->at &&
            !memcmp(seen_by(a, j), seen_by(a, i), KV_CHAIN_MAX * sizeof(void *)) &&
            !strcmp(a->caches[j]->content, a->caches[i]->content))
            return j;
    return i;
}

/* ---- packing: a copy of the rows, which the methods arrange, and the codec takes ---- */

static void copy_head(const struct kv_rows *to, const struct kv_rows *from, int d, int head)
{
    size_t bytes = (size_t)from->n * (size_t)d * sizeof(float);
    assert(from->n <= to->cap);
    memcpy(kv_rows_k(to, d, head, 0), kv_rows_k(from, d, head, 0), bytes);
    memcpy(kv_rows_v(to, d, head, 0), kv_rows_v(from, d, head, 0), bytes);
}

static void copy_rows(void *arg, int item, int worker)
{
    struct adoption *a = arg;
    int heads = a->caches[0]->shape.n_kv_heads, i = item / heads;
    struct kv_rows *scratch = &a->prompt->scratch[i];
    (void)worker;
    if (rearranges(a->packers[i]->chain))
        copy_head(scratch, a->prompt->rows, a->caches[0]->shape.head_dim, item % heads);
}

/* What the codec gets. */
static const struct kv_rows *rows_of(const struct adoption *a, int i)
{
    return rearranges(a->packers[i]->chain) ? &a->prompt->scratch[i] : a->prompt->rows;
}

static void arrange(void *arg, int i, int worker)
{
    struct adoption *a = arg;
    struct kv_cache *c = a->packers[i];
    struct slot *l = kv_cache_slots(c, a->layer);
    struct kv_kept all = {a->prompt->rows->n, NULL};
    (void)worker;
    assert(l->rows.n == 0 && a->prompt->rows->n <= c->cap);
    a->prompt->scratch[i].n = a->prompt->rows->n;
    kv_cache_trace_prompt(c, l, &all, all.n_prompt);
    for (int k = 0; k < c->chain->n; k++)
        if (c->chain->links[k].method->adopt)
            c->chain->links[k].method->adopt(&l->parts[k], &a->prompt->scratch[i], &all,
                                             a->seen[i][k]);
    const struct kv_rows *rows = rows_of(a, i);
    l->rows.codec->begin(l->rows.store, rows, kv_cache_due(c, l, rows->n));
    l->rows.n = rows->n;
}

static void pack(void *arg, int item, int worker)
{
    struct adoption *a = arg;
    int heads = a->caches[0]->shape.n_kv_heads, i = item / heads;
    const struct kv_cache *c = a->packers[i];
    const struct kv_layer *rows = &kv_cache_slots(c, a->layer)->rows;
    (void)worker;
    rows->codec->append(rows->store, item % heads, rows_of(a, i),
                        c->record ? a->prompt->records : NULL);
}

/* Head by head, so that one cache alone is shared out, too. */
static void pack_some(struct adoption *a, struct pool *pool, int n)
{
    int heads = a->caches[0]->shape.n_kv_heads;
    pool_run(pool, n * heads, copy_rows, a);
    pool_run(pool, n, arrange, a);
    pool_run(pool, n * heads, pack, a);
}

/* As many at a time as there is scratch; those that lose rows alone. */
static void pack_all(struct adoption *a, const struct kv_engine *engine)
{
    struct pool *pool = engine->pool;
    int most = pool_threads(pool) < PACKERS_MAX ? pool_threads(pool) : PACKERS_MAX, some = 0;
    for (int i = 0; i < a->n; i++) {
        if (source_of(a, i) != i)
            continue;
        if (a->caches[i]->n_slots > 1 || a->caches[i]->chain->owner[KV_SCORE] >= 0) {
            kv_cache_compress(a->caches[i], engine, a->layer, a->prompt, seen_by(a, i));
            continue;
        }
        a->packers[some] = a->caches[i];
        a->seen[some++] = seen_by(a, i);
        if (some == most) {
            pack_some(a, pool, some);
            some = 0;
        }
    }
    pack_some(a, pool, some);
}

/* ---- copying ---- */

static void copy_slot(const struct kv_cache *c, struct slot *to, const struct slot *from)
{
    assert(to->rows.n == 0 && from->rows.n <= c->cap);
    for (int k = 0; k < c->chain->n; k++) {
        const struct kv_link *link = &c->chain->links[k];
        if (link->method->state_size)
            memcpy(to->parts[k].state, from->parts[k].state,
                   link->method->state_size(link->opt, &c->inside, c->cap));
    }
    to->rows.codec->copy(to->rows.store, from->rows.store);
    kv_cache_trace_copy(c, to, from);
    to->rows.n = from->rows.n;
}

static void copy_content(void *arg, int i, int worker)
{
    struct adoption *a = arg;
    struct kv_cache *c = a->caches[i];
    int source = source_of(a, i);
    (void)worker;
    if (source == i)
        return;
    for (int k = 0; k < c->n_slots; k++)
        copy_slot(c, &kv_cache_slots(c, a->layer)[k],
                  &kv_cache_slots(a->caches[source], a->layer)[k]);
}

void kv_cache_adopt(struct kv_cache *const *caches, int n, const struct kv_engine *engine,
                    int layer, const struct kv_prompt *prompt)
{
    struct adoption a = {.caches = caches, .n = n, .layer = layer, .prompt = prompt};
    if (n == 0)
        return;
    pack_all(&a, engine);
    pool_run(engine->pool, n, copy_content, &a);
}
