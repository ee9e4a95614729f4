/*
 * Keys of small norm stay (Devoto et al., EMNLP 2024): such tokens tend to receive much attention.
 * Each KV head keeps its own; no window and no sinks are forced. Norms are taken with positions
 * turned in, which changes none.
 *
 * Variants by options: kvpress (KnormPress) compresses all layers by a share, the defaults; the
 * L2NormCluster of KVCache-Factory is budget=C, first_layer=2.
 */
#include <math.h>

#include "harness/kv/method.h"
#include "harness/kv/rows.h"

static const struct opt options[] = {KV_BUDGET_OPTIONS(0, 0.25, 0), {0}};

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    return kv_budget_check(opt, shape->n_layers, e);
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

static float norm(const float *x, int n)
{
    float sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sqrtf(sum);
}

/* KV heads that keep the same tokens count together. */
static void score(const struct kv_part *part, const struct kv_rows *rows, const void *seen,
                  float *out)
{
    int d = part->shape.head_dim;
    (void)seen;
    for (int j = 0; j < rows->n; j++) {
        out[j] = 0;
        for (int h = 0; h < part->shape.n_kv_heads; h++)
            out[j] -= norm(kv_rows_k(rows, d, part->kv_head + h, j), d);
    }
}

const struct kv_method method_knorm = {
    .name = "knorm",
    .version = 1,
    .summary = "keeps the tokens whose keys are smallest, of each KV head",
    .cite = "Devoto et al., EMNLP 2024",
    .hooks = 1u << KV_SCORE,
    .opt_size = sizeof(struct kv_budget),
    .options = options,
    .check = check,
    .budget = budget,
    .heads = heads,
    .score = score,
};
