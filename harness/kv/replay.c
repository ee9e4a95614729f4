#include "harness/kv/replay.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"

const struct kv_link *kv_replay_link(const struct kv_chain *chain)
{
    int link = chain->owner[KV_REPLAY];
    return link < 0 ? NULL : &chain->links[link];
}

static struct buf key_of(const struct kv_link *l, const struct kv_shape *shape, int n_prompt)
{
    struct buf key;
    buf_init(&key);
    l->method->observe_key(l->opt, shape, 0, n_prompt, &key);
    return key;
}

bool kv_replay_same(const struct kv_chain *a, const struct kv_chain *b,
                    const struct kv_shape *shape, int n_prompt)
{
    const struct kv_link *x = kv_replay_link(a), *y = kv_replay_link(b);
    if (!x || !y)
        return false;
    struct buf one = key_of(x, shape, n_prompt), other = key_of(y, shape, n_prompt);
    bool same = !strcmp(one.s, other.s);
    buf_release(&one);
    buf_release(&other);
    return same;
}

static struct kv_replay *find(const struct kv_replays *all, const char *key)
{
    for (int i = 0; i < all->n; i++)
        if (!strcmp(all->list[i].key, key))
            return &all->list[i];
    return NULL;
}

static void add(struct kv_replays *all, const struct kv_link *l, const struct kv_shape *shape,
                int n_prompt)
{
    struct buf key = key_of(l, shape, n_prompt);
    if (find(all, key.s)) {
        buf_release(&key);
        return;
    }
    all->list = xrealloc(all->list, mem_size((size_t)all->n + 1, sizeof *all->list));
    struct kv_replay *r = &all->list[all->n++];
    *r = (struct kv_replay){.method = l->method, .n_prompt = n_prompt, .key = key.s};
    l->method->replay(l->opt, &r->form);
    r->seen = l->method->observe_new(l->opt, shape, n_prompt);
}

void kv_replays_open(struct kv_replays *all, struct kv_cache *const *caches, int n,
                     const struct kv_shape *shape, int n_prompt)
{
    *all = (struct kv_replays){0};
    for (int i = 0; i < n; i++) {
        const struct kv_link *l = kv_replay_link(kv_cache_chain(caches[i]));
        if (l)
            add(all, l, shape, n_prompt);
    }
}

void kv_replays_release(struct kv_replays *all)
{
    for (int i = 0; i < all->n; i++) {
        all->list[i].method->observe_free(all->list[i].seen);
        free(all->list[i].key);
    }
    free(all->list);
    *all = (struct kv_replays){0};
}

const struct kv_replay *kv_replays_of_link(const struct kv_replays *all, const struct kv_link *link,
                                           const struct kv_shape *shape)
{
    if (!all->n)
        return NULL;
    struct buf key = key_of(link, shape, all->list[0].n_prompt);
    const struct kv_replay *r = find(all, key.s);
    buf_release(&key);
    return r;
}

const struct kv_replay *kv_replays_of_chain(const struct kv_replays *all,
                                            const struct kv_chain *chain,
                                            const struct kv_shape *shape)
{
    const struct kv_link *l = kv_replay_link(chain);
    return l ? kv_replays_of_link(all, l, shape) : NULL;
}

int kv_replay_parts(const struct kv_replay_form *f, int n)
{
    return n > f->skip ? (n - f->skip - 1) / f->chunk + 1 : 0;
}

int kv_replay_from(const struct kv_replay_form *f, int n, int i)
{
    return i < kv_replay_parts(f, n) ? f->skip + i * f->chunk : n;
}
