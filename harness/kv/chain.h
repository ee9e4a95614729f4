/*
 * A chain: the methods of one setting with their options, checked, one owner for each hook.
 *
 * In a configuration: ["kvo"], [{"kvo": {"key_bits": 4}}], ["full"], ["q8"]. A chain without a
 * codec keeps its rows as f16.
 */
#ifndef KVLAB_CHAIN_H
#define KVLAB_CHAIN_H

#include "harness/kv/method.h"

enum { KV_CHAIN_MAX = 6 };

struct kv_link {
    const struct kv_method *method;
    void *opt;    // owned
    bool implied; // not stated: the codec of a chain that names none
};

struct kv_chain {
    int n;
    struct kv_link links[KV_CHAIN_MAX];
    int owner[KV_HOOKS]; // index of the link that fills the hook, or -1
};

/* where starts the message of an error. */
int kv_chain_read(struct kv_chain *c, const struct json *list, const char *where, struct err *e);
void kv_chain_release(struct kv_chain *c);

/* Every method's options against the model's shape; packed: and whether the codec can pack them. */
int kv_chain_check(const struct kv_chain *c, const struct kv_shape *shape, bool packed,
                   const char *where, struct err *e);

/* [{"kvo":{...every option...},"version":1}]: equal text, equal setting. */
void kv_chain_canonical(const struct kv_chain *c, struct buf *out);
/* For people: each method with the options that are not at their defaults. */
void kv_chain_describe(const struct kv_chain *c, struct buf *out);
/* What caches make of a prompt: equal text, equal content. */
void kv_chain_content(const struct kv_chain *c, struct buf *out);
/* What keeps rows of its own: the finest that a method asks for. */
enum kv_heads kv_chain_heads(const struct kv_chain *c);
/* What the chain's append hook does: equal text, equal prefill. */
void kv_chain_class(const struct kv_chain *c, struct buf *out);

/* The method that fills a hook, or NULL. */
const struct kv_method *kv_chain_method(const struct kv_chain *c, enum kv_hook h);

#endif
