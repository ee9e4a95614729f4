/*
 * SnapKV (Li et al., NeurIPS 2024; FasterDecoding/SnapKV): the last queries of the prompt vote for
 * the tokens before them; votes are pooled over neighbours, so that tokens stay in clusters. Once
 * after the prompt; what is decoded is added without limit.
 *
 * Variants by options: the authors keep tokens for each query head (heads=query), where the votes
 * of one head count; heads=kv lets the query heads of a KV head vote together, on average, before
 * (group=votes: KVCache-Factory) or after pooling (group=pooled: kvpress). The window is part of
 * the budget. A prompt that is not longer than the budget stays as it is.
 */
#include <stddef.h>
#include <string.h>

#include "harness/kv/method.h"
#include "harness/kv/seen_window.h"
#include "harness/methods/votes.h"

struct snapkv_options {
    struct kv_budget budget;
    struct votes votes;
    int heads;
};

#define AT(field) offsetof(struct snapkv_options, field)
static const struct opt options[] = {
    KV_BUDGET_OPTIONS(AT(budget), 0.25, 0),
    VOTES_OPTIONS(AT(votes), 32, 5, VOTES_AVERAGE),
    {"heads", OPT_CHOICE, AT(heads), 0, 0, HEADS_KV, heads_names, NULL, NULL,
     "what keeps tokens of its own: each KV head, or each query head with a copy of its rows"},
    {0}};

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    const struct snapkv_options *o = opt;
    return kv_budget_check(&o->budget, shape->n_layers, e) || votes_check(&o->votes, e) ? -1 : 0;
}

static void observe_key(const void *opt, const struct kv_shape *shape, int layer, int n_prompt,
                        struct buf *out)
{
    const struct snapkv_options *o = opt;
    (void)shape;
    (void)n_prompt;
    if (layer >= o->budget.first_layer)
        kv_window_key(o->votes.window, out);
}

static int observe_from(const void *opt, int n_prompt)
{
    const struct snapkv_options *o = opt;
    return kv_window_from(o->votes.window, n_prompt);
}

static void *observe_new(const void *opt, const struct kv_shape *shape, int n_prompt)
{
    const struct snapkv_options *o = opt;
    return kv_window_new(shape, n_prompt, o->votes.window);
}

static const struct kv_budget *budget(const void *opt)
{
    return &((const struct snapkv_options *)opt)->budget;
}

static enum kv_heads heads(const void *opt)
{
    return heads_of(((const struct snapkv_options *)opt)->heads);
}

static size_t scratch_size(const void *opt, const struct kv_shape *shape, int cap)
{
    (void)opt;
    (void)shape;
    return votes_scratch(cap);
}

static void score(const struct kv_part *part, const struct kv_rows *rows, const void *seen,
                  float *out)
{
    const struct snapkv_options *o = part->opt;
    votes_count(&o->votes, part, seen, rows->n, out);
}

const struct kv_method method_snapkv = {
    .name = "snapkv",
    .version = 1,
    .summary = "keeps the tokens that the last queries of the prompt attend to, in clusters",
    .cite = "Li et al., NeurIPS 2024",
    .hooks = 1u << KV_OBSERVE | 1u << KV_SCORE,
    .opt_size = sizeof(struct snapkv_options),
    .options = options,
    .check = check,
    .scratch_size = scratch_size,
    .observe_key = observe_key,
    .observe_from = observe_from,
    .observe_new = observe_new,
    .observe_rows = kv_window_rows,
    .observe_free = kv_window_free,
    .budget = budget,
    .heads = heads,
    .score = score,
};
