/*
 * What methods see of a prompt that is replayed (KV_REPLAY in method.h): one struct kv_replay for
 * each different observe_key among some caches, so that settings that ask for the same share it.
 * Who feeds the tokens is above (harness/model/reading.h); kv_prefill_watch shows them here.
 */
#ifndef KVLAB_REPLAY_H
#define KVLAB_REPLAY_H

#include "harness/kv/cache.h"

struct kv_replay {
    const struct kv_method *method;
    struct kv_replay_form form;
    int n_prompt;
    void *seen;     // the method's
    char *key;      // whose observe_key this is
    int tokens;     // fed so far,
    double seconds; // and what that took
};

struct kv_replays {
    int n;
    struct kv_replay *list;
};

/* Those that n caches of a prompt of n_prompt tokens want. */
void kv_replays_open(struct kv_replays *all, struct kv_cache *const *caches, int n,
                     const struct kv_shape *shape, int n_prompt);
void kv_replays_release(struct kv_replays *all);

/* What a chain's method has seen, or NULL: it wants no replay. */
const struct kv_replay *kv_replays_of_chain(const struct kv_replays *all,
                                            const struct kv_chain *chain,
                                            const struct kv_shape *shape);
const struct kv_replay *kv_replays_of_link(const struct kv_replays *all, const struct kv_link *link,
                                           const struct kv_shape *shape);

/* The link of a chain that wants a replay, or NULL. */
const struct kv_link *kv_replay_link(const struct kv_chain *chain);

/* Do both chains want a replay, and the same? */
bool kv_replay_same(const struct kv_chain *a, const struct kv_chain *b,
                    const struct kv_shape *shape, int n_prompt);

/* Parts of a prompt of n tokens, and where part i begins; part i + 1 begins where it ends. */
int kv_replay_parts(const struct kv_replay_form *f, int n);
int kv_replay_from(const struct kv_replay_form *f, int n, int i);

#endif
