/*
 * ChunkKV (Liu et al. 2025, arXiv 2502.00299) as kvpress has it (ChunkKVPress): tokens stay or go
 * by chunks of `length`, beside any method that scores them. A chunk is worth the mean of its
 * tokens' scores, summed over the heads that are scored, and all of these keep the same tokens.
 * What remains at the end is a chunk, too, and worth its own mean. A prompt shorter than one chunk
 * is left to the scoring method.
 *
 * Variants by options: kvpress keeps max(1, int(chunks * share)) whole chunks, which may be more or
 * less than the budget says (fill=chunks, the default); fill=rows keeps just as many tokens as it
 * says: whole chunks in the order of their worth, and the first tokens of the next one. Of chunks
 * worth the same the first stays.
 *
 * Kept apart from kvpress: tokens that a method forces to stay (windows, sinks) bring their chunk
 * before all others; there they count as the largest score + 1, which need not suffice. The
 * paper's reuse of one layer's choice in the next is in neither.
 */
#include <stddef.h>

#include "harness/kv/method.h"

enum { FILL_CHUNKS, FILL_ROWS };
static const char *const fills[] = {"chunks", "rows", NULL};

struct chunkkv_options {
    int length, fill;
};

#define AT(field) offsetof(struct chunkkv_options, field)
static const struct opt options[] = {
    {"length", OPT_INT, AT(length), 1, 65536, 20, NULL, NULL, "chunk_length", "tokens of a chunk"},
    {"fill", OPT_CHOICE, AT(fill), 0, 0, FILL_CHUNKS, fills, NULL, NULL,
     "what the budget counts: its share of the chunks, at least one; or just its tokens"},
    {0}};

static float worth_of(const struct kv_contest *t, int from, int end)
{
    double sum = 0;
    for (int i = 0; i < t->n_slots; i++)
        for (int j = from; j < end; j++)
            sum += (double)t->scores[(size_t)i * (size_t)t->n + (size_t)j];
    return (float)(sum / (end - from));
}

/* In all slots. Tokens of a chunk are then worth the same, so that the best of them are whole
 * chunks and at most a part of one. */
static void set_worth(const struct kv_contest *t, int from, int end)
{
    float worth = worth_of(t, from, end);
    for (int i = 0; i < t->n_slots; i++)
        for (int j = from; j < end; j++)
            t->scores[(size_t)i * (size_t)t->n + (size_t)j] = worth;
}

/* Tokens of the best chunks. The last one may be shorter; others as good come before it. */
static int tokens_of(const struct kv_contest *t, int length, int chunks)
{
    int before = 0, complete = t->n / length, rest = t->n % length;
    for (int i = 0; i < complete; i++)
        before += t->scores[i * length] >= t->scores[t->n - 1];
    return rest && before < chunks ? (chunks - 1) * length + rest : chunks * length;
}

/* Chunks by the budget's share; what is whole but for rounding counts as whole. */
static int chunks_of(const struct kv_contest *t, int length)
{
    int all = (t->n + length - 1) / length;
    int chunks = (int)(all * t->budget / t->n + 1e-9);
    return chunks > 1 ? chunks : 1;
}

static void allot(const void *opt, const struct kv_contest *contest)
{
    const struct chunkkv_options *o = opt;
    int n = contest->n;
    if (n < o->length)
        return;
    for (int from = 0; from < n; from += o->length)
        set_worth(contest, from, from + o->length < n ? from + o->length : n);
    for (int i = 0; i < contest->n_slots && o->fill == FILL_CHUNKS; i++)
        contest->keep[i] = tokens_of(contest, o->length, chunks_of(contest, o->length));
}

const struct kv_method method_chunkkv = {
    .name = "chunkkv",
    .version = 1,
    .summary = "tokens stay by whole chunks, beside a method that scores them",
    .cite = "Liu et al., arXiv 2502.00299; kvpress, ChunkKVPress",
    .hooks = 1u << KV_ALLOT,
    .opt_size = sizeof(struct chunkkv_options),
    .options = options,
    .allot = allot,
};
