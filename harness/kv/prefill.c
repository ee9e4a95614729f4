#include "harness/kv/prefill.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/kv/rows.h"
#include "harness/tensor/gemm.h"

enum { QUERY_BLOCK = 64 }; // queries of one product: [64][n] scores a thread, never [n][n]
enum { PUSH_ROWS = 32 };   // rows that a thread takes at a time

/* One thing to observe in one layer, shared by all chains that ask for it with the same key. */
struct observer {
    char *key;
    const struct kv_method *method;
    int from; // the first query whose rows it needs
    void *seen;
    bool borrowed; // of a replay, which outlives the layer
    struct observer *next;
};

struct kv_prefill {
    struct kv_engine engine;
    struct kv_shape shape;
    struct kv_cache *const *caches;
    int n_caches, n_prompt, layer;
    struct kv_rows rows;        // of the layer at work
    struct observer *observers; // of the layer at work
    const struct kv_method *append;
    struct kv_part append_part;
    size_t record_size;
    char *records;           // [n_prompt][record_size] of the layer at work
    const void **seen;       // [n_caches][KV_CHAIN_MAX]: what methods observed
    struct kv_rows *scratch; // for each thread room for a setting's copy of the rows
    float **scores;          // [threads][QUERY_BLOCK][scores_ld(n_prompt)]
    /* Keys of the layer at work as panels (kernels.h), where products are computed by these. */
    float *key_panels;                 // [n_kv_heads][n_panels][head_dim][PANEL_WIDTH]
    int n_panels, n_packed;            // keys that have come into panels
    struct kv_prefix *prefix;          // or NULL
    int have, keep;                    // tokens taken from it, and those that go into it
    struct kv_replay *watch;           // what comes is a replay; or NULL
    int part_from, part_to;            // of these rows
    const struct kv_replays *replayed; // or NULL
};

/* From one row of scores to the next: not as far as pages lie apart, which would share few sets of
 * the processor's caches. */
static int scores_ld(int seen)
{
    return (seen + 15) / 16 * 16 + 16;
}

static char *observe_key_dup(const struct kv_link *l, const struct kv_shape *shape, int layer,
                             int n_prompt)
{
    struct buf key;
    buf_init(&key);
    if (l->method->observe_key)
        l->method->observe_key(l->opt, shape, layer, n_prompt, &key);
    return key.s;
}

static struct observer *find_observer(struct observer *list, const char *key)
{
    while (list && strcmp(list->key, key))
        list = list->next;
    return list;
}

static void add_observer(struct kv_prefill *p, const struct kv_link *l)
{
    if (l->method->replay)
        return;
    char *key = observe_key_dup(l, &p->shape, p->layer, p->n_prompt);
    if (!*key || find_observer(p->observers, key)) {
        free(key);
        return;
    }
    struct observer *o = xcalloc(1, sizeof *o);
    o->key = key;
    o->method = l->method;
    o->from = l->method->observe_from ? l->method->observe_from(l->opt, p->n_prompt) : 0;
    o->seen = l->method->observe_new(l->opt, &p->shape, p->n_prompt);
    if (l->method->observe_rope)
        l->method->observe_rope(o->seen, &p->engine.rope);
    o->next = p->observers;
    p->observers = o;
}

static void add_observers(struct kv_prefill *p, const struct kv_chain *c)
{
    for (int i = 0; i < c->n; i++)
        add_observer(p, &c->links[i]);
}

/* A replay's object sees what comes behind the prompt. */
static void add_watcher(struct kv_prefill *p)
{
    struct kv_replay *r = p->watch;
    struct observer *o = xcalloc(1, sizeof *o);
    o->method = r->method;
    o->from = r->n_prompt;
    o->seen = r->seen;
    o->borrowed = true;
    p->observers = o;
    r->method->replay_part(r->seen, p->layer, p->part_from, p->part_to);
}

/* Does one need the rows of queries before `end`, or queries? */
static bool needs_rows(const struct kv_prefill *p, int end)
{
    for (const struct observer *o = p->observers; o; o = o->next)
        if (o->method->observe_rows && o->from < end)
            return true;
    return false;
}

static bool needs_queries(const struct kv_prefill *p)
{
    for (const struct observer *o = p->observers; o; o = o->next)
        if (o->method->observe_queries)
            return true;
    return false;
}

static void free_observers(struct kv_prefill *p)
{
    while (p->observers) {
        struct observer *o = p->observers;
        p->observers = o->next;
        if (!o->borrowed)
            o->method->observe_free(o->seen);
        free(o->key);
        free(o);
    }
}

static void open_append(struct kv_prefill *p, const struct kv_chain *c)
{
    p->append = kv_chain_method(c, KV_APPEND);
    if (!p->append)
        return;
    const void *opt = c->links[c->owner[KV_APPEND]].opt;
    p->append_part = (struct kv_part){
        .opt = opt, .shape = p->shape, .kernels = p->engine.kernels, .rope = &p->engine.rope};
    p->record_size = p->append->record_size ? p->append->record_size(opt, &p->shape) : 0;
    p->records = mem_aligned(mem_size(p->record_size, (size_t)p->n_prompt));
}

static void take_shared(struct kv_prefill *p);

static void begin_layer(struct kv_prefill *p, int layer)
{
    p->layer = layer;
    p->rows.n = 0;
    p->n_packed = 0;
    p->append_part.layer = layer;
    for (int i = 0; i < p->n_caches && layer < p->shape.n_layers; i++)
        add_observers(p, kv_cache_chain(p->caches[i]));
    if (p->watch && layer < p->shape.n_layers)
        add_watcher(p);
    if (p->have && layer < p->shape.n_layers)
        take_shared(p);
}

struct kv_prefill *kv_prefill_new(const struct kv_engine *engine, const struct kv_shape *shape,
                                  struct kv_cache *const *caches, int n_caches, int n_prompt)
{
    assert(n_prompt > 0);
    struct kv_prefill *p = xcalloc(1, sizeof *p);
    int threads = pool_threads(engine->pool);
    p->engine = *engine;
    p->shape = *shape;
    p->caches = caches;
    p->n_caches = n_caches;
    p->n_prompt = n_prompt;
    kv_rows_init(&p->rows, shape, n_prompt);
    p->seen = xcalloc(mem_size((size_t)n_caches, KV_CHAIN_MAX), sizeof *p->seen);
    p->scores = xcalloc((size_t)threads, sizeof *p->scores);
    p->scratch = xcalloc((size_t)threads, sizeof *p->scratch);
    p->n_panels = (n_prompt + PANEL_WIDTH - 1) / PANEL_WIDTH;
    size_t padded = (size_t)p->n_panels * PANEL_WIDTH;
    if (gemm_has_panels(engine->kernels, engine->plain))
        p->key_panels = mem_aligned(
            mem_size(padded, (size_t)shape->n_kv_heads * (size_t)shape->head_dim * sizeof(float)));
    for (int t = 0; t < threads; t++) { // untouched memory costs nothing
        p->scores[t] =
            mem_aligned(mem_size((size_t)scores_ld(n_prompt), QUERY_BLOCK * sizeof(float)));
        kv_rows_init(&p->scratch[t], shape, n_prompt);
    }
    if (n_caches)
        open_append(p, kv_cache_chain(caches[0]));
    begin_layer(p, 0);
    return p;
}

void kv_prefill_free(struct kv_prefill *p)
{
    if (!p)
        return;
    free_observers(p);
    for (int t = 0; t < pool_threads(p->engine.pool); t++) {
        free(p->scores[t]);
        kv_rows_release(&p->scratch[t]);
    }
    kv_rows_release(&p->rows);
    free(p->key_panels);
    free(p->scores);
    free(p->seen);
    free(p->scratch);
    free(p->records);
    free(p);
}

struct job {
    struct kv_prefill *p;
    int first, n; // tokens
    const float *q;
    float *out; // NULL: only what observers see
};

/* Row i of the block: causal softmax, and zeros where later keys stand, for the product with V. */
static void normalise(const struct kv_prefill *p, float *s, int ld, int first, int n)
{
    for (int i = 0; i < n; i++) {
        float *row = s + (long)i * ld;
        int visible = first + i + 1;
        p->engine.kernels->softmax(row, visible);
        memset(row + visible, 0, (size_t)(first + n - visible) * sizeof *row);
    }
}

static float *key_panel(const struct kv_prefill *p, int kv_head, int i)
{
    size_t panel = (size_t)p->shape.head_dim * PANEL_WIDTH;
    return p->key_panels + ((size_t)kv_head * (size_t)p->n_panels + (size_t)i) * panel;
}

/* s[n][ld]: the products of n queries with the first `seen` keys, scaled. */
static void score_block(const struct kv_prefill *p, float *s, int ld, const float *q, int kv_head,
                        int n, int seen)
{
    int d = p->shape.head_dim, ld_q = p->shape.n_heads * d;
    float scale = 1.0f / sqrtf((float)d);
    if (!p->key_panels) {
        gemm_nt(p->engine.plain, s, ld, q, ld_q, kv_rows_k(&p->rows, d, kv_head, 0), d, n, seen, d,
                scale);
        return;
    }
    for (int at = 0; at < seen; at += PANEL_WIDTH)
        p->engine.kernels->panel_mul(
            s + at, ld, q, ld_q, n, key_panel(p, kv_head, at / PANEL_WIDTH), PANEL_WIDTH,
            seen - at < PANEL_WIDTH ? seen - at : PANEL_WIDTH, d, scale, false);
}

/* Value rows lie as a panel does. */
static void mix_block(const struct kv_prefill *p, float *out, const float *s, int ld, int kv_head,
                      int n, int seen)
{
    int d = p->shape.head_dim, ld_out = p->shape.n_heads * d;
    const float *v = kv_rows_v(&p->rows, d, kv_head, 0);
    if (p->key_panels)
        p->engine.kernels->panel_mul(out, ld_out, s, ld, n, v, d, d, seen, 1.0f, false);
    else
        gemm_nn(p->engine.plain, out, ld_out, s, ld, v, d, n, d, seen);
}

/* Queries i to i + QUERY_BLOCK of the chunk, in one head. */
static void attend_block(const struct job *j, int head, int i, int worker)
{
    struct kv_prefill *p = j->p;
    int d = p->shape.head_dim, kv_head = head / (p->shape.n_heads / p->shape.n_kv_heads);
    int n = j->n - i < QUERY_BLOCK ? j->n - i : QUERY_BLOCK, first = j->first + i, seen = first + n;
    int ld = scores_ld(seen);
    long at = (long)i * p->shape.n_heads * d + (long)head * d;
    float *s = p->scores[worker];
    score_block(p, s, ld, j->q + at, kv_head, n, seen);
    normalise(p, s, ld, first, n);
    for (struct observer *o = p->observers; o; o = o->next)
        if (o->method->observe_rows && o->from < seen)
            o->method->observe_rows(o->seen, head, first, n, s, ld);
    if (j->out)
        mix_block(p, j->out + at, s, ld, kv_head, n, seen);
}

static void show_queries(void *arg, int head, int worker)
{
    const struct job *j = arg;
    int d = j->p->shape.head_dim;
    (void)worker;
    for (struct observer *o = j->p->observers; o; o = o->next)
        if (o->method->observe_queries)
            o->method->observe_queries(o->seen, head, j->first, j->n, j->q + (long)head * d,
                                       j->p->shape.n_heads * d);
}

/* Observers see a head's queries in order: then a head is one item. */
static void attend_head(void *arg, int head, int worker)
{
    const struct job *j = arg;
    for (int i = 0; i < j->n; i += QUERY_BLOCK)
        attend_block(j, head, i, worker);
}

/* Else every block is: more to share out, in an order that keeps a head's rows in the caches. */
static void attend_unseen(void *arg, int item, int worker)
{
    const struct job *j = arg;
    int blocks = (j->n + QUERY_BLOCK - 1) / QUERY_BLOCK;
    attend_block(j, item / blocks, item % blocks * QUERY_BLOCK, worker);
}

/* Without `out` only what is observed is computed. */
static void attend_all(struct job *j)
{
    struct kv_prefill *p = j->p;
    int blocks = (j->n + QUERY_BLOCK - 1) / QUERY_BLOCK;
    if (needs_queries(p))
        pool_run(p->engine.pool, p->shape.n_heads, show_queries, j);
    if (needs_rows(p, j->first + j->n))
        pool_run(p->engine.pool, p->shape.n_heads, attend_head, j);
    else if (j->out)
        pool_run(p->engine.pool, p->shape.n_heads * blocks, attend_unseen, j);
}

/* New rows of K and V, and where they go. */
struct arrival {
    struct kv_prefill *p;
    float *k, *v; // [n][n_kv_heads * head_dim]
    int n;
};

static void push_row(const struct kv_prefill *p, float *k, float *v, int t)
{
    int d = p->shape.head_dim;
    size_t bytes = (size_t)d * sizeof(float);
    if (p->append)
        p->append->append(&p->append_part, k, v,
                          p->record_size ? p->records + (size_t)t * p->record_size : NULL);
    for (int h = 0; h < p->shape.n_kv_heads; h++) {
        memcpy(kv_rows_k(&p->rows, d, h, t), k + h * d, bytes);
        memcpy(kv_rows_v(&p->rows, d, h, t), v + h * d, bytes);
    }
}

static void push_some(void *arg, int item, int worker)
{
    const struct arrival *a = arg;
    size_t width = (size_t)a->p->shape.n_kv_heads * (size_t)a->p->shape.head_dim;
    int end = (item + 1) * PUSH_ROWS < a->n ? (item + 1) * PUSH_ROWS : a->n;
    (void)worker;
    for (int i = item * PUSH_ROWS; i < end; i++)
        push_row(a->p, a->k + (size_t)i * width, a->v + (size_t)i * width, a->p->rows.n + i);
}

static void push_rows(struct kv_prefill *p, float *k, float *v, int n)
{
    struct arrival a = {p, k, v, n};
    assert(p->layer < p->shape.n_layers && p->rows.n + n <= p->n_prompt);
    pool_run(p->engine.pool, (n + PUSH_ROWS - 1) / PUSH_ROWS, push_some, &a);
    p->rows.n += n;
}

/* Panels of a KV head that rows have come for. */
static int new_panels(const struct kv_prefill *p)
{
    return (p->rows.n - 1) / PANEL_WIDTH - p->n_packed / PANEL_WIDTH + 1;
}

static void pack_panel(void *arg, int item, int worker)
{
    const struct kv_prefill *p = arg;
    int d = p->shape.head_dim, head = item / new_panels(p);
    int panel = p->n_packed / PANEL_WIDTH + item % new_panels(p), at = panel * PANEL_WIDTH;
    int n = p->rows.n - at < PANEL_WIDTH ? p->rows.n - at : PANEL_WIDTH;
    (void)worker;
    p->engine.kernels->panel_pack(key_panel(p, head, panel), kv_rows_k(&p->rows, d, head, at), d, n,
                                  d);
}

/* All rows that were pushed since the last time. */
static void pack_keys(struct kv_prefill *p)
{
    if (!p->key_panels)
        return;
    pool_run(p->engine.pool, p->shape.n_kv_heads * new_panels(p), pack_panel, p);
    p->n_packed = p->rows.n;
}

static void observe_nothing(void *arg, int head, int worker)
{
    const struct job *j = arg;
    struct kv_prefill *p = j->p;
    for (int i = 0; i < j->n; i += QUERY_BLOCK) {
        int n = j->n - i < QUERY_BLOCK ? j->n - i : QUERY_BLOCK, first = j->first + i;
        for (struct observer *o = p->observers; o; o = o->next)
            if (o->method->observe_rows && o->from < first + n)
                o->method->observe_rows(o->seen, head, first, n, p->scores[worker], first + n);
    }
}

/* ---- what prompts share ---- */

/* The tokens that the prefix has, in the layer that begins. */
static void take_shared(struct kv_prefill *p)
{
    const struct kv_prefix_layer *l = kv_prefix_layer(p->prefix, p->layer);
    struct job j = {p, 0, p->have, l->q, NULL};
    kv_rows_push(&p->rows, &p->shape, &l->rows, 0, p->have);
    if (p->record_size)
        memcpy(p->records, l->records, (size_t)p->have * p->record_size);
    if (!needs_queries(p) && !needs_rows(p, p->have))
        return;
    assert(l->q);
    pack_keys(p);
    attend_all(&j);
}

/* Tokens first to first + n have come, with these queries. */
static void keep_rows(struct kv_prefill *p, const float *q, int first, int n)
{
    int most = p->keep - first;
    if (most <= 0)
        return;
    kv_prefix_push(p->prefix, p->layer, &p->rows, first, n < most ? n : most,
                   p->records + (size_t)first * p->record_size, q);
}

void kv_prefill_share(struct kv_prefill *p, struct kv_prefix *x, int have, int keep)
{
    assert(p->layer == 0 && p->rows.n == 0 && have <= p->n_prompt && keep <= p->n_prompt);
    p->prefix = x;
    p->have = have;
    p->keep = keep;
    if (!x)
        return;
    kv_prefix_cut(x, have);
    kv_prefix_reserve(x, keep, p->record_size);
    if (have)
        take_shared(p);
}

void kv_prefill_shared_all(struct kv_prefill *p)
{
    assert(p->have == p->n_prompt);
    for (int layer = 0; layer < p->shape.n_layers; layer++)
        kv_prefill_end_layer(p);
}

void kv_prefill_append_as(struct kv_prefill *p, const struct kv_chain *chain)
{
    assert(p->n_caches == 0 && !p->append && p->rows.n == 0);
    open_append(p, chain);
}

void kv_prefill_watch(struct kv_prefill *p, struct kv_replay *r, int from, int to)
{
    assert(p->n_caches == 0 && !p->prefix && p->n_prompt > r->n_prompt);
    p->watch = r;
    p->part_from = from;
    p->part_to = to;
    add_watcher(p);
}

void kv_prefill_replayed(struct kv_prefill *p, const struct kv_replays *all)
{
    p->replayed = all;
}

int kv_prefill_shared(const struct kv_prefill *p)
{
    return p->have;
}

void kv_prefill_push(struct kv_prefill *p, const float *q, float *k, float *v, int n)
{
    struct job j = {p, p->rows.n, n, NULL, NULL};
    push_rows(p, k, v, n);
    keep_rows(p, q, j.first, n);
    if (!p->observers)
        return;
    for (int t = 0; t < pool_threads(p->engine.pool); t++)
        memset(p->scores[t], 0, (size_t)p->rows.n * QUERY_BLOCK * sizeof(float));
    pool_run(p->engine.pool, p->shape.n_heads, observe_nothing, &j);
}

void kv_prefill_attend(struct kv_prefill *p, const float *q, float *k, float *v, int n, float *out)
{
    struct job j = {p, p->rows.n, n, q, out};
    push_rows(p, k, v, n);
    keep_rows(p, q, j.first, n);
    pack_keys(p);
    attend_all(&j);
}

static void adopt(struct kv_prefill *p)
{
    for (int i = 0; i < p->n_caches; i++)
        for (int k = 0; k < kv_cache_chain(p->caches[i])->n; k++)
            p->seen[i * KV_CHAIN_MAX + k] =
                kv_prefill_seen(p, &kv_cache_chain(p->caches[i])->links[k]);
    struct kv_prompt prompt = {&p->rows, p->record_size ? p->records : NULL, p->seen, p->scratch};
    kv_cache_adopt(p->caches, p->n_caches, &p->engine, p->layer, &prompt);
}

void kv_prefill_end_layer(struct kv_prefill *p)
{
    assert(p->rows.n == p->n_prompt);
    adopt(p);
    free_observers(p);
    begin_layer(p, p->layer + 1);
    for (int i = 0; i < p->n_caches && p->layer == p->shape.n_layers; i++)
        kv_cache_adopted(p->caches[i], p->n_prompt);
}

bool kv_prefill_watched(const struct kv_prefill *p)
{
    return p->observers;
}

const void *kv_prefill_seen(const struct kv_prefill *p, const struct kv_link *link)
{
    if (link->method->replay) {
        const struct kv_replay *r =
            p->replayed ? kv_replays_of_link(p->replayed, link, &p->shape) : NULL;
        return r ? r->seen : NULL;
    }
    char *key = observe_key_dup(link, &p->shape, p->layer, p->n_prompt);
    const struct observer *o = *key ? find_observer(p->observers, key) : NULL;
    free(key);
    return o ? o->seen : NULL;
}
