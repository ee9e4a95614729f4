/*
 * KVzip (Kim et al., NeurIPS 2025, arXiv 2505.23416; snu-mllab/KVzip): what a context is worth
 * without knowing the question. When it has been read the model is asked to repeat it, part by
 * part, with all rows kept (a replay, method.h); a key and value are worth the largest attention
 * that they get while their own part is repeated, over all tokens fed, those of the request
 * included, and over the query heads of their KV head. Once; what is decoded is added.
 *
 * As in the authors' code: parts of 2000 tokens; the texts of the requests, each encoded on its
 * own, with the last 8 tokens of the part before; then the end of the chat wrapper ("\n\nAnswer: "
 * where there is none), then the part itself. Weights are normalised over the first tokens, the
 * part and what is fed of it (softmax=part), not over the rest of the context, though that is
 * attended to. The first tokens (theirs: the system prompt) always stay, are not repeated and not
 * scored. Rows of all heads of all layers compete (their level "pair"; share=head: "pair-uniform").
 *
 * Different here: the first tokens are the first `sinks`, as kvlab does not know where a system
 * prompt ends; they count in the budget; exactly the whole number of rows below the budget stays,
 * of equal ones that of the first layer, head and token (theirs: those above the value at that
 * place, one less or more). The context is what is read before the cache is compressed: with
 * compress_at prompt all of the prompt, and the request stands behind the end of its chat wrapper.
 * Level "head" (scores measured once for a model) is another method.
 *
 * kvpress (KVzipPress): template=kvpress, chunk=2048; there no space follows the second request,
 * "\n" is the end without a chat template, the first part has no sinks beside it when there is no
 * chat template, sinks win by a score of 1, and share=layer is its layerwise.
 * softmax=all is the attention itself: over all rows, of any part's replay.
 */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/kv/method.h"

enum { SHARE_MODEL, SHARE_LAYER, SHARE_HEAD };
enum { SOFTMAX_PART, SOFTMAX_ALL };
enum { TEMPLATE_AUTHORS, TEMPLATE_KVPRESS, TEMPLATE_NONE };
static const char *const shares[] = {"model", "layer", "head", NULL};
static const char *const softmaxes[] = {"part", "all", NULL};
static const char *const templates[] = {"authors", "kvpress", "none", NULL};

struct kvzip_options {
    struct kv_budget budget;
    int share, chunk, sinks, softmax, template;
};

#define AT(field) offsetof(struct kvzip_options, field)
static const struct opt options[] = {
    KV_BUDGET_OPTIONS(AT(budget), 0.3, 0),
    {"share", OPT_CHOICE, AT(share), 0, 0, SHARE_MODEL, shares, NULL, "level",
     "what shares a budget: all heads of all layers, those of a layer, or each head has its own"},
    {"chunk", OPT_INT, AT(chunk), 1, 1e6, 2000, NULL, NULL, "chunk_size",
     "tokens of the prompt that are fed again at a time"},
    {"sinks", OPT_INT, AT(sinks), 0, 65536, 4, NULL, NULL, "n_sink",
     "first tokens: they stay, are not fed again, and take part in every softmax"},
    {"softmax", OPT_CHOICE, AT(softmax), 0, 0, SOFTMAX_PART, softmaxes, NULL, NULL,
     "what weights are shares of: the part that is fed again, with sinks and what has been fed of "
     "it; or all rows, of any part's replay"},
    {"template", OPT_CHOICE, AT(template), 0, 0, TEMPLATE_AUTHORS, templates, NULL, NULL,
     "the words that ask for a part; none: only its own tokens are fed"},
    {0}};

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    return kv_budget_check(&((const struct kvzip_options *)opt)->budget, shape->n_layers, e);
}

static void replay(const void *opt, struct kv_replay_form *out)
{
    const struct kvzip_options *o = opt;
    *out = (struct kv_replay_form){.skip = o->sinks, .chunk = o->chunk};
    if (o->template == TEMPLATE_NONE)
        return;
    out->first = "\n\nRepeat the previous context exactly.";
    out->lead = 8;
    if (o->template == TEMPLATE_AUTHORS) {
        out->later = "\n\nRepeat the part of the previous context exactly, starting with ";
        out->end = "\n\nAnswer: ";
    } else {
        out->later = "\n\nRepeat the part of the previous context exactly, starting with";
        out->end = "\n";
    }
}

/* ---- what a replay shows ---- */

struct seen {
    struct kv_shape shape;
    int n, sinks, softmax;
    int layer, from, to; // the part at work
    float *most;         // [n_layers][n_heads][n]
};

static void observe_key(const void *opt, const struct kv_shape *shape, int layer, int n_prompt,
                        struct buf *out)
{
    const struct kvzip_options *o = opt;
    (void)shape;
    (void)layer;
    (void)n_prompt;
    buf_printf(out, "kvzip: %d after %d, template %s, softmax %s", o->chunk, o->sinks,
               templates[o->template], softmaxes[o->softmax]);
}

static float *most_of(const struct seen *s, int layer, int head)
{
    return s->most + ((size_t)layer * (size_t)s->shape.n_heads + (size_t)head) * (size_t)s->n;
}

static void *observe_new(const void *opt, const struct kv_shape *shape, int n_prompt)
{
    const struct kvzip_options *o = opt;
    struct seen *s = xcalloc(1, sizeof *s);
    *s = (struct seen){.shape = *shape, .n = n_prompt, .sinks = o->sinks, .softmax = o->softmax};
    s->most = xcalloc(mem_size((size_t)shape->n_layers * (size_t)shape->n_heads, (size_t)n_prompt),
                      sizeof *s->most);
    return s;
}

static void observe_free(void *seen)
{
    free(((struct seen *)seen)->most);
    free(seen);
}

static void replay_part(void *seen, int layer, int from, int to)
{
    struct seen *s = seen;
    s->layer = layer;
    s->from = from;
    s->to = to;
}

static double sum(const float *p, int from, int to)
{
    double all = 0;
    for (int j = from; j < to; j++)
        all += (double)p[j];
    return all;
}

static void take_most(float *most, const float *p, int from, int to, float factor)
{
    for (int j = from; j < to; j++) {
        float x = p[j] * factor;
        most[j] = x > most[j] ? x : most[j];
    }
}

/* A row of n columns. */
static void take_row(const struct seen *s, float *most, const float *p, int n)
{
    double part = 1;
    if (s->softmax == SOFTMAX_PART)
        part = sum(p, 0, s->sinks) + sum(p, s->from, s->to) + sum(p, s->n, n);
    if (s->softmax == SOFTMAX_ALL)
        take_most(most, p, s->sinks, s->n, 1);
    else if (part > 0) // else nothing is left of these weights in a float
        take_most(most, p, s->from, s->to, (float)(1 / part));
}

static void observe_rows(void *seen, int head, int first_query, int n_queries, const float *probs,
                         int ld)
{
    const struct seen *s = seen;
    float *most = most_of(s, s->layer, head);
    for (int i = 0; i < n_queries; i++)
        take_row(s, most, probs + (size_t)i * (size_t)ld, first_query + i + 1);
}

/* ---- what stays ---- */

static const struct kv_budget *budget(const void *opt)
{
    return &((const struct kvzip_options *)opt)->budget;
}

static enum kv_heads heads(const void *opt)
{
    (void)opt;
    return KV_HEADS_KV;
}

/* The worth of all rows to n_heads query heads together, into out[n]. */
static void worth_of(const struct seen *s, int layer, int head, int n_heads, float *out)
{
    memcpy(out, most_of(s, layer, head), (size_t)s->n * sizeof *out);
    for (int h = 1; h < n_heads; h++)
        take_most(out, most_of(s, layer, head + h), 0, s->n, 1);
}

static void score(const struct kv_part *part, const struct kv_rows *rows, const void *seen,
                  float *out)
{
    const struct kvzip_options *o = part->opt;
    memset(out, 0, (size_t)rows->n * sizeof *out);
    if (seen)
        worth_of(seen, part->layer, part->head, part->shape.n_heads, out);
    for (int j = 0; j < o->sinks && j < rows->n; j++)
        out[j] = kv_forced(j);
}

/* Slots of the layers that compete: those from_layer to to_layer - 1. */
struct rivals {
    const struct seen *seen;
    int from_layer, to_layer, n_slots, n_own; // n_own: rows of a slot that compete
    float *worth;                             // [layers][n_slots][n_own]
};

static void gather(struct rivals *r)
{
    const struct seen *s = r->seen;
    int slots = (r->to_layer - r->from_layer) * r->n_slots, group = s->shape.n_heads / r->n_slots;
    float *all = xmalloc(mem_size((size_t)s->n, sizeof *all));
    r->worth = xmalloc(mem_size((size_t)slots, (size_t)r->n_own * sizeof *r->worth));
    for (int i = 0; i < slots; i++) {
        worth_of(s, r->from_layer + i / r->n_slots, i % r->n_slots * group, group, all);
        memcpy(r->worth + (size_t)i * (size_t)r->n_own, all + s->n - r->n_own,
               (size_t)r->n_own * sizeof *all);
    }
    free(all);
}

/* The bits of floats that are not negative are in their order. */
static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Which half-word has the k-th largest (from 1) among those whose bits above it are `high`; *k goes
 * on within it. */
static uint32_t digit_of(const float *x, size_t n, int shift, uint32_t high, size_t *k)
{
    enum { DIGITS = 1 << 16 };
    size_t *count = xcalloc(DIGITS, sizeof *count);
    uint32_t digit = DIGITS - 1;
    for (size_t i = 0; i < n; i++)
        if (shift || bits_of(x[i]) >> 16 == high)
            count[bits_of(x[i]) >> shift & (DIGITS - 1)]++;
    for (; digit > 0 && count[digit] < *k; digit--)
        *k -= count[digit];
    free(count);
    return digit;
}

/* The bits of the k-th largest; *ties: of those that are equal to it, so many are among the k. */
static uint32_t threshold(const float *x, size_t n, size_t k, size_t *ties)
{
    *ties = k;
    uint32_t high = digit_of(x, n, 16, 0, ties);
    return high << 16 | digit_of(x, n, 0, high, ties);
}

/* Adds to keep[n_slots] of one layer what its slots have among the best k of all. */
static void divide(const struct rivals *r, int layer, size_t k, int *keep)
{
    size_t own = (size_t)r->n_own, slots = (size_t)r->n_slots, ties;
    size_t first = (size_t)(layer - r->from_layer) * slots * own, end = first + slots * own;
    size_t n = (size_t)(r->to_layer - r->from_layer) * slots * own;
    uint32_t least = threshold(r->worth, n, k, &ties);
    for (size_t i = 0; i < end; i++) {
        uint32_t x = bits_of(r->worth[i]);
        bool stays = x > least || (x == least && ties > 0);
        ties -= x == least && ties > 0;
        if (i >= first)
            keep[(i - first) / own] += stays;
    }
}

static void allot(const void *opt, const struct kv_contest *t)
{
    const struct kvzip_options *o = opt;
    int sinks = o->sinks < t->n ? o->sinks : t->n;
    bool one = o->share == SHARE_LAYER;
    if (o->share == SHARE_HEAD || !t->seen || t->budget >= t->n || t->budget <= sinks)
        return;
    struct rivals r = {.seen = t->seen, .n_slots = t->n_slots, .n_own = t->n - sinks};
    r.from_layer = one ? t->layer : t->first_layer;
    r.to_layer = one ? t->layer + 1 : t->shape.n_layers;
    double slots = (double)(r.to_layer - r.from_layer) * t->n_slots;
    size_t k = (size_t)(t->budget * slots) - (size_t)slots * (size_t)sinks;
    for (int i = 0; i < t->n_slots; i++)
        t->keep[i] = sinks;
    gather(&r);
    if (k > 0)
        divide(&r, t->layer, k, t->keep);
    free(r.worth);
}

const struct kv_method method_kvzip = {
    .name = "kvzip",
    .version = 1,
    .summary = "keeps what a model that is asked to repeat the prompt attends to, replaying it",
    .cite = "Kim et al., NeurIPS 2025",
    .hooks = 1u << KV_REPLAY | 1u << KV_SCORE | 1u << KV_ALLOT,
    .opt_size = sizeof(struct kvzip_options),
    .options = options,
    .check = check,
    .replay = replay,
    .replay_part = replay_part,
    .observe_key = observe_key,
    .observe_new = observe_new,
    .observe_rows = observe_rows,
    .observe_free = observe_free,
    .budget = budget,
    .heads = heads,
    .score = score,
    .allot = allot,
};
