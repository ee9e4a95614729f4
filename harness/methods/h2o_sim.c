/*
 * H2O as its authors simulate it (Zhang et al., NeurIPS 2023; FMInference/H2O,
 * utils_hh/modify_llama.py): tokens are hidden from a head's next query, none is dropped. All rows
 * stay in the cache, and the ledger says so: only what a step reads shrinks. h2o-drop is the one
 * that drops.
 *
 * Each query head adds up what its queries give to tokens. After the prompt of T tokens and after
 * every step, with n tokens > heavy + recent (int(heavy_ratio * T), int(recent_ratio * T)), the
 * next query sees itself, recent - 1 tokens before it, and of tokens 0 .. n-recent-1 the `heavy`
 * ones of the largest sums. The authors also forget the sums of hidden tokens, which changes
 * nothing: as many others had more, and sums never shrink, so that none of them can come back.
 *
 * Their quirks are kept: token n-recent is neither recent nor can it be chosen, for one step; with
 * recent=0 a query does not see its own token, so that the prompt's heavy ones stay the same for
 * good. One is not: where heavy and recent both come to 0 (prompts of a few tokens) they give all
 * tokens the same weight; here all are read as they are.
 *
 * variant=longctx is what longctx_bench made of it (henryzhongsc/longctx_bench, its class for
 * flash attention): the prompt's queries count nothing, so that sums begin with the first token
 * that is decoded, which still sees all and whose n the shares are of; the `recent` tokens before a
 * query are seen, so that there is no blind spot; and with recent=0 nothing is hidden at all.
 *
 * Grouped queries: each query head hides for itself, rows that a group shares count once.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "harness/kv/method.h"
#include "harness/kv/seen_sums.h"
#include "harness/tensor/topk.h"

enum { VARIANT_AUTHORS, VARIANT_LONGCTX };

struct sim_options {
    double heavy, recent;
    int variant;
};

/* Behind it: float [n_heads][cap] of sums, char [n_heads][cap + 1] of what the next query sees. */
struct sim_state {
    int n, heavy, recent; // rows that have sums
    bool begun, hides;    // are heavy and recent known; is anything hidden
    uint64_t sums_read, sums_written, masks_read, masks_written; // bits
};

static const char *const variant_names[] = {"authors", "longctx", NULL};

#define AT(field) offsetof(struct sim_options, field)
static const struct opt options[] = {
    {"heavy", OPT_NUM, AT(heavy), 0, 1, 0.1, NULL, NULL, "heavy_ratio",
     "tokens with the largest sums that are seen, as a share of the prompt"},
    {"recent", OPT_NUM, AT(recent), 0, 1, 0.1, NULL, NULL, "recent_ratio",
     "last tokens that are seen, as a share of the prompt"},
    {"variant", OPT_CHOICE, AT(variant), 0, 0, VARIANT_AUTHORS, variant_names, NULL, NULL,
     "whose code: H2O's authors', or longctx_bench's, which is another algorithm"},
    {0}};

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    const struct sim_options *o = opt;
    (void)shape;
    if (o->heavy == 0 && o->recent == 0)
        return err_user(e, "heavy 0 and recent 0 leave no token to see: one of them above 0");
    return 0;
}

static size_t state_size(const void *opt, const struct kv_shape *shape, int cap)
{
    (void)opt;
    return sizeof(struct sim_state) +
           (size_t)shape->n_heads * ((size_t)cap * sizeof(float) + (size_t)cap + 1);
}

static float *sums_of(const struct kv_part *part, int head)
{
    return (float *)((struct sim_state *)part->state + 1) + (size_t)head * (size_t)part->cap;
}

static char *seen_of(const struct kv_part *part, int head)
{
    return (char *)sums_of(part, part->shape.n_heads) + (size_t)head * ((size_t)part->cap + 1);
}

/* Indices of the heavy ones. */
static size_t scratch_size(const void *opt, const struct kv_shape *shape, int cap)
{
    (void)opt;
    (void)shape;
    return (size_t)cap * sizeof(int);
}

static void observe_key(const void *opt, const struct kv_shape *shape, int layer, int n_prompt,
                        struct buf *out)
{
    (void)shape;
    (void)layer;
    (void)n_prompt;
    if (((const struct sim_options *)opt)->variant == VARIANT_AUTHORS)
        kv_sums_key(out);
}

static void *observe_new(const void *opt, const struct kv_shape *shape, int n_prompt)
{
    (void)opt;
    return kv_sums_new(shape, n_prompt);
}

/* With the first sums, of n tokens. */
static void begin(const struct kv_part *part, int n)
{
    const struct sim_options *o = part->opt;
    struct sim_state *s = part->state;
    s->heavy = (int)(o->heavy * n);
    s->recent = (int)(o->recent * n);
    s->begun = true;
}

static bool hides(const struct sim_options *o, const struct sim_state *s)
{
    if (o->variant == VARIANT_LONGCTX && s->recent == 0)
        return false;
    return s->heavy + s->recent > 0 && s->n > s->heavy + s->recent;
}

/* What the next query of a head sees, which is column n itself. */
static void look_ahead(const struct kv_part *part, int head)
{
    const struct sim_options *o = part->opt;
    struct sim_state *s = part->state;
    int blind = o->variant == VARIANT_AUTHORS, *heavy = part->scratch, before = s->n - s->recent;
    char *seen = seen_of(part, head);
    memset(seen, 0, (size_t)s->n + 1);
    if (s->recent > 0)
        memset(seen + before + blind, 1, (size_t)(s->recent + 1 - blind));
    topk_indices(heavy, sums_of(part, head), before, s->heavy);
    for (int i = 0; i < s->heavy; i++)
        seen[heavy[i]] = 1;
    s->masks_written += (uint64_t)s->n + 1;
}

static void end_head(const struct kv_part *part, int head)
{
    struct sim_state *s = part->state;
    s->hides = hides(part->opt, s);
    if (s->hides)
        look_ahead(part, head);
    s->sums_written += (uint64_t)s->n * 32;
}

static void adopt(const struct kv_part *part, struct kv_rows *rows, const struct kv_kept *kept,
                  const void *seen)
{
    struct sim_state *s = part->state;
    s->n = rows->n;
    if (!seen)
        return;
    begin(part, s->n);
    for (int h = 0; h < part->shape.n_heads; h++) {
        const float *all = kv_sums_of(seen, part->head + h);
        for (int i = 0; i < s->n; i++)
            sums_of(part, h)[i] = all[kept->rows ? kept->rows[i] : i];
        end_head(part, h);
    }
}

static void select(const struct kv_part *part, const struct kv_layer *layer, int kv_head,
                   const float *q, struct kv_range *out, int *n_out, int ld)
{
    const struct sim_state *s = part->state;
    int group = part->shape.n_heads / part->shape.n_kv_heads;
    (void)q;
    for (int g = 0; g < group && s->hides; g++) {
        const char *seen = seen_of(part, kv_head * group + g);
        struct kv_range *to = out + (size_t)g * (size_t)ld;
        for (int t = 0; t < layer->n; t++) {
            if (seen[t] && (t == 0 || !seen[t - 1]))
                to[n_out[g]++] = (struct kv_range){t, 0};
            if (seen[t])
                to[n_out[g] - 1].n++;
        }
    }
}

/* The new row, whose sum is 0. */
static void begin_step(const struct kv_part *part)
{
    struct sim_state *s = part->state;
    uint64_t heads = (uint64_t)part->shape.n_heads;
    s->sums_read += heads * (uint64_t)s->n * 32;
    s->n++;
    s->masks_read += s->hides ? heads * (uint64_t)s->n : 0;
    if (!s->begun)
        begin(part, s->n);
}

static void observe_step(const struct kv_part *part, int head, const struct kv_range *ranges,
                         int n_ranges, const float *weights)
{
    float *sum = sums_of(part, head);
    if (head == 0)
        begin_step(part);
    for (int i = 0; i < n_ranges; weights += ranges[i++].n)
        for (int j = 0; j < ranges[i].n; j++)
            sum[ranges[i].start + j] += weights[j];
    end_head(part, head);
}

static void count(const struct kv_part *part, struct kv_ledger *out)
{
    const struct sim_state *s = part->state;
    uint64_t heads = (uint64_t)part->shape.n_heads;
    out->held[KV_SUMS] += heads * (uint64_t)s->n * 32;
    out->read[KV_SUMS] += s->sums_read;
    out->written[KV_SUMS] += s->sums_written;
    out->held[KV_MASKS] += s->hides ? heads * ((uint64_t)s->n + 1) : 0;
    out->read[KV_MASKS] += s->masks_read;
    out->written[KV_MASKS] += s->masks_written;
}

const struct kv_method method_h2o_sim = {
    .name = "h2o-sim",
    .version = 1,
    .summary = "hides all but the last tokens and those that received most attention; drops none",
    .cite = "Zhang et al., NeurIPS 2023",
    .hooks = 1u << KV_OBSERVE | 1u << KV_SELECT,
    .opt_size = sizeof(struct sim_options),
    .options = options,
    .check = check,
    .state_size = state_size,
    .scratch_size = scratch_size,
    .observe_key = observe_key,
    .observe_new = observe_new,
    .observe_rows = kv_sums_rows,
    .observe_free = kv_sums_free,
    .adopt = adopt,
    .select = select,
    .observe_step = observe_step,
    .count = count,
};
