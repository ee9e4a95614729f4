/* Greedy decoding of one cache with a task's stop rules. */
#ifndef KVLAB_DECODE_H
#define KVLAB_DECODE_H

#include "harness/model/model.h"

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
    const char *stop;  // "eos" (any stop id), "length", "positions"
    double seconds;    // of the decode steps: all tokens but the first
    int steps;
    uint64_t weight_bits; // of the model's weights, read by the steps
};

void decoded_init(struct decoded *d);
void decoded_release(struct decoded *d);

/* prompt_logits [vocab]: of the prompt's last token, from the prefill that cache was made from.
 * logits [vocab] is room for the steps. */
void decode_greedy(struct model *m, struct kv_cache *cache, const float *prompt_logits,
                   const struct stop_rules *rules, float *logits, struct decoded *out);

#endif
