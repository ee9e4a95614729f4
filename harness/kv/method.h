/*
 * The contract of a compression method.
 *
 * A method decides what a cache keeps, how it stores it and what a decode step reads; it never
 * owns a forward pass. It is one file in harness/methods and one line in methods.def, fills one or
 * several hooks, and is used through a chain (chain.h) in which no hook is filled twice.
 *
 * Rows are kept by slots: a slot is all KV heads of a layer together, one KV head, or one query
 * head (which then has a copy of its KV head's rows). Which one the chain's heads() says. To a
 * method a slot is all there is: part->shape has the slot's heads, part->head and part->kv_head say
 * which of the model's these are.
 *
 * The life of one sequence under one setting, layer by layer:
 *   prefill   append() rounds new key and value rows on arrival. Settings whose append() is the
 *             same share the prefill (their class_key is equal). observe_queries() sees queries,
 *             observe_rows() blocks of attention rows; settings with equal observe_key share what
 *             is gathered.
 *   compress  score() says what each row of a slot is worth, allot() how many a slot keeps; the
 *             engine keeps the best ones (on a tie the first), merge() may put something of the
 *             others into them. Without a score() all rows stay.
 *   adopt()   the slot has got its own copy of the rows that stay: order, begin a state.
 *             Then the codec (codec.h) takes them. Settings with equal content_key do it once.
 *   step      append(), the codec packs the rows that are due() and takes the new one; for each KV
 *             head select() names the rows that its queries read, turn() may move these queries,
 *             observe_step() sees the weights; step_end() may order rows, evict() drop some.
 *   count()   what the method itself holds, reads and writes beside the codec's records.
 *
 * The engine computes attention over what the codec keeps, and frees what it allocated. `state` is
 * the method's own memory for one slot of one layer of one sequence, zeroed at first, state_size()
 * bytes, and may be copied: it points nowhere. No allocation happens in a step.
 */
#ifndef KVLAB_METHOD_H
#define KVLAB_METHOD_H

#include "harness/base/opt.h"
#include "harness/kv/budget.h"
#include "harness/kv/codec.h"

/* Of a chain one method fills each, and any number KV_OBSERVE. */
enum kv_hook {
    KV_APPEND,
    KV_OBSERVE,
    KV_REPLAY, // observes a replay of the prompt, and not the prompt
    KV_SCORE,  // score() after the prompt
    KV_ALLOT,
    KV_MERGE,
    KV_ORDER,
    KV_CODEC,
    KV_CHANNELS, // which key channels are stored: the codec's part in it
    KV_SELECT,
    KV_EVICT, // evict() while decoding
    KV_HOOKS
};
const char *kv_hook_name(enum kv_hook h);

/* What keeps rows of its own. */
enum kv_heads { KV_HEADS_LAYER, KV_HEADS_KV, KV_HEADS_QUERY };

/* Rows of a layer's prompt that compete to stay. */
struct kv_contest {
    struct kv_shape shape;  // the model's
    int layer, first_layer; // layers before the first one keep all
    int n, n_slots;
    float *scores;    // [n_slots][n]
    int *keep;        // [n_slots]: rows that stay, at first as the budget says; 0 to n
    double budget;    // what it says, of which keep is the whole number below
    const void *seen; // what the method that scores has observed, or NULL
};

/* The worth of row j when it stays before all that have less than KV_FORCED, the last ones first:
 * of a window, or of sinks. */
#define KV_FORCED 1e30f
static inline float kv_forced(int j)
{
    return KV_FORCED + (float)j * 1e24f;
}

/* Rows of one slot that are forced to stay, of which a budget is not free to choose. */
static inline int kv_contest_forced(const struct kv_contest *c, int slot)
{
    const float *scores = c->scores + (size_t)slot * (size_t)c->n;
    int forced = 0;
    for (int j = 0; j < c->n; j++)
        forced += scores[j] >= KV_FORCED;
    return forced;
}

/* Rows of a prompt that a slot has kept. */
struct kv_kept {
    int n_prompt;
    const int *rows; // ascending; NULL: all of them
};

/* How a prompt is fed again, part after part. Of each part the model gets: the text that asks for
 * it, and behind `later` the last tokens of the part before; the end of the request; the part's own
 * tokens. They attend to all rows of the prompt and to those before them of the same part, at the
 * positions that follow the prompt. */
struct kv_replay_form {
    int skip, chunk;   // tokens: the first ones are no part; of each part, the last one's fewer
    const char *first; // asks for the first part, or NULL: its tokens alone are fed
    const char *later; // and for the others
    int lead;          // tokens of the part before
    const char *end;   // where the prompt is in no chat wrapper, whose own end it is else
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

    /* shape: a slot's. cap: rows that may come. */
    size_t (*state_size)(const void *opt, const struct kv_shape *shape, int cap);
    size_t (*scratch_size)(const void *opt, const struct kv_shape *shape, int cap);

    /* KV_APPEND: what it does as text, and one new row of all KV heads, flattened. record:
     * record_size() bytes (or NULL) that the codec of the same method gets with the row. Rows of a
     * prompt come at the same time; the part has neither state nor scratch there. */
    void (*class_key)(const void *opt, struct buf *out);
    size_t (*record_size)(const void *opt, const struct kv_shape *shape);
    void (*append)(const struct kv_part *part, float *k, float *v, void *record);

    /* KV_OBSERVE in prefill: what is gathered as text (nothing: not needed); an object for one
     * layer; queries of one head and rows of probabilities, both in order and each NULL where the
     * method needs none; done. Two heads may be fed at the same time. observe_from: the first query
     * whose rows are of use (NULL: 0); those of earlier ones may come, too. observe_rope, right
     * after observe_new (may be NULL): how positions are turned into the queries; borrowed until
     * observe_free. */
    void (*observe_key)(const void *opt, const struct kv_shape *shape, int layer, int n_prompt,
                        struct buf *out);
    int (*observe_from)(const void *opt, int n_prompt);
    void *(*observe_new)(const void *opt, const struct kv_shape *shape, int n_prompt);
    void (*observe_rope)(void *seen, const struct kv_rope *rope);
    void (*observe_queries)(void *seen, int head, int first_query, int n_queries, const float *q,
                            int ld); // q [n_queries][ld] with their positions turned in
    void (*observe_rows)(void *seen, int head, int first_query, int n_queries, const float *probs,
                         int ld); // probs [n_queries][ld], row i has first_query + i + 1 columns
    void (*observe_free)(void *seen);

    /* KV_REPLAY: what is to be fed. observe_new then makes one object of all layers, its
     * observe_key is asked for layer 0, and observe_rows gets rows of queries from n_prompt on. It
     * is told of each layer and part (rows from..to-1 are fed again) before these come. Where
     * nobody replays (speed is measured) seen stays NULL. */
    void (*replay)(const void *opt, struct kv_replay_form *out);
    void (*replay_part)(void *seen, int layer, int from, int to);

    /* KV_SCORE: what decides how many rows stay; who keeps rows of its own (NULL: a layer); and
     * the worth of all rows of the layer to one slot, into out[rows->n]. rows are the model's. */
    const struct kv_budget *(*budget)(const void *opt);
    enum kv_heads (*heads)(const void *opt);
    void (*score)(const struct kv_part *part, const struct kv_rows *rows, const void *seen,
                  float *out);
    /* KV_ALLOT: of one layer. May change what rows are worth, too. */
    void (*allot)(const void *opt, const struct kv_contest *contest);
    /* KV_MERGE: all are the model's rows, rows the slot's copy of those that stay. */
    void (*merge)(const struct kv_part *part, const struct kv_rows *all, const struct kv_kept *kept,
                  const void *seen, struct kv_rows *rows);

    /* After prefill: the slot's copy of the rows; seen is NULL when nothing was observed. */
    void (*adopt)(const struct kv_part *part, struct kv_rows *rows, const struct kv_kept *kept,
                  const void *seen);
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
    /* With KV_SELECT, may be NULL: q [head_dim] as the rows of this range are to meet it. */
    void (*turn)(const struct kv_part *part, struct kv_range range, float *q);

    /* KV_OBSERVE in a step: the weights of the rows read, ranges in order. */
    void (*observe_step)(const struct kv_part *part, int head, const struct kv_range *ranges,
                         int n_ranges, const float *weights);
    /* KV_ORDER: after all heads' attention. The first row that is not where it was, or layer->n.
     * Rows that are permuted, here and in adopt(), are told to kv_rows_permuted (rows.h). */
    int (*step_end)(const struct kv_part *part, const struct kv_layer *layer);
    /* KV_EVICT: after that, and until it says -1: the row to drop of all heads of the slot; those
     * behind it move up by one. */
    int (*evict)(const struct kv_part *part, const struct kv_layer *layer);

    void (*count)(const struct kv_part *part, struct kv_ledger *out); // adds
};

/* NULL-terminated, in the order of methods.def; defined beside it, so that kv/ needs no method. */
extern const struct kv_method *const kv_method_all[];

/* The hooks it fills, by their names, "none". */
void kv_method_put_hooks(const struct kv_method *m, struct buf *out);
const struct kv_method *kv_method_find(const char *name, struct err *e);

#endif
