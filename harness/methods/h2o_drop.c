/*
 * H2O as its authors drop tokens (Zhang et al., NeurIPS 2023; FMInference/H2O,
 * utils_real_drop/modify_llama.py): a token is worth the attention that it has received from all
 * queries so far. After the prompt and after every step the last tokens stay, and of those before
 * them the ones worth most. What is dropped is gone with its sum, unlike in their simulation
 * (h2o-sim). The sums are part of the cache and counted.
 *
 * The budget is their hh_size + recent_size, of which `recent` says the share that are the last
 * tokens: a half is their summarization run (1024 and 1024). Their heads have their own keys; of
 * grouped queries each KV head keeps tokens by the sum over its query heads (heads=kv), or each
 * query head by its own (heads=query). Positions are those of the text: their streaming class,
 * which counts them inside the cache, is not this one. A prompt's own attention is full.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "harness/kv/seen_sums.h"
#include "harness/methods/dropping.h"
#include "harness/methods/votes.h"

struct drop_options {
    struct kv_budget budget;
    double recent;
    int heads;
};

struct drop_state {
    int size, n;            // rows that may be held; rows that have a sum
    uint64_t read, written; // bits of sums
    float sum[];            // [cap]
};

#define AT(field) offsetof(struct drop_options, field)
static const struct opt options[] = {
    KV_BUDGET_OPTIONS(AT(budget), 0.25, 0),
    {"recent", OPT_NUM, AT(recent), 0, 1, 0.5, NULL, NULL, NULL,
     "share of the budget that the last tokens take, rounded down"},
    {"heads", OPT_CHOICE, AT(heads), 0, 0, HEADS_KV, heads_names, NULL, NULL,
     "what keeps tokens of its own: each KV head, or each query head with a copy of its rows"},
    {0}};

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    return kv_budget_check(&((const struct drop_options *)opt)->budget, shape->n_layers, e);
}

static bool keeps_all(const struct kv_part *part)
{
    return part->layer < ((const struct drop_options *)part->opt)->budget.first_layer;
}

static size_t state_size(const void *opt, const struct kv_shape *shape, int cap)
{
    (void)opt;
    (void)shape;
    return sizeof(struct drop_state) + (size_t)cap * sizeof(float);
}

/* Sums of a whole prompt. */
static size_t scratch_size(const void *opt, const struct kv_shape *shape, int cap)
{
    (void)opt;
    (void)shape;
    return (size_t)cap * sizeof(float);
}

static void observe_key(const void *opt, const struct kv_shape *shape, int layer, int n_prompt,
                        struct buf *out)
{
    (void)shape;
    (void)n_prompt;
    if (layer >= ((const struct drop_options *)opt)->budget.first_layer)
        kv_sums_key(out);
}

static void *observe_new(const void *opt, const struct kv_shape *shape, int n_prompt)
{
    (void)opt;
    return kv_sums_new(shape, n_prompt);
}

static const struct kv_budget *budget(const void *opt)
{
    return &((const struct drop_options *)opt)->budget;
}

static enum kv_heads heads(const void *opt)
{
    return heads_of(((const struct drop_options *)opt)->heads);
}

/* Of `size` rows those that are kept for being the last. */
static int recent_of(const struct drop_options *o, int size)
{
    return (int)(size * o->recent);
}

static void sum_heads(const struct kv_part *part, const void *seen, int n, float *out)
{
    memset(out, 0, (size_t)n * sizeof *out);
    for (int h = 0; h < part->shape.n_heads; h++) {
        const float *sum = kv_sums_of(seen, part->head + h);
        for (int j = 0; j < n; j++)
            out[j] += sum[j];
    }
}

static void score(const struct kv_part *part, const struct kv_rows *rows, const void *seen,
                  float *out)
{
    sum_heads(part, seen, rows->n, out);
}

/* Only here it is known how many stay, and so how many of the last. */
static void allot(const void *opt, const struct kv_contest *contest)
{
    for (int i = 0; i < contest->n_slots; i++) {
        float *scores = contest->scores + (size_t)i * (size_t)contest->n;
        for (int j = contest->n - recent_of(opt, contest->keep[i]); j < contest->n; j++)
            scores[j] = kv_forced(j);
    }
}

static void adopt(const struct kv_part *part, struct kv_rows *rows, const struct kv_kept *kept,
                  const void *seen)
{
    const struct drop_options *o = part->opt;
    struct drop_state *s = part->state;
    float *all = part->scratch;
    if (keeps_all(part))
        return;
    s->size = drop_size_of(&o->budget, part->layer, kept, rows->n);
    s->n = rows->n;
    sum_heads(part, seen, kept->n_prompt, all);
    for (int i = 0; i < s->n; i++)
        s->sum[i] = all[kept->rows ? kept->rows[i] : i];
}

/* The new row begins with what its own query gives it. */
static void observe_step(const struct kv_part *part, int head, const struct kv_range *ranges,
                         int n_ranges, const float *weights)
{
    struct drop_state *s = part->state;
    if (keeps_all(part))
        return;
    if (head == 0) {
        s->read += (uint64_t)s->n * 32;
        s->sum[s->n++] = 0;
        s->written += (uint64_t)s->n * 32;
    }
    for (int i = 0; i < n_ranges; weights += ranges[i++].n)
        for (int j = 0; j < ranges[i].n; j++)
            s->sum[ranges[i].start + j] += weights[j];
}

static int evict(const struct kv_part *part, const struct kv_layer *layer)
{
    const struct drop_options *o = part->opt;
    struct drop_state *s = part->state;
    int size = drop_size_now(&o->budget, part->layer, s->size);
    if (size == DROP_NOTHING || layer->n <= size)
        return -1;
    int row = drop_weakest(s->sum, s->n - recent_of(o, size));
    memmove(s->sum + row, s->sum + row + 1, (size_t)(s->n - row - 1) * sizeof *s->sum);
    s->n--;
    return row;
}

static void count(const struct kv_part *part, struct kv_ledger *out)
{
    const struct drop_state *s = part->state;
    out->held[KV_SUMS] += (uint64_t)s->n * 32;
    out->read[KV_SUMS] += s->read;
    out->written[KV_SUMS] += s->written;
}

const struct kv_method method_h2o_drop = {
    .name = "h2o-drop",
    .version = 1,
    .summary = "keeps the last tokens and those that received most attention, at every step",
    .cite = "Zhang et al., NeurIPS 2023",
    .hooks = 1u << KV_OBSERVE | 1u << KV_SCORE | 1u << KV_ALLOT | 1u << KV_EVICT,
    .opt_size = sizeof(struct drop_options),
    .options = options,
    .check = check,
    .state_size = state_size,
    .scratch_size = scratch_size,
    .observe_key = observe_key,
    .observe_new = observe_new,
    .observe_rows = kv_sums_rows,
    .observe_free = kv_sums_free,
    .budget = budget,
    .heads = heads,
    .score = score,
    .allot = allot,
    .adopt = adopt,
    .observe_step = observe_step,
    .evict = evict,
    .count = count,
};
