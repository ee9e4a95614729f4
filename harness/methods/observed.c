/*
 * Tokens stay that receive most attention of the queries that can see them (kvpress,
 * ObservedAttentionPress): the sum over the prompt's queries, divided by their number, which is
 * one for the last token; averaged over the query heads of a KV head, which keeps its own. No
 * window and no sinks are forced. H2O's sums are not divided (h2o), and favour early tokens; these
 * favour late ones.
 */
#include <string.h>

#include "harness/kv/method.h"
#include "harness/kv/seen_sums.h"

static const struct opt options[] = {KV_BUDGET_OPTIONS(0, 0.25, 0), {0}};

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    return kv_budget_check(opt, shape->n_layers, e);
}

static void observe_key(const void *opt, const struct kv_shape *shape, int layer, int n_prompt,
                        struct buf *out)
{
    (void)shape;
    (void)n_prompt;
    if (layer >= ((const struct kv_budget *)opt)->first_layer)
        kv_sums_key(out);
}

static void *observe_new(const void *opt, const struct kv_shape *shape, int n_prompt)
{
    (void)opt;
    return kv_sums_new(shape, n_prompt);
}

static const struct kv_budget *budget(const void *opt)
{
    return opt;
}

static enum kv_heads heads(const void *opt)
{
    (void)opt;
    return KV_HEADS_KV;
}

static void score(const struct kv_part *part, const struct kv_rows *rows, const void *seen,
                  float *out)
{
    int heads_here = part->shape.n_heads;
    memset(out, 0, (size_t)rows->n * sizeof *out);
    for (int h = 0; h < heads_here; h++) {
        const float *sum = kv_sums_of(seen, part->head + h);
        for (int j = 0; j < rows->n; j++)
            out[j] += sum[j] / (float)(rows->n - j) / (float)heads_here;
    }
}

const struct kv_method method_observed = {
    .name = "observed",
    .version = 1,
    .summary = "keeps the tokens that receive most attention on average",
    .cite = "kvpress, ObservedAttentionPress (NVIDIA 2024)",
    .hooks = 1u << KV_OBSERVE | 1u << KV_SCORE,
    .opt_size = sizeof(struct kv_budget),
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
