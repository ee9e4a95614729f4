/*
 * H2O once after the prompt, as KVCache-Factory and ThinK run it for comparison (H2OKVCluster;
 * after Zhang et al., NeurIPS 2023): the last `window` tokens stay, and of those before them the
 * ones that receive most attention of all the prompt's queries, summed. What is decoded is added
 * without limit. It is not what H2O's authors do, which goes on while decoding: h2o-drop drops at
 * every step, h2o-sim hides.
 *
 * Variants by options: each query head keeps tokens of its own (heads=query), or the query heads of
 * a KV head keep them together by the mean, largest or sum of what they give (group). The window is
 * part of the budget. Their runner's window is 8, their class's 64. Their sums are of attention
 * that is causal within the window alone, so that earlier queries see tokens behind them; these are
 * of the model's own, causal attention.
 */
#include <stddef.h>
#include <string.h>

#include "harness/kv/seen_sums.h"
#include "harness/methods/votes.h"

enum { GROUP_MEAN, GROUP_MAX, GROUP_SUM };

struct h2o_options {
    struct kv_budget budget;
    int window, heads, group;
};

static const char *const group_names[] = {"mean", "max", "sum", NULL};

#define AT(field) offsetof(struct h2o_options, field)
static const struct opt options[] = {
    KV_BUDGET_OPTIONS(AT(budget), 0.25, 0),
    {"window", OPT_INT, AT(window), 0, 65536, 8, NULL, NULL, "window_size",
     "last tokens, which stay and count in the budget"},
    {"heads", OPT_CHOICE, AT(heads), 0, 0, HEADS_KV, heads_names, NULL, NULL,
     "what keeps tokens of its own: each KV head, or each query head with a copy of its rows"},
    {"group", OPT_CHOICE, AT(group), 0, 0, GROUP_MEAN, group_names, NULL, NULL,
     "of the query heads that decide together: the mean of their sums, the largest, or the sum"},
    {0}};

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    return kv_budget_check(&((const struct h2o_options *)opt)->budget, shape->n_layers, e);
}

static void observe_key(const void *opt, const struct kv_shape *shape, int layer, int n_prompt,
                        struct buf *out)
{
    (void)shape;
    (void)n_prompt;
    if (layer >= ((const struct h2o_options *)opt)->budget.first_layer)
        kv_sums_key(out);
}

static void *observe_new(const void *opt, const struct kv_shape *shape, int n_prompt)
{
    (void)opt;
    return kv_sums_new(shape, n_prompt);
}

static const struct kv_budget *budget(const void *opt)
{
    return &((const struct h2o_options *)opt)->budget;
}

static enum kv_heads heads(const void *opt)
{
    return heads_of(((const struct h2o_options *)opt)->heads);
}

static void add_head(int group, int heads, const float *sum, int n, float *out)
{
    for (int j = 0; j < n; j++) {
        if (group == GROUP_MAX)
            out[j] = sum[j] > out[j] ? sum[j] : out[j];
        else
            out[j] += group == GROUP_MEAN ? sum[j] / (float)heads : sum[j];
    }
}

static void score(const struct kv_part *part, const struct kv_rows *rows, const void *seen,
                  float *out)
{
    const struct h2o_options *o = part->opt;
    int n = rows->n, before = n > o->window ? n - o->window : 0;
    memset(out, 0, (size_t)n * sizeof *out);
    for (int h = 0; h < part->shape.n_heads; h++)
        add_head(o->group, part->shape.n_heads, kv_sums_of(seen, part->head + h), before, out);
    for (int j = before; j < n; j++)
        out[j] = kv_forced(j);
}

const struct kv_method method_h2o = {
    .name = "h2o",
    .version = 1,
    .summary = "keeps, once, the last tokens and those that received most attention",
    .cite = "KVCache-Factory, H2OKVCluster; Zhang et al., NeurIPS 2023",
    .hooks = 1u << KV_OBSERVE | 1u << KV_SCORE,
    .opt_size = sizeof(struct h2o_options),
    .options = options,
    .check = check,
    .observe_key = observe_key,
    .observe_new = observe_new,
    .observe_rows = kv_sums_rows,
    .observe_free = kv_sums_free,
    .budget = budget,
    .heads = heads,
    .score = score,
};
