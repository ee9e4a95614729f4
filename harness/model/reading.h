/*
 * A prompt read for any number of caches of one prefill class, with the replays that their methods
 * want (KV_REPLAY in harness/kv/method.h).
 *
 * Without a replay this is one prefill. Else the prompt is read for the caches whose methods want
 * none, and all its rows are kept; then each replay's parts go through the model behind these rows,
 * and are forgotten; then the other caches take the rows. What a cache holds is the same as if it
 * were alone, bit for bit.
 */
#ifndef KVLAB_READING_H
#define KVLAB_READING_H

#include "harness/model/model.h"

struct reading {
    const int32_t *ids; // [n]
    int n;
    const char *end;          // of the prompt's chat wrapper; NULL: it is in none
    struct kv_prefix *prefix; // and what is shared through it: see kv_prefill_share; NULL, 0, 0
    int have, keep;
};

/* What of the time was a replay that a cache wanted; settings that share one have all of it. */
struct reading_replay {
    int tokens;
    double seconds;
};

/* Into n new caches; logits of the last token. replayed [n]; returns the seconds of all replays.
 * The model has positions for it: reading_check. */
double reading_run(struct model *m, const struct reading *r, struct kv_cache *const *caches, int n,
                   float *logits, struct reading_replay *replayed);

/* Has the model positions for what this chain replays? ERR_ITEM. */
int reading_check(const struct model *m, const struct reading *r, const struct kv_chain *chain,
                  struct err *e);

/* Bytes that replays of a prompt of n tokens take beside its prefill; 0 for a chain without. */
size_t reading_replay_bytes(const struct model *m, const struct kv_chain *chain, int n);

#endif
