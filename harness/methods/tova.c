/*
 * TOVA (Oren et al., EMNLP 2024; schwartz-lab-NLP/TOVA): after the prompt and after every step the
 * tokens stay that the last query attends to most, on average over all query heads: the same of all
 * heads of a layer, as many as the budget says. Nothing is forced, the last token can go, too; of
 * equal tokens the first stay. Positions are those of the text, a prompt's own attention is full.
 *
 * Variants by options: kvpress (TOVAPress) is when=prompt, last=true: once, the last token stays,
 * and what is decoded is added without limit. Where a chain keeps tokens for each head, a head's
 * own attention decides.
 */
#include <float.h>
#include <stddef.h>
#include <string.h>

#include "harness/kv/seen_window.h"
#include "harness/methods/dropping.h"

struct tova_options {
    struct kv_budget budget;
    int when, last;
};

/* Attention of the last query is of no use after its step: nothing of it is held between steps. */
struct tova_state {
    int size;     // rows that may be held
    float mean[]; // [cap]: what rows got of the step's query
};

#define AT(field) offsetof(struct tova_options, field)
static const struct opt options[] = {
    KV_BUDGET_OPTIONS(AT(budget), 0.25, 0),
    {"when", OPT_CHOICE, AT(when), 0, 0, WHEN_STEP, when_names, NULL, NULL,
     "tokens are dropped: at every step, or once after the prompt"},
    {"last", OPT_BOOL, AT(last), 0, 1, 0, NULL, NULL, NULL,
     "the last token stays whatever attention it gets"},
    {0}};

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    return kv_budget_check(&((const struct tova_options *)opt)->budget, shape->n_layers, e);
}

static void observe_key(const void *opt, const struct kv_shape *shape, int layer, int n_prompt,
                        struct buf *out)
{
    (void)shape;
    (void)n_prompt;
    if (layer >= ((const struct tova_options *)opt)->budget.first_layer)
        kv_window_key(1, out);
}

static int observe_from(const void *opt, int n_prompt)
{
    (void)opt;
    return kv_window_from(1, n_prompt);
}

static void *observe_new(const void *opt, const struct kv_shape *shape, int n_prompt)
{
    (void)opt;
    return kv_window_new(shape, n_prompt, 1);
}

static size_t state_size(const void *opt, const struct kv_shape *shape, int cap)
{
    (void)opt;
    (void)shape;
    return sizeof(struct tova_state) + (size_t)cap * sizeof(float);
}

static const struct kv_budget *budget(const void *opt)
{
    return &((const struct tova_options *)opt)->budget;
}

static void add(float *sum, const float *x, int n, int heads)
{
    for (int j = 0; j < n; j++)
        sum[j] += x[j] / (float)heads;
}

static void score(const struct kv_part *part, const struct kv_rows *rows, const void *seen,
                  float *out)
{
    const struct tova_options *o = part->opt;
    memset(out, 0, (size_t)rows->n * sizeof *out);
    for (int h = 0; h < part->shape.n_heads; h++)
        add(out, kv_window_row(seen, part->head + h, 0), rows->n, part->shape.n_heads);
    if (o->last)
        out[rows->n - 1] = kv_forced(rows->n - 1);
}

static void adopt(const struct kv_part *part, struct kv_rows *rows, const struct kv_kept *kept,
                  const void *seen)
{
    const struct tova_options *o = part->opt;
    (void)seen;
    ((struct tova_state *)part->state)->size = drop_size_of(&o->budget, part->layer, kept, rows->n);
}

static void observe_step(const struct kv_part *part, int head, const struct kv_range *ranges,
                         int n_ranges, const float *weights)
{
    struct tova_state *s = part->state;
    if (head == 0)
        memset(s->mean, 0, (size_t)part->cap * sizeof *s->mean);
    for (int i = 0; i < n_ranges; weights += ranges[i++].n)
        add(s->mean + ranges[i].start, weights, ranges[i].n, part->shape.n_heads);
}

static int evict(const struct kv_part *part, const struct kv_layer *layer)
{
    const struct tova_options *o = part->opt;
    struct tova_state *s = part->state;
    int size = drop_size_now(&o->budget, part->layer, s->size), n = layer->n;
    if (o->when == WHEN_PROMPT || size == DROP_NOTHING || n <= size)
        return -1;
    if (o->last)
        s->mean[n - 1] = FLT_MAX;
    int row = drop_weakest(s->mean, n);
    memmove(s->mean + row, s->mean + row + 1, (size_t)(n - row - 1) * sizeof *s->mean);
    return row;
}

const struct kv_method method_tova = {
    .name = "tova",
    .version = 1,
    .summary = "keeps the tokens that the last query attends to, at every step",
    .cite = "Oren et al., EMNLP 2024",
    .hooks = 1u << KV_OBSERVE | 1u << KV_SCORE | 1u << KV_EVICT,
    .opt_size = sizeof(struct tova_options),
    .options = options,
    .check = check,
    .state_size = state_size,
    .observe_key = observe_key,
    .observe_from = observe_from,
    .observe_new = observe_new,
    .observe_rows = kv_window_rows,
    .observe_free = kv_window_free,
    .budget = budget,
    .score = score,
    .adopt = adopt,
    .observe_step = observe_step,
    .evict = evict,
};
