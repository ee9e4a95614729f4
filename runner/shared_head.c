#include "runner/shared_head.h"

#include <string.h>

void shared_head_init(struct shared_head *h)
{
    *h = (struct shared_head){0};
    tokens_init(&h->ids);
}

static void drop(struct shared_head *h)
{
    kv_prefix_free(h->prefix);
    h->prefix = NULL;
    tokens_reset(&h->ids);
}

void shared_head_release(struct shared_head *h)
{
    drop(h);
    tokens_release(&h->ids);
}

size_t shared_head_bytes(const struct shared_head *h)
{
    return h->prefix
               ? kv_prefix_bytes(model_shape(h->model), h->queries, kv_prefix_tokens(h->prefix))
               : 0;
}

enum { SHARE_MIN = 64 }; // tokens: the words of a template are not worth it

/* Tokens that both begin with: not all of b, as its last one has to be computed. */
static int common(struct tokens a, struct tokens b, int unit)
{
    size_t n = 0;
    while (n < a.n && n + 1 < b.n && a.v[n] == b.v[n])
        n++;
    n = n / (size_t)unit * (size_t)unit;
    return n < SHARE_MIN ? 0 : (int)n;
}

/* The prompt's tokens up to where the caches are compressed. */
static struct tokens read_at_once(const struct group *g)
{
    struct tokens t = g->prompt.ids;
    t.n = (size_t)g->prompt.read;
    return t;
}

/* May a method of this class observe? Settings of one group may differ from those of the next. */
static bool observes(const struct plan *p, const char *class)
{
    for (int k = 0; k < p->x->n_settings; k++)
        if (!strcmp(p->classes[k], class) && kv_chain_method(&p->x->settings[k].chain, KV_OBSERVE))
            return true;
    return false;
}

static bool fits(const struct shared_head *h, const struct group *g)
{
    return h->prefix && h->model == g->model && !strcmp(h->class, g->claim.prefill_class);
}

static void open_prefix(struct shared_head *h, const struct plan *p, const struct group *g)
{
    drop(h);
    h->model = g->model;
    memcpy(h->class, g->claim.prefill_class, strlen(g->claim.prefill_class) + 1);
    h->queries = observes(p, h->class);
    h->prefix = kv_prefix_new(model_shape(g->model), h->queries);
}

struct group_share shared_head_before(struct shared_head *h, const struct plan *p,
                                      const struct group *g, const struct group *next, size_t room)
{
    int unit = model_share_unit(g->model), keep = 0;
    int have = fits(h, g) ? common(h->ids, read_at_once(g), unit) : 0;
    if (next && next->model == g->model &&
        !strcmp(next->claim.prefill_class, g->claim.prefill_class))
        keep = common(read_at_once(g), read_at_once(next), unit);
    if (kv_prefix_bytes(model_shape(g->model), observes(p, g->claim.prefill_class), keep) > room)
        keep = 0;
    if (have == 0 && keep)
        open_prefix(h, p, g);
    else if (have == 0)
        drop(h);
    return (struct group_share){h->prefix, have, keep};
}

void shared_head_after(struct shared_head *h, const struct group *g)
{
    tokens_reset(&h->ids);
    for (int i = 0; h->prefix && i < kv_prefix_tokens(h->prefix); i++)
        tokens_add(&h->ids, g->prompt.ids.v[i]);
}
