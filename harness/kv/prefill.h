/*
 * One prompt being read, for all settings of a prefill class at once.
 *
 * The model passes the whole prompt through a layer, in chunks of tokens, before it goes on to the
 * next: so only one layer's f32 rows exist at a time. At the end of a layer each setting's cache
 * takes what it keeps of them, with what its methods have observed, and the memory is used again.
 * Peak memory is that of the caches and of one layer.
 */
#ifndef KVLAB_PREFILL_H
#define KVLAB_PREFILL_H

#include "harness/kv/cache.h"
#include "harness/kv/prefix.h"
#include "harness/kv/replay.h"

struct kv_prefill;

/* caches: new ones of settings of one class (equal kv_chain_class), borrowed until free; none: what
 * is read leaves no trace. n_prompt tokens will come. */
struct kv_prefill *kv_prefill_new(const struct kv_engine *engine, const struct kv_shape *shape,
                                  struct kv_cache *const *caches, int n_caches, int n_prompt);
void kv_prefill_free(struct kv_prefill *p);

/* Before the first token. The prompt begins with the first `have` tokens of x: their rows are taken
 * from there, observers see them, and the model begins with the token after them. x is cut to them,
 * and gets what is computed of the tokens up to `keep`. Borrowed until the last layer has ended;
 * NULL with 0 and 0. */
void kv_prefill_share(struct kv_prefill *p, struct kv_prefix *x, int have, int keep);
/* `have` of that. */
int kv_prefill_shared(const struct kv_prefill *p);
/* All tokens are shared: the caches take them, layer by layer. No model is needed. */
void kv_prefill_shared_all(struct kv_prefill *p);

/* Of a prefill without caches, before the first token: rows are rounded as this chain's append hook
 * does it. */
void kv_prefill_append_as(struct kv_prefill *p, const struct kv_chain *chain);
/* Of such a one, before kv_prefill_share: what comes behind the shared tokens is part from..to-1 of
 * the prompt, fed again for r. Borrowed, as what follows. */
void kv_prefill_watch(struct kv_prefill *p, struct kv_replay *r, int from, int to);
/* Before the first token: what methods of the caches have seen of the prompt's replays. */
void kv_prefill_replayed(struct kv_prefill *p, const struct kv_replays *all);

/* The attention of the next n tokens of the layer: rows k and v are rounded (append hook), kept,
 * and attended to by q, causally. q, out [n][n_heads][head_dim]; k, v [n][n_kv_heads][head_dim] */
void kv_prefill_attend(struct kv_prefill *p, const float *q, float *k, float *v, int n, float *out);
/* The rows alone, where nobody needs what their tokens attend to; observers are shown zeros. */
void kv_prefill_push(struct kv_prefill *p, const float *q, float *k, float *v, int n);
/* All tokens have passed the layer: the caches take it. After the last layer they are complete. */
void kv_prefill_end_layer(struct kv_prefill *p);

/* Does a method observe what the tokens of this layer attend to? */
bool kv_prefill_watched(const struct kv_prefill *p);
/* What is observed in this layer for a method of a chain, or NULL. */
const void *kv_prefill_seen(const struct kv_prefill *p, const struct kv_link *link);

#endif
