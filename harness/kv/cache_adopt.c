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
    const void *seen[PACKERS_MAX];
};

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
    const struct kv_codec *codec = a->caches[i]->layers[a->layer].rows.codec;
    for (int j = 0; codec->copy && j < i; j++)
        if (a->prompt->seen[j] == a->prompt->seen[i] &&
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
    struct layer *l = &c->layers[a->layer];
    (void)worker;
    assert(l->rows.n == 0 && a->prompt->rows->n <= c->cap);
    a->prompt->scratch[i].n = a->prompt->rows->n;
    for (int k = 0; k < c->chain->n; k++)
        if (c->chain->links[k].method->adopt)
            c->chain->links[k].method->adopt(&l->parts[k], &a->prompt->scratch[i], a->seen[i]);
    const struct kv_rows *rows = rows_of(a, i);
    l->rows.codec->begin(l->rows.store, rows, kv_cache_due(c, l, rows->n));
    l->rows.n = rows->n;
}

static void pack(void *arg, int item, int worker)
{
    struct adoption *a = arg;
    int heads = a->caches[0]->shape.n_kv_heads, i = item / heads;
    const struct kv_cache *c = a->packers[i];
    const struct kv_layer *rows = &c->layers[a->layer].rows;
    (void)worker;
    rows->codec->append(rows->store, item % heads, rows_of(a, i),
                        c->own_record ? a->prompt->records : NULL);
}

/* Head by head, so that one cache alone is shared out, too. */
static void pack_some(struct adoption *a, struct pool *pool, int n)
{
    int heads = a->caches[0]->shape.n_kv_heads;
    pool_run(pool, n * heads, copy_rows, a);
    pool_run(pool, n, arrange, a);
    pool_run(pool, n * heads, pack, a);
}

/* As many at a time as there is scratch. */
static void pack_all(struct adoption *a, struct pool *pool)
{
    int most = pool_threads(pool) < PACKERS_MAX ? pool_threads(pool) : PACKERS_MAX, some = 0;
    for (int i = 0; i < a->n; i++) {
        if (source_of(a, i) != i)
            continue;
        a->packers[some] = a->caches[i];
        a->seen[some++] = a->prompt->seen[i];
        if (some == most) {
            pack_some(a, pool, some);
            some = 0;
        }
    }
    pack_some(a, pool, some);
}

/* ---- copying ---- */

static void copy_content(void *arg, int i, int worker)
{
    struct adoption *a = arg;
    struct kv_cache *c = a->caches[i];
    int source = source_of(a, i);
    (void)worker;
    if (source == i)
        return;
    struct layer *to = &c->layers[a->layer];
    const struct layer *from = &a->caches[source]->layers[a->layer];
    assert(to->rows.n == 0 && from->rows.n <= c->cap);
    for (int k = 0; k < c->chain->n; k++) {
        const struct kv_link *link = &c->chain->links[k];
        if (link->method->state_size)
            memcpy(to->parts[k].state, from->parts[k].state,
                   link->method->state_size(link->opt, &c->shape));
    }
    to->rows.codec->copy(to->rows.store, from->rows.store);
    to->rows.n = from->rows.n;
}

void kv_cache_adopt(struct kv_cache *const *caches, int n, const struct kv_engine *engine,
                    int layer, const struct kv_prompt *prompt)
{
    struct adoption a = {.caches = caches, .n = n, .layer = layer, .prompt = prompt};
    if (n == 0)
        return;
    pack_all(&a, engine->pool);
    pool_run(engine->pool, n, copy_content, &a);
}
