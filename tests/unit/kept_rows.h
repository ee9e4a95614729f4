/*
 * Which rows of a prompt a chain keeps, seen from inside: a method that is only here stands at the
 * end of the chain and notes what it is told to adopt.
 */
#ifndef KVLAB_TEST_KEPT_ROWS_H
#define KVLAB_TEST_KEPT_ROWS_H

#include "tests/unit/sequence.h"

enum { KEPT_LAYERS = 8, KEPT_HEADS = 8, KEPT_ROWS = 512 };

struct kept_rows {
    int n[KEPT_LAYERS][KEPT_HEADS]; // by the slot's first query head; -1: no slot begins there
    int rows[KEPT_LAYERS][KEPT_HEADS][KEPT_ROWS];
};

struct kept_options {
    struct kept_rows *out;
};

static inline void kept_note(const struct kv_part *part, struct kv_rows *rows,
                             const struct kv_kept *kept, const void *seen)
{
    struct kept_rows *out = ((const struct kept_options *)part->opt)->out;
    (void)seen;
    assert(rows->n <= KEPT_ROWS);
    out->n[part->layer][part->head] = rows->n;
    for (int i = 0; i < rows->n; i++)
        out->rows[part->layer][part->head][i] = kept->rows ? kept->rows[i] : i;
}

/* What the chain keeps of the first n tokens. */
static inline void kept_rows_of(const struct sequence *s, const struct kv_engine *engine,
                                const char *text, int n, struct kept_rows *out)
{
    static const struct kv_method note = {
        .name = "note", .version = 1, .opt_size = sizeof(struct kept_options), .adopt = kept_note};
    struct kv_chain c;
    struct err e = {0};
    int rc = read_chain(&c, text, &e) || kv_chain_check(&c, &s->shape, true, "here", &e);
    assert(rc == 0 && c.n < KV_CHAIN_MAX);
    struct kept_options *o = xcalloc(1, sizeof *o);
    o->out = out;
    memset(out, 0, sizeof *out);
    memset(out->n, -1, sizeof out->n);
    c.links[c.n++] = (struct kv_link){&note, o, true};
    kv_cache_free(sequence_cache(s, engine, &c, n, NULL));
    kv_chain_release(&c);
}

/* The k largest of n, the first of equal ones, ascending: by looking for each in turn. */
static inline void kept_naive(const double *score, int n, int k, int *out)
{
    char taken[KEPT_ROWS] = {0};
    int m = 0;
    for (int i = 0; i < k; i++) {
        int best = -1;
        for (int j = 0; j < n; j++)
            if (!taken[j] && (best < 0 || score[j] > score[best]))
                best = j;
        taken[best] = 1;
    }
    for (int j = 0; j < n; j++)
        if (taken[j])
            out[m++] = j;
}

#endif
