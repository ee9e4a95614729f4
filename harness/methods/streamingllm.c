/*
 * StreamingLLM (Xiao et al., ICLR 2024; mit-han-lab/streaming-llm): the first tokens, which draw
 * attention whatever they say, and the last ones stay. The cache never grows beyond its budget
 * while decoding; all heads keep the same tokens.
 *
 * Variants by options: cut=before makes room for a token before it comes, so that its query sees
 * `budget` tokens with itself (the authors' evict_for_space); cut=after cuts when it has attended,
 * so that it sees the budget and itself (their perplexity runs). positions=cache counts positions
 * inside the cache, as the paper does: keys are kept with their positions, and a query that meets
 * the first tokens is turned back by the tokens missing in between, which are the same angles.
 * positions=original is what kvpress and KVCache-Factory have; they cut once, when=prompt, and
 * what is decoded is added without limit (kvpress: kept=C; KVCache-Factory: budget=C).
 *
 * sinks=4 is the authors'; their recent_size is budget - sinks. At least one recent token stays: in
 * a smaller cache there are fewer sinks. A prompt's own attention is full.
 */
#include <stddef.h>

#include "harness/kv/rope.h"
#include "harness/methods/dropping.h"

enum { POSITIONS_ORIGINAL, POSITIONS_CACHE };
enum { CUT_BEFORE, CUT_AFTER };

struct streaming_options {
    struct kv_budget budget;
    int sinks, positions, when, cut;
};

struct streaming_state {
    int size; // rows that may be held
    int held; // before the step
    int gap;  // tokens missing behind the sinks
    int lost; // of the sinks
};

static const char *const positions_names[] = {"original", "cache", NULL};
static const char *const cut_names[] = {"before", "after", NULL};

#define AT(field) offsetof(struct streaming_options, field)
static const struct opt options[] = {
    KV_BUDGET_OPTIONS(AT(budget), 0.25, 0),
    {"sinks", OPT_INT, AT(sinks), 0, 65536, 4, NULL, NULL, "start_size",
     "first tokens that stay, part of the budget"},
    {"positions", OPT_CHOICE, AT(positions), 0, 0, POSITIONS_ORIGINAL, positions_names, NULL, NULL,
     "of the tokens that stay: those of the text, or counted inside the cache"},
    {"when", OPT_CHOICE, AT(when), 0, 0, WHEN_STEP, when_names, NULL, NULL,
     "tokens are dropped: at every step, or once after the prompt"},
    {"cut", OPT_CHOICE, AT(cut), 0, 0, CUT_BEFORE, cut_names, NULL, NULL,
     "with when=step, room is made: before a token comes, or after it has seen one more"},
    {0}};

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    const struct streaming_options *o = opt;
    if (o->budget.tokens > 0 && o->budget.tokens <= o->sinks)
        return err_user(e,
                        "budget %d leaves no recent token beside %d sinks: a budget of at least "
                        "%d, or fewer sinks",
                        o->budget.tokens, o->sinks, o->sinks + 1);
    return kv_budget_check(&o->budget, shape->n_layers, e);
}

static size_t state_size(const void *opt, const struct kv_shape *shape, int cap)
{
    (void)opt;
    (void)shape;
    (void)cap;
    return sizeof(struct streaming_state);
}

static const struct kv_budget *budget(const void *opt)
{
    return &((const struct streaming_options *)opt)->budget;
}

/* The first of the first tokens before the others. */
static void score(const struct kv_part *part, const struct kv_rows *rows, const void *seen,
                  float *out)
{
    const struct streaming_options *o = part->opt;
    (void)seen;
    for (int j = 0; j < rows->n; j++)
        out[j] = j < o->sinks ? kv_forced(rows->n - j) : (float)j;
}

static void adopt(const struct kv_part *part, struct kv_rows *rows, const struct kv_kept *kept,
                  const void *seen)
{
    const struct streaming_options *o = part->opt;
    struct streaming_state *s = part->state;
    (void)seen;
    s->size = drop_size_of(&o->budget, part->layer, kept, rows->n);
    s->held = rows->n;
    s->gap = kept->n_prompt - rows->n;
    s->lost = s->gap > 0 && rows->n < o->sinks ? o->sinks - rows->n : 0;
}

/* Rows that may be held; DROP_NOTHING: any number. */
static int size_of(const struct kv_part *part)
{
    const struct streaming_options *o = part->opt;
    const struct streaming_state *s = part->state;
    if (o->when == WHEN_PROMPT)
        return DROP_NOTHING;
    return drop_size_now(&o->budget, part->layer, s->size);
}

/* Rows at the beginning that are sinks, of n with the new one. */
static int sinks_of(const struct kv_part *part, int n)
{
    const struct streaming_options *o = part->opt;
    int sinks = o->sinks - ((const struct streaming_state *)part->state)->lost;
    return sinks < n ? sinks : n - 1;
}

/* Of n rows with the new one: how many behind the sinks that has no room for. They go after the
 * step, but are not read any more. */
static int left_out(const struct kv_part *part, int n)
{
    const struct streaming_options *o = part->opt;
    int size = size_of(part);
    return o->cut == CUT_BEFORE && size != DROP_NOTHING && n > size ? n - size : 0;
}

static int put_range(struct kv_range *out, int n_out, int start, int n)
{
    if (n > 0)
        out[n_out++] = (struct kv_range){start, n};
    return n_out;
}

static void select(const struct kv_part *part, const struct kv_layer *layer, int kv_head,
                   const float *q, struct kv_range *out, int *n_out, int ld)
{
    const struct streaming_options *o = part->opt;
    const struct streaming_state *s = part->state;
    int skip = left_out(part, layer->n), sinks = sinks_of(part, layer->n - skip);
    bool turned = o->positions == POSITIONS_CACHE && s->gap > 0 && sinks > 0;
    (void)kv_head;
    (void)q;
    if (skip == 0 && !turned)
        return; // all rows, at the positions they have
    for (int g = 0; g < part->shape.n_heads / part->shape.n_kv_heads; g++) {
        struct kv_range *to = out + (size_t)g * (size_t)ld;
        n_out[g] = put_range(to, 0, 0, sinks);
        n_out[g] = put_range(to, n_out[g], sinks + skip, layer->n - sinks - skip);
    }
}

/* Ranges that begin with the first row are sinks. */
static void turn(const struct kv_part *part, struct kv_range range, float *q)
{
    const struct streaming_options *o = part->opt;
    const struct streaming_state *s = part->state;
    if (o->positions == POSITIONS_CACHE && range.start == 0)
        kv_rope_turn(part->rope, q, part->shape.head_dim, -s->gap - left_out(part, s->held + 1));
}

static int evict(const struct kv_part *part, const struct kv_layer *layer)
{
    const struct streaming_options *o = part->opt;
    struct streaming_state *s = part->state;
    int size = size_of(part);
    s->held = layer->n;
    if (size == DROP_NOTHING || layer->n <= size)
        return -1;
    int row = sinks_of(part, size);
    s->lost += row < o->sinks - s->lost;
    s->gap++;
    return row;
}

const struct kv_method method_streamingllm = {
    .name = "streamingllm",
    .version = 1,
    .summary = "keeps the first tokens and the last ones, at every step",
    .cite = "Xiao et al., ICLR 2024",
    .hooks = 1u << KV_SCORE | 1u << KV_SELECT | 1u << KV_EVICT,
    .opt_size = sizeof(struct streaming_options),
    .options = options,
    .check = check,
    .state_size = state_size,
    .budget = budget,
    .score = score,
    .adopt = adopt,
    .select = select,
    .turn = turn,
    .evict = evict,
};
