#include "harness/kv/prefill.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/kv/rows.h"
#include "harness/tensor/gemm.h"

enum { QUERY_BLOCK = 64 }; // queries of one product: [64][n] scores a thread, never [n][n]

/* One thing to observe in one layer, shared by all chains that ask for it with the same key. */
struct observer {
    char *key;
    const struct kv_method *method;
    void *seen;
    struct observer *next;
};

struct kv_prefill {
    struct kv_engine engine;
    struct kv_shape shape;
    int n_prompt, n;
    struct kv_rows *rows;        // [n_layers]
    struct observer **observers; // [n_layers]
    const struct kv_method *append;
    struct kv_part *append_part; // [n_layers]
    void *scratch;
    float **scores; // [threads][QUERY_BLOCK * n_prompt]
};

static char *observe_key_dup(const struct kv_chain *c, const struct kv_shape *shape, int layer,
                             int n_prompt)
{
    const struct kv_method *m = kv_chain_method(c, KV_OBSERVE);
    struct buf key;
    buf_init(&key);
    if (m && m->observe_key)
        m->observe_key(c->links[c->owner[KV_OBSERVE]].opt, shape, layer, n_prompt, &key);
    return key.s;
}

static struct observer *find_observer(struct observer *list, const char *key)
{
    while (list && strcmp(list->key, key))
        list = list->next;
    return list;
}

static void add_observer(struct kv_prefill *p, const struct kv_chain *c, int layer)
{
    char *key = observe_key_dup(c, &p->shape, layer, p->n_prompt);
    if (!*key || find_observer(p->observers[layer], key)) {
        free(key);
        return;
    }
    struct observer *o = xcalloc(1, sizeof *o);
    o->key = key;
    o->method = kv_chain_method(c, KV_OBSERVE);
    o->seen = o->method->observe_new(c->links[c->owner[KV_OBSERVE]].opt, &p->shape, p->n_prompt);
    o->next = p->observers[layer];
    p->observers[layer] = o;
}

static void open_append(struct kv_prefill *p, const struct kv_chain *c)
{
    p->append = kv_chain_method(c, KV_APPEND);
    if (!p->append)
        return;
    const void *opt = c->links[c->owner[KV_APPEND]].opt;
    p->scratch = xcalloc(1, p->append->scratch_size(opt, &p->shape, p->n_prompt));
    p->append_part = xcalloc((size_t)p->shape.n_layers, sizeof *p->append_part);
    for (int l = 0; l < p->shape.n_layers; l++)
        p->append_part[l] = (struct kv_part){opt, p->shape, l, p->engine.kernels, NULL, p->scratch};
}

struct kv_prefill *kv_prefill_new(const struct kv_engine *engine, const struct kv_shape *shape,
                                  const struct kv_chain *const *chains, int n_chains, int n_prompt)
{
    assert(n_chains > 0 && n_prompt > 0);
    struct kv_prefill *p = xcalloc(1, sizeof *p);
    size_t n_layers = (size_t)shape->n_layers;
    int threads = pool_threads(engine->pool);
    p->engine = *engine;
    p->shape = *shape;
    p->n_prompt = n_prompt;
    p->rows = xcalloc(n_layers, sizeof *p->rows);
    p->observers = xcalloc(n_layers, sizeof *p->observers);
    p->scores = xcalloc((size_t)threads, sizeof *p->scores);
    for (int t = 0; t < threads; t++)
        p->scores[t] = mem_aligned(mem_size((size_t)n_prompt, QUERY_BLOCK * sizeof(float)));
    for (int l = 0; l < shape->n_layers; l++) {
        kv_rows_init(&p->rows[l], shape, n_prompt);
        for (int i = 0; i < n_chains; i++)
            add_observer(p, chains[i], l);
    }
    open_append(p, chains[0]);
    return p;
}

void kv_prefill_free(struct kv_prefill *p)
{
    if (!p)
        return;
    for (int l = 0; l < p->shape.n_layers; l++) {
        kv_rows_release(&p->rows[l]);
        while (p->observers[l]) {
            struct observer *o = p->observers[l];
            p->observers[l] = o->next;
            o->method->observe_free(o->seen);
            free(o->key);
            free(o);
        }
    }
    for (int t = 0; t < pool_threads(p->engine.pool); t++)
        free(p->scores[t]);
    free(p->scores);
    free(p->rows);
    free(p->observers);
    free(p->append_part);
    free(p->scratch);
    free(p);
}

struct job {
    struct kv_prefill *p;
    int layer, n;
    const float *q;
    float *out;
};

/* Row i of the block: causal softmax, and zeros where later keys stand, for the product with V. */
static void normalise(const struct kv_prefill *p, float *s, int ld, int first, int n)
{
    for (int i = 0; i < n; i++) {
        float *row = s + (long)i * ld;
        int visible = first + i + 1;
        p->engine.kernels->softmax(row, visible);
        memset(row + visible, 0, (size_t)(ld - visible) * sizeof *row);
    }
}

/* Queries i to i + QUERY_BLOCK of the chunk, in one head. */
static void attend_block(const struct job *j, int head, int i, int worker)
{
    struct kv_prefill *p = j->p;
    const struct kv_rows *rows = &p->rows[j->layer];
    int d = p->shape.head_dim, kv_head = head / (p->shape.n_heads / p->shape.n_kv_heads);
    int n = j->n - i < QUERY_BLOCK ? j->n - i : QUERY_BLOCK, first = p->n + i, seen = first + n;
    int ld_q = p->shape.n_heads * d;
    const float *k = kv_rows_k(rows, d, kv_head, 0), *v = kv_rows_v(rows, d, kv_head, 0);
    const float *q = j->q + (long)i * ld_q + (long)head * d;
    float *s = p->scores[worker], *out = j->out + (long)i * ld_q + (long)head * d;
    gemm_nt(p->engine.plain, s, seen, q, ld_q, k, d, n, seen, d, 1.0f / sqrtf((float)d));
    normalise(p, s, seen, first, n);
    for (struct observer *o = p->observers[j->layer]; o; o = o->next)
        o->method->observe_rows(o->seen, head, first, n, s, seen);
    gemm_nn(p->engine.plain, out, ld_q, s, seen, v, d, n, d, seen);
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

static void push_rows(struct kv_prefill *p, int layer, float *k, float *v, int n)
{
    int width = p->shape.n_kv_heads * p->shape.head_dim;
    for (int i = 0; i < n; i++) {
        if (p->append)
            p->append->append(&p->append_part[layer], k + (long)i * width, v + (long)i * width);
        kv_rows_push(&p->rows[layer], &p->shape, k + (long)i * width, v + (long)i * width);
    }
}

/* Observers are shown zeros. */
static void observe_nothing(void *arg, int head, int worker)
{
    const struct job *j = arg;
    struct kv_prefill *p = j->p;
    int first = p->rows[j->layer].n - j->n;
    for (int i = 0; i < j->n; i += QUERY_BLOCK) {
        int n = j->n - i < QUERY_BLOCK ? j->n - i : QUERY_BLOCK;
        for (struct observer *o = p->observers[j->layer]; o; o = o->next)
            o->method->observe_rows(o->seen, head, first + i, n, p->scores[worker], first + i + n);
    }
}

void kv_prefill_push(struct kv_prefill *p, int layer, float *k, float *v, int n)
{
    struct job j = {p, layer, n, NULL, NULL};
    size_t seen = (size_t)(p->rows[layer].n + n);
    push_rows(p, layer, k, v, n);
    for (int t = 0; p->observers[layer] && t < pool_threads(p->engine.pool); t++)
        memset(p->scores[t], 0, seen * QUERY_BLOCK * sizeof(float));
    if (p->observers[layer])
        pool_run(p->engine.pool, p->shape.n_heads, observe_nothing, &j);
}

void kv_prefill_attend(struct kv_prefill *p, int layer, const float *q, float *k, float *v, int n,
                       float *out)
{
    assert(p->n + n <= p->n_prompt && p->rows[layer].n == p->n);
    push_rows(p, layer, k, v, n);
    struct job j = {p, layer, n, q, out};
    int blocks = (n + QUERY_BLOCK - 1) / QUERY_BLOCK;
    if (p->observers[layer])
        pool_run(p->engine.pool, p->shape.n_heads, attend_head, &j);
    else
        pool_run(p->engine.pool, p->shape.n_heads * blocks, attend_unseen, &j);
}

void kv_prefill_advance(struct kv_prefill *p, int n)
{
    p->n += n;
}

int kv_prefill_length(const struct kv_prefill *p)
{
    return p->n;
}

const struct kv_shape *kv_prefill_shape(const struct kv_prefill *p)
{
    return &p->shape;
}

const struct kv_rows *kv_prefill_rows(const struct kv_prefill *p, int layer)
{
    return &p->rows[layer];
}

const void *kv_prefill_seen(const struct kv_prefill *p, const struct kv_chain *chain, int layer)
{
    char *key = observe_key_dup(chain, &p->shape, layer, p->n_prompt);
    const struct observer *o = *key ? find_observer(p->observers[layer], key) : NULL;
    free(key);
    return o ? o->seen : NULL;
}
