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
 *   pack()    rows that are due become packed; after adopt() and at each step before attention.
 *   step      append(), pack(), then for each query head select() names the rows to read, and
 *             observe_step() sees their weights; step_end() may order rows.
 *   count()   the bytes that the records of the layer hold now.
 *
 * The engine keeps the rows, computes attention, and frees what it allocated. `state` is the
 * method's own memory for one layer of one sequence, zeroed at first, state_size() bytes: no
 * allocation happens in a step.
 */
#ifndef KVLAB_METHOD_H
#define KVLAB_METHOD_H

#include <stddef.h>
#include <stdint.h>

#include "harness/base/opt.h"
#include "harness/tensor/kernels.h"

/* Sizes that a cache shares with its model. */
struct kv_shape {
    int n_layers, n_heads, n_kv_heads, head_dim;
};

enum kv_hook { KV_APPEND, KV_OBSERVE, KV_ORDER, KV_CODEC, KV_SELECT, KV_HOOKS };
const char *kv_hook_name(enum kv_hook h);

/* The rows of one layer of one sequence, f32. Row t of head h: k + (h * cap + t) * head_dim. */
struct kv_rows {
    int n, cap;
    float *k, *v; // [n_kv_heads][cap][head_dim]
};

/* One run of rows that a step reads. */
struct kv_range {
    int start, n;
};

/* What one layer of one sequence holds, and what its steps have read, in bits of each part. */
struct kv_ledger {
    uint64_t codes, pairs, masks, recent, other; // held
    uint64_t full;                               // the same rows in a 16-bit full cache
    uint64_t read, read_full;                    // sums over all steps so far
};

/* A method at work in one layer of one sequence. */
struct kv_part {
    const void *opt; // the method's options
    struct kv_shape shape;
    int layer;
    const struct kernels *kernels;
    void *state;
    void *scratch; // scratch_size() bytes, lost between calls
};

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

    /* KV_APPEND: what it does as text, and one new row of all KV heads, flattened. */
    void (*class_key)(const void *opt, struct buf *out);
    void (*append)(const struct kv_part *part, float *k, float *v); // [n_kv_heads * head_dim]

    /* KV_OBSERVE in prefill: what is gathered as text (nothing: not needed); an object for one
     * layer; rows of probabilities of one head, in order of queries; done. Two heads may be fed at
     * the same time. */
    void (*observe_key)(const void *opt, const struct kv_shape *shape, int layer, int n_prompt,
                        struct buf *out);
    void *(*observe_new)(const void *opt, const struct kv_shape *shape, int n_prompt);
    void (*observe_rows)(void *seen, int head, int first_query, int n_queries, const float *probs,
                         int ld); // probs [n_queries][ld], row i has first_query + i + 1 columns
    void (*observe_free)(void *seen);

    /* After prefill; seen is NULL when nothing was observed. */
    void (*adopt)(const struct kv_part *part, struct kv_rows *rows, const void *seen);

    /* KV_CODEC: n_before = rows before this step's were appended. */
    void (*pack)(const struct kv_part *part, struct kv_rows *rows, int n_before);
    void (*count)(const struct kv_part *part, const struct kv_rows *rows, struct kv_ledger *out);

    /* KV_SELECT: ranges to read, ascending, into out (room for rows->n); 0 of them: read all. Heads
     * run one after the other within a KV head; two KV heads may run at the same time, each with
     * scratch of its own. */
    int (*select)(const struct kv_part *part, const struct kv_rows *rows, int head, const float *q,
                  struct kv_range *out);

    /* KV_OBSERVE in a step: the weights of the rows read, ranges in order. */
    void (*observe_step)(const struct kv_part *part, int head, const struct kv_range *ranges,
                         int n_ranges, const float *weights);
    /* KV_ORDER: after all heads' attention. */
    void (*step_end)(const struct kv_part *part, struct kv_rows *rows);

    /* KV_SELECT: adds to out->read the bits that this step read; what query head h read is
     * ranges[h * ld], n_ranges[h] of them. */
    void (*count_read)(const struct kv_part *part, const struct kv_rows *rows,
                       const struct kv_range *ranges, const int *n_ranges, int ld,
                       struct kv_ledger *out);
};

/* NULL-terminated, in the order of methods.def; defined beside it, so that kv/ needs no method. */
extern const struct kv_method *const kv_method_all[];

const struct kv_method *kv_method_find(const char *name, struct err *e);

#endif
