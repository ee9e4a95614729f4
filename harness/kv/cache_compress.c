/*
 * The rows of a prompt that stay: each slot's are scored, allotted and chosen, and its codec takes
 * a copy of them. Slots are items of the pool, each with the scratch of the thread it runs on.
 */
#include "harness/kv/cache_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/kv/rows.h"
#include "harness/tensor/topk.h"

struct compression {
    struct kv_cache *c;
    const struct kv_prompt *prompt;
    const void *const *seen; // [KV_CHAIN_MAX]
    struct kv_contest contest;
    int *kept;       // [n_slots][n]
    char *records;   // [n_slots][n] records of a slot's row, or NULL
    size_t in_slot;  // bytes of one of these
    size_t per_head; // of which for one KV head
};

static struct slot *slot_at(const struct compression *x, int i)
{
    return &kv_cache_slots(x->c, x->contest.layer)[i];
}

/* The method that fills a hook, with its place in the chain. */
static const struct kv_method *method_of(const struct compression *x, enum kv_hook h, int *link)
{
    *link = x->c->chain->owner[h];
    return *link < 0 ? NULL : x->c->chain->links[*link].method;
}

static void score_slot(void *arg, int i, int worker)
{
    struct compression *x = arg;
    int link;
    const struct kv_method *m = method_of(x, KV_SCORE, &link);
    (void)worker;
    m->score(&slot_at(x, i)->parts[link], x->prompt->rows, x->seen[link],
             x->contest.scores + (size_t)i * (size_t)x->contest.n);
}

/* Bytes of one token in one layer: what a long cache takes for a row more. */
static double row_bytes(const struct kv_cache *c, int layer)
{
    enum { MANY = 4096 };
    int link = c->chain->owner[KV_CODEC];
    const struct kv_part *part = &kv_cache_slots(c, layer)[0].parts[link];
    const struct kv_codec *codec = c->chain->links[link].method->codec(part->opt, layer);
    if (codec->row_bytes)
        return codec->row_bytes(part) * c->n_slots;
    size_t more = codec->bytes(part, 2 * MANY) - codec->bytes(part, MANY);
    return (double)more / MANY * c->n_slots;
}

/* Does this layer lose rows? Then what each slot keeps. */
static bool set_budgets(struct compression *x)
{
    struct kv_contest *t = &x->contest;
    int link;
    const struct kv_method *m = method_of(x, KV_SCORE, &link);
    const struct kv_budget *b = m ? m->budget(x->c->chain->links[link].opt) : NULL;
    t->budget = t->n;
    t->seen = m ? x->seen[link] : NULL;
    t->first_layer = b ? b->first_layer : 0;
    if (b && t->layer >= b->first_layer)
        t->budget = kv_budget_rows(b, t->n, t->shape.n_layers, row_bytes(x->c, t->layer));
    for (int i = 0; i < t->n_slots; i++)
        t->keep[i] = (int)t->budget;
    return b && t->layer >= b->first_layer;
}

static void choose(struct compression *x, struct pool *pool)
{
    int link;
    if (!set_budgets(x))
        return;
    pool_run(pool, x->contest.n_slots, score_slot, x);
    const struct kv_method *m = method_of(x, KV_ALLOT, &link);
    if (m)
        m->allot(x->c->chain->links[link].opt, &x->contest);
}

static void copy_row(struct kv_rows *to, const struct kv_rows *from, int d, int heads, int kv_head,
                     int t)
{
    size_t bytes = (size_t)d * sizeof(float);
    for (int h = 0; h < heads; h++) {
        memcpy(kv_rows_k(to, d, h, to->n), kv_rows_k(from, d, kv_head + h, t), bytes);
        memcpy(kv_rows_v(to, d, h, to->n), kv_rows_v(from, d, kv_head + h, t), bytes);
    }
    to->n++;
}

/* The rows that stay, and their records. */
static void gather(struct compression *x, int i, const struct kv_kept *kept, int n,
                   struct kv_rows *rows)
{
    int kv_head = slot_at(x, i)->parts[0].kv_head, heads = x->c->inside.n_kv_heads;
    char *record = x->records ? x->records + (size_t)i * (size_t)x->contest.n * x->in_slot : NULL;
    rows->n = 0;
    for (int j = 0; j < n; j++) {
        int t = kept->rows ? kept->rows[j] : j;
        copy_row(rows, x->prompt->rows, x->c->shape.head_dim, heads, kv_head, t);
        if (record)
            memcpy(record + (size_t)j * x->in_slot,
                   (const char *)x->prompt->records + (size_t)t * x->c->record +
                       (size_t)kv_head * x->per_head,
                   x->in_slot);
    }
}

static void arrange(struct compression *x, int i, const struct kv_kept *kept, struct kv_rows *rows)
{
    struct slot *s = slot_at(x, i);
    int link;
    const struct kv_method *m = method_of(x, KV_MERGE, &link);
    if (m && kept->rows)
        m->merge(&s->parts[link], x->prompt->rows, kept, x->seen[link], rows);
    for (int k = 0; k < x->c->chain->n; k++) {
        m = x->c->chain->links[k].method;
        if (m->adopt)
            m->adopt(&s->parts[k], rows, kept, x->seen[k]);
    }
}

static void keep_slot(void *arg, int i, int worker)
{
    struct compression *x = arg;
    struct slot *s = slot_at(x, i);
    struct kv_rows *rows = &x->prompt->scratch[worker];
    int n = x->contest.keep[i], *mine = x->kept + (size_t)i * (size_t)x->contest.n;
    struct kv_kept kept = {x->contest.n, n < x->contest.n ? mine : NULL};
    assert(n >= 0 && n <= x->contest.n && s->rows.n == 0);
    if (kept.rows)
        topk_indices(mine, x->contest.scores + (size_t)i * (size_t)x->contest.n, x->contest.n, n);
    gather(x, i, &kept, n, rows);
    kv_cache_trace_prompt(x->c, s, &kept, n);
    arrange(x, i, &kept, rows);
    s->rows.codec->begin(s->rows.store, rows, kv_cache_due(x->c, s, n));
    for (int h = 0; h < x->c->inside.n_kv_heads; h++)
        s->rows.codec->append(
            s->rows.store, h, rows,
            x->records ? x->records + (size_t)i * (size_t)x->contest.n * x->in_slot : NULL);
    s->rows.n = n;
}

void kv_cache_compress(struct kv_cache *c, const struct kv_engine *engine, int layer,
                       const struct kv_prompt *prompt, const void *const *seen)
{
    size_t n = (size_t)prompt->rows->n, slots = (size_t)c->n_slots;
    struct compression x = {.c = c, .prompt = prompt, .seen = seen};
    x.contest =
        (struct kv_contest){.shape = c->shape, .layer = layer, .n = (int)n, .n_slots = c->n_slots};
    x.contest.scores = xcalloc(mem_size(slots, n), sizeof(float));
    x.contest.keep = xcalloc(slots, sizeof(int));
    x.kept = xcalloc(mem_size(slots, n), sizeof(int));
    x.per_head = c->record / (size_t)c->shape.n_kv_heads;
    x.in_slot = x.per_head * (size_t)c->inside.n_kv_heads;
    x.records = prompt->records ? xcalloc(mem_size(slots, n), x.in_slot) : NULL;
    choose(&x, engine->pool);
    pool_run(engine->pool, c->n_slots, keep_slot, &x);
    free(x.contest.scores);
    free(x.contest.keep);
    free(x.kept);
    free(x.records);
}
