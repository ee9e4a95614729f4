/*
 * DropKV (openreview MqfNzH3TVH; kvpress, pull request 285): a token is worth what its going alone
 * would do to the attention of the last queries. Without token j query i gets, its softmax over the
 * others, o_i + p_ij / (1 - p_ij) * (o_i - v_j); the squares of these changes are summed over the
 * window, averaged over the query heads of a KV head, and pooled over neighbours. Once after the
 * prompt; what is decoded is added without limit.
 *
 * As in kvpress the window's tokens take part in pooling and then always stay, and count in the
 * budget; of a budget below the window its last ones stay (an earlier state of the request raised
 * the budget to the window). Worth is a distance between values, the same unit in all heads.
 * Variants by options: heads=query is the same for each query head alone, with a copy of its rows;
 * kernel=1 is the paper's score without pooling.
 */
#include <stddef.h>
#include <string.h>

#include "harness/kv/method.h"
#include "harness/kv/rows.h"
#include "harness/kv/seen_window.h"
#include "harness/methods/votes.h"

struct dropkv_options {
    struct kv_budget budget;
    int window, kernel, heads;
    double epsilon;
};

#define AT(field) offsetof(struct dropkv_options, field)
static const struct opt options[] = {
    KV_BUDGET_OPTIONS(AT(budget), 0.25, 0),
    {"window", OPT_INT, AT(window), 1, 65536, 32, NULL, NULL, "window_size",
     "last queries whose attention must not change; their tokens always stay"},
    {"kernel", OPT_INT, AT(kernel), 1, 4095, 7, NULL, NULL, "kernel_size",
     "tokens whose worth is averaged, odd; 1: each for itself"},
    {"heads", OPT_CHOICE, AT(heads), 0, 0, HEADS_KV, heads_names, NULL, NULL,
     "what keeps tokens of its own: each KV head, or each query head with a copy of its rows"},
    {"epsilon", OPT_NUM, AT(epsilon), 1e-12, 1, 1e-6, NULL, NULL, NULL,
     "added to 1 - p, which a token that has all attention makes 0"},
    {0}};

static struct votes pooling_of(const struct dropkv_options *o)
{
    return (struct votes){o->window, o->kernel, VOTES_AVERAGE, 0};
}

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    const struct dropkv_options *o = opt;
    struct votes pooling = pooling_of(o);
    return kv_budget_check(&o->budget, shape->n_layers, e) || votes_check(&pooling, e) ? -1 : 0;
}

static void observe_key(const void *opt, const struct kv_shape *shape, int layer, int n_prompt,
                        struct buf *out)
{
    const struct dropkv_options *o = opt;
    (void)shape;
    (void)n_prompt;
    if (layer >= o->budget.first_layer)
        kv_window_key(o->window, out);
}

static int observe_from(const void *opt, int n_prompt)
{
    return kv_window_from(((const struct dropkv_options *)opt)->window, n_prompt);
}

static void *observe_new(const void *opt, const struct kv_shape *shape, int n_prompt)
{
    return kv_window_new(shape, n_prompt, ((const struct dropkv_options *)opt)->window);
}

static const struct kv_budget *budget(const void *opt)
{
    return &((const struct dropkv_options *)opt)->budget;
}

static enum kv_heads heads(const void *opt)
{
    return heads_of(((const struct dropkv_options *)opt)->heads);
}

/* What tokens are worth before pooling, and a query's output. */
static size_t scratch_size(const void *opt, const struct kv_shape *shape, int cap)
{
    (void)opt;
    return ((size_t)cap + (size_t)shape->head_dim) * sizeof(float);
}

/* Sums apart, so that the compiler may add them side by side. */
static float distance2(const float *a, const float *b, int n)
{
    enum { LANES = 16 };
    float sum[LANES] = {0}, total = 0;
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++)
            sum[l] += (a[i + l] - b[i + l]) * (a[i + l] - b[i + l]);
    for (; i < n; i++)
        total += (a[i] - b[i]) * (a[i] - b[i]);
    for (int l = 0; l < LANES; l++)
        total += sum[l];
    return total;
}

/* One query: p [n], v [n][d] the values of its KV head, n the tokens it sees. */
static void add_changes(const struct kv_part *part, const float *p, const float *v, int n,
                        float *output, float *worth)
{
    int d = part->shape.head_dim;
    float epsilon = (float)((const struct dropkv_options *)part->opt)->epsilon;
    memset(output, 0, (size_t)d * sizeof *output);
    part->kernels->mix(output, p, v, n, d);
    for (int j = 0; j < n; j++) {
        float share = p[j] / (1 - p[j] + epsilon);
        worth[j] += share * share * distance2(v + (size_t)j * (size_t)d, output, d);
    }
}

static void score(const struct kv_part *part, const struct kv_rows *rows, const void *seen,
                  float *out)
{
    const struct dropkv_options *o = part->opt;
    struct votes pooling = pooling_of(o);
    int n = rows->n, d = part->shape.head_dim, window = kv_window_queries(seen);
    int heads = part->shape.n_heads, group = heads / part->shape.n_kv_heads;
    float *worth = part->scratch, *output = worth + n;
    memset(worth, 0, (size_t)n * sizeof *worth);
    for (int h = 0; h < heads; h++)
        for (int i = 0; i < window; i++)
            add_changes(part, kv_window_row(seen, part->head + h, i),
                        kv_rows_v(rows, d, part->kv_head + h / group, 0), n - window + i + 1,
                        output, worth);
    for (int j = 0; j < n; j++)
        worth[j] /= (float)heads;
    votes_pool(&pooling, out, worth, n);
    for (int j = n - window; j < n; j++)
        out[j] = kv_forced(j);
}

const struct kv_method method_dropkv = {
    .name = "dropkv",
    .version = 1,
    .summary = "keeps the tokens without which the last queries' attention would change most",
    .cite = "openreview MqfNzH3TVH, 2026",
    .hooks = 1u << KV_OBSERVE | 1u << KV_SCORE,
    .opt_size = sizeof(struct dropkv_options),
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
