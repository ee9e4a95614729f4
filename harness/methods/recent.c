/*
 * The baseline that every eviction has to beat: the last tokens of the prompt stay, of all heads
 * the same. Sliding-window attention as far as the prompt goes (Beltagy et al. 2020); what is
 * decoded is added without limit.
 */
#include "harness/kv/method.h"

static const struct opt options[] = {KV_BUDGET_OPTIONS(0, 0.25, 0), {0}};

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    return kv_budget_check(opt, shape->n_layers, e);
}

static const struct kv_budget *budget(const void *opt)
{
    return opt;
}

static void score(const struct kv_part *part, const struct kv_rows *rows, const void *seen,
                  float *out)
{
    (void)part;
    (void)seen;
    for (int j = 0; j < rows->n; j++)
        out[j] = (float)j;
}

const struct kv_method method_recent = {
    .name = "recent",
    .version = 1,
    .summary = "a baseline: keeps the last tokens of the prompt",
    .cite = "Beltagy et al. 2020",
    .hooks = 1u << KV_SCORE,
    .opt_size = sizeof(struct kv_budget),
    .options = options,
    .check = check,
    .budget = budget,
    .score = score,
};
