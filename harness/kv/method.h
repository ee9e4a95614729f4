/*
 * The contract of a compression method.
 *
 * A method decides what a cache keeps, how it stores it and what a decode step reads; it never
 * owns a forward pass. It is one file in harness/methods and one line in methods.def, fills one or
 * several hooks, and is used through a chain (chain.h) in which no hook is filled twice.
 *
 * The life of one sequence under one setting, layer by layer:
 *   prefill   append() rounds new key and value rows on arrival. Settings whose append() is the
 *             same share the prefill (their class_key is equal). observe_rows() sees blocks of
 *             attention rows; settings with equal observe_key share what it gathers.
 *   adopt()   the setting has got its own copy of the rows and what was observed: order, evict.
 *             Then the codec (codec.h) takes them. Settings with equal content_key do it once.
 *   step      append(), the codec packs the rows that are due() and takes the new one; for each KV
 *             head select() names the rows that its queries read, observe_step() sees their
 *             weights; step_end() may order rows.
 *   count()   what the method itself holds, reads and writes beside the codec's records.
 *
 * The engine computes attention over what the codec keeps, and frees what it allocated. `state` is
 * the method's own memory for one layer of one sequence, zeroed at first, state_size() bytes, and
 * may be copied: it points nowhere. No allocation happens in a step.
 */
#ifndef KVLAB_METHOD_H
#define KVLAB_METHOD_H

#include "harness/base/opt.h"
#include "harness/kv/codec.h"

enum kv_hook { KV_APPEND, KV_OBSERVE, KV_ORDER, KV_CODEC, KV_SELECT, KV_HOOKS };
const char *kv_hook_name(enum kv_hook h);

struct kv_method {
    const char *name;
    int version; // raised whenever a result changes
    const char *summary;
    const char *cite;
    unsigned hooks; // bit (1 << KV_APPEND) | ...

    size_t opt_size;
    const struct opt *options; // NULL: none

    /* Options against each other and against the model. ERR_USER. */
    int (*check)(const void *opt, const struct kv_shape *shape, struct err *e);

    size_t (*state_size)(const void *opt, const struct kv_shape *shape);
    size_t (*scratch_size)(const void *opt, const struct kv_shape *shape, int cap);

    /* KV_APPEND: what it does as text, and one new row of all KV heads, flattened. record:
     * record_size() bytes (or NULL) that the codec of the same method gets with the row. Rows of a
     * prompt come at the same time; the part has neither state nor scratch there. */
    void (*class_key)(const void *opt, struct buf *out);
    size_t (*record_size)(const void *opt, const struct kv_shape *shape);
    void (*append)(const struct kv_part *part, float *k, float *v, void *record);

    /* KV_OBSERVE in prefill: what is gathered as text (nothing: not needed); an object for one
     * layer; rows of probabilities of one head, in order of queries; done. Two heads may be fed at
     * the same time. */
    void (*observe_key)(const void *opt, const struct kv_shape *shape, int layer, int n_prompt,
                        struct buf *out);
    void *(*observe_new)(const void *opt, const struct kv_shape *shape, int n_prompt);
    void (*observe_rows)(void *seen, int head, int first_query, int n_queries, const float *probs,
                         int ld); // probs [n_queries][ld], row i has first_query + i + 1 columns
    void (*observe_free)(void *seen);

    /* After prefill: the setting's copy of the rows; seen is NULL when nothing was observed. */
    void (*adopt)(const struct kv_part *part, struct kv_rows *rows, const void *seen);
    /* As text what, of the options, adopt(), due() and the codec go by: caches of one prompt whose
     * texts are equal hold the same, so that one packs it and the others copy rows and state. NULL:
     * all options. */
    void (*content_key)(const void *opt, struct buf *out);

    /* KV_CODEC: of this layer. Rows before due() are to be packed, given how many rows there were
     * before the step; never fewer than before. NULL: the codec packs rows as they come. */
    const struct kv_codec *(*codec)(const void *opt, int layer);
    int (*due)(const struct kv_part *part, int n_before);

    /* KV_SELECT: for each query head of a KV head the ranges to read, ascending, into
     * out[i * ld], the number into n_out[i]; 0 of them, for all heads: all rows. q
     * [group][head_dim]. Two KV heads may run at the same time, each with scratch of its own. */
    void (*select)(const struct kv_part *part, const struct kv_layer *layer, int kv_head,
                   const float *q, struct kv_range *out, int *n_out, int ld);

    /* KV_OBSERVE in a step: the weights of the rows read, ranges in order. */
    void (*observe_step)(const struct kv_part *part, int head, const struct kv_range *ranges,
                         int n_ranges, const float *weights);
    /* KV_ORDER: after all heads' attention. */
    void (*step_end)(const struct kv_part *part, const struct kv_layer *layer);

    void (*count)(const struct kv_part *part, struct kv_ledger *out); // adds
};

/* NULL-terminated, in the order of methods.def; defined beside it, so that kv/ needs no method. */
extern const struct kv_method *const kv_method_all[];

const struct kv_method *kv_method_find(const char *name, struct err *e);

#endif
