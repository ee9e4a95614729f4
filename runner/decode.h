/*
 * Greedy decoding with a task's stop rules: any number of sequences, each with a cache of its own,
 * take a step together. What a sequence says does not depend on the others. With a teacher a
 * sequence takes his tokens, and what it would have said is compared.
 */
#ifndef KVLAB_DECODE_H
#define KVLAB_DECODE_H

#include "runner/teacher.h"

enum { STOP_IDS_MAX = MODEL_EOS_MAX + 1 };

struct stop_rules {
    int max_new;         // tokens in all
    int min_new;         // no stop id is chosen before there are so many tokens
    bool first_may_stop; // false: the first token is not tested (the KVO authors' loop)
    int32_t ids[STOP_IDS_MAX];
    int n_ids;
};

struct decoded {
    struct tokens ids; // the stop id, where there was one, is the last
    const char *stop;  // "eos" (any stop id), "length", "positions", "taught"; NULL: goes on
    double seconds;    // its share of the steps' time: all tokens but the first
    int64_t company;   // sequences of its steps, summed, itself included
    int steps;
    double tail_seconds;  // of the prompt's last tokens, where they went through the cache
    uint64_t weight_bits; // of the model's weights, as its steps read them alone
    struct tokens said;   // with a teacher: the likeliest at each of his tokens
    double taught;        // the sum of his metric over the tokens that count
};

/* One answer in the making. cache, rules, teacher and tail are borrowed. */
struct sequence {
    struct kv_cache *cache;
    const struct stop_rules *rules;
    const struct teacher *teacher; // NULL: greedy
    const int32_t *tail;           // tokens of the prompt that the cache has not read yet
    int n_tail;
    struct decoded out;
};

void decoded_init(struct decoded *d);
void decoded_release(struct decoded *d);

/* The first token, from prompt_logits [vocab]: of the last token of the prefill that the cache was
 * made from. With a tail there is no token yet. s->out is initialised; its stop says whether that
 * was all. */
void decode_begin(struct sequence *s, const struct model *m, const float *prompt_logits);

/* One step for n sequences that go on. logits: room for [n][vocab]. */
void decode_step(struct model *m, struct sequence *const *s, int n, float *logits);

/* One sequence to its end. logits [vocab] is room for the steps. */
void decode_greedy(struct model *m, struct sequence *s, const float *prompt_logits, float *logits);

#endif
