/*
 * The baseline of chance: each KV head keeps tokens drawn with a seed (kvpress, RandomPress). What
 * is drawn depends on the seed, the layer, the head and the token's place alone, so that a longer
 * prompt with the same beginning is scored alike. A slot of one query head has draws of its own.
 */
#include <stddef.h>

#include "harness/base/rng.h"
#include "harness/kv/method.h"

struct random_options {
    struct kv_budget budget;
    int seed;
};

#define AT(field) offsetof(struct random_options, field)
static const struct opt options[] = {
    KV_BUDGET_OPTIONS(AT(budget), 0.25, 0),
    {"seed", OPT_INT, AT(seed), 0, 1e9, 0, NULL, NULL, NULL, "of the draws"},
    {0}};

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    return kv_budget_check(&((const struct random_options *)opt)->budget, shape->n_layers, e);
}

static const struct kv_budget *budget(const void *opt)
{
    return &((const struct random_options *)opt)->budget;
}

static enum kv_heads heads(const void *opt)
{
    (void)opt;
    return KV_HEADS_KV;
}

/* Three numbers go into the state one after the other, each through the generator. */
static void score(const struct kv_part *part, const struct kv_rows *rows, const void *seen,
                  float *out)
{
    struct rng r = {(uint64_t)((const struct random_options *)part->opt)->seed};
    (void)seen;
    r.state = rng_next(&r) + (uint64_t)part->layer;
    r.state = rng_next(&r) + (uint64_t)part->head;
    for (int j = 0; j < rows->n; j++)
        out[j] = (float)rng_uniform(&r);
}

const struct kv_method method_random = {
    .name = "random",
    .version = 1,
    .summary = "a baseline: each KV head keeps tokens drawn at random",
    .cite = "kvpress, RandomPress (NVIDIA 2024)",
    .hooks = 1u << KV_SCORE,
    .opt_size = sizeof(struct random_options),
    .options = options,
    .check = check,
    .budget = budget,
    .heads = heads,
    .score = score,
};
