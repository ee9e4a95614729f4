/*
 * A claimed group at work: one sample under one prefill class, and the settings that share its
 * prefill. Its prompt is read once; then each setting is a sequence of its own.
 */
#ifndef KVLAB_GROUP_H
#define KVLAB_GROUP_H

#include "harness/model/reading.h"
#include "runner/outbox.h"
#include "runner/plan.h"

struct group {
    struct store_claim claim;           // owned
    const struct plan_variant *variant; // borrowed, as all that follows
    struct model *model;
    const struct plan_task *task;
    const struct sample *sample;
    const struct quant_format *weights;  // of all its settings: part of the prefill class
    const struct exp_setting **settings; // [claim.n], of the claim's jobs, in order; owned
    struct prompt prompt;
    struct stop_rules rules;
    struct teacher teacher;          // where the protocol's metric wants one
    struct sequence *sequences;      // [claim.n], once it has been read
    struct layer_sums **layers;      // [claim.n], NULL where nobody asks; owned
    int going;                       // sequences that are not finished
    struct reading_replay *replayed; // [claim.n]: what each setting's method wanted of that; owned
    struct err *refused;             // [claim.n]: why a setting never began, or no message; owned
    double prefill_seconds;          // without
    double replay_seconds;           // all replays of it
    int shared_tokens;               // of the prompt: read for an earlier one
};

/* Takes the claim over. ERR_SYSTEM when it is of no part of this plan. */
int group_open(struct group **out, const struct plan *p, struct store_claim *claim, struct err *e);
void group_free(struct group *g); // NULL is fine

/* The prompt's ids and when answers end. ERR_ITEM: this sample cannot be asked so. */
int group_prompt(struct group *g, struct err *e);

/* Bytes that a worker of so many threads takes to read a prompt: the caches of its settings
 * (group_cache_need, summed), and beside them one layer's rows and the activations. */
size_t group_need(const struct model *m, int threads, size_t prompt_tokens, size_t caches);
/* room: tokens of prompt and answer; layers: with sums by layer. */
size_t group_cache_need(const struct model *m, const struct exp_setting *s, int room, bool layers);

/* Bytes to read the prompt for the first n settings, replays included, and of what stays: their
 * caches. */
size_t group_bytes(const struct group *g, int n);
size_t group_cache_bytes(const struct group *g, int setting);
/* And of what stays beside these until the group is freed. */
size_t group_kept_bytes(const struct group *g);

/* What a prompt takes from an earlier one that begins alike, and leaves to the next: see
 * kv_prefill_share. */
struct group_share {
    struct kv_prefix *prefix;
    int have, keep;
};

/* Reads the prompt and begins all sequences. ERR_ITEM: no memory for the weights. */
int group_prefill(struct group *g, struct group_share share, struct err *e);

/* "mini_code[3]" */
void group_name(const struct group *g, struct buf *out);

/* Setting i's answer is complete: scored, and its cache freed; or it was refused. */
struct letter *group_finish(struct group *g, int i, struct buf *warning);
/* Setting i failed for this reason. */
struct letter *group_fail(struct group *g, int i, const struct err *why);

#endif
