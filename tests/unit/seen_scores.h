/*
 * What the rows of a prompt are worth to a chain, seen from inside: a method that is only here is
 * told of the contest in each layer, and changes nothing in it.
 */
#ifndef KVLAB_TEST_SEEN_SCORES_H
#define KVLAB_TEST_SEEN_SCORES_H

#include "tests/unit/sequence.h"

enum { SCORES_LAYERS = 4, SCORES_SLOTS = 8, SCORES_ROWS = 512 };

struct seen_scores {
    int n_slots[SCORES_LAYERS]; // 0: no contest
    float worth[SCORES_LAYERS][SCORES_SLOTS][SCORES_ROWS];
};

struct scores_options {
    struct seen_scores *out;
};

static inline void scores_note(const void *opt, const struct kv_contest *contest)
{
    struct seen_scores *out = ((const struct scores_options *)opt)->out;
    assert(contest->n_slots <= SCORES_SLOTS && contest->n <= SCORES_ROWS);
    out->n_slots[contest->layer] = contest->n_slots;
    for (int i = 0; i < contest->n_slots; i++)
        memcpy(out->worth[contest->layer][i], contest->scores + (size_t)i * (size_t)contest->n,
               (size_t)contest->n * sizeof(float));
}

/* Of the first n tokens. The chain has no method that allots. */
static inline void seen_scores_of(const struct sequence *s, const struct kv_engine *engine,
                                  const char *text, int n, struct seen_scores *out)
{
    static const struct kv_method note = {.name = "note",
                                          .version = 1,
                                          .hooks = 1u << KV_ALLOT,
                                          .opt_size = sizeof(struct scores_options),
                                          .allot = scores_note};
    struct kv_chain c;
    struct err e = {0};
    int rc = read_chain(&c, text, &e) || kv_chain_check(&c, &s->shape, true, "here", &e);
    assert(rc == 0 && c.n < KV_CHAIN_MAX && c.owner[KV_ALLOT] < 0);
    struct scores_options *o = xcalloc(1, sizeof *o);
    o->out = out;
    memset(out, 0, sizeof *out);
    c.owner[KV_ALLOT] = c.n;
    c.links[c.n++] = (struct kv_link){&note, o, true};
    kv_cache_free(sequence_cache(s, engine, &c, n, NULL));
    kv_chain_release(&c);
}

#endif
