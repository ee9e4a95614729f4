/*
 * ThinK (Xu et al., ICLR 2025; SalesforceAIResearch/ThinK): key channels that matter little to the
 * queries are not stored. Once after the prompt: a channel is worth the mean square of the last
 * `window` queries there times that of all keys that are kept, with positions turned in; the
 * lowest int(head_dim * ratio) are dropped from all keys but the last `recent`. Keys of decoded
 * tokens and all values stay whole. On a tie the lower channel stays. What a query meets is still
 * divided by the root of all channels.
 *
 * Rows are f16. Which channels a head has is stored (masks) and read in each step.
 * Variants by options: the authors choose for each query head, with a copy of its KV head's rows
 * (heads=query); heads=kv, the default, takes the mean over the query heads of a KV head, as
 * kvpress does, which has no recent keys (recent=0). Defaults of ratio, recent and window are the
 * authors'. Beside a method that keeps some tokens only those count, as in the authors' code.
 */
#include <stddef.h>
#include <string.h>

#include "harness/kv/rows.h"
#include "harness/kv/seen_squares.h"
#include "harness/kv/tile_store.h"
#include "harness/methods/votes.h"
#include "harness/tensor/topk.h"

enum { CHANNELS_MAX = 1024 };

struct think_options {
    double ratio;
    int recent, window, heads;
};

#define AT(field) offsetof(struct think_options, field)
static const struct opt options[] = {
    {"ratio", OPT_NUM, AT(ratio), 0, 0.95, 0.4, NULL, NULL, NULL,
     "share of a key's channels that are dropped"},
    {"recent", OPT_INT, AT(recent), 0, 4096, 32, NULL, NULL, "recent_size",
     "last keys of the prompt that keep all channels"},
    {"window", OPT_INT, AT(window), 1, 4096, 32, NULL, NULL, NULL,
     "last queries of the prompt that say which channels matter"},
    {"heads", OPT_CHOICE, AT(heads), 0, 0, HEADS_KV, heads_names, NULL, NULL,
     "what has channels of its own: each KV head, or each query head with a copy of its rows"},
    {0}};

static int kept_of(const void *opt, int d)
{
    const struct think_options *o = opt;
    return d - (int)(d * o->ratio);
}

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    (void)opt;
    if (shape->head_dim > CHANNELS_MAX)
        return err_user(e, "head_dim %d: at most %d", shape->head_dim, CHANNELS_MAX);
    return 0;
}

static enum kv_heads heads(const void *opt)
{
    const struct think_options *o = opt;
    return o->heads == HEADS_QUERY ? KV_HEADS_QUERY : KV_HEADS_LAYER;
}

static void observe_key(const void *opt, const struct kv_shape *shape, int layer, int n_prompt,
                        struct buf *out)
{
    (void)shape;
    (void)layer;
    (void)n_prompt;
    kv_squares_key(((const struct think_options *)opt)->window, out);
}

static void *observe_new(const void *opt, const struct kv_shape *shape, int n_prompt)
{
    return kv_squares_new(shape, n_prompt, ((const struct think_options *)opt)->window);
}

/* ---- which channels stay ---- */

struct state {
    int packed;          // rows of the prompt that lose channels
    uint16_t channels[]; // [n_kv_heads][head_dim]: those that stay, ascending
};

static size_t state_size(const void *opt, const struct kv_shape *shape, int cap)
{
    (void)opt;
    (void)cap;
    return sizeof(struct state) +
           (size_t)shape->n_kv_heads * (size_t)shape->head_dim * sizeof(uint16_t);
}

static uint16_t *channels_of(const struct kv_part *part, int kv_head)
{
    struct state *s = part->state;
    return s->channels + (size_t)kv_head * (size_t)part->shape.head_dim;
}

/* Mean squares of the queries, and of the keys. */
static void weigh(const struct kv_part *part, const struct kv_rows *rows, const void *seen,
                  int kv_head, float *out)
{
    int d = part->shape.head_dim, group = part->shape.n_heads / part->shape.n_kv_heads;
    float keys[CHANNELS_MAX] = {0};
    memset(out, 0, (size_t)d * sizeof *out);
    for (int g = 0; g < group; g++) {
        const float *q = kv_squares_mean(seen, part->head + kv_head * group + g);
        for (int c = 0; c < d; c++)
            out[c] += q[c] / (float)group;
    }
    for (int t = 0; t < rows->n; t++) {
        const float *k = kv_rows_k(rows, d, kv_head, t);
        for (int c = 0; c < d; c++)
            keys[c] += k[c] * k[c] / (float)rows->n;
    }
    for (int c = 0; c < d; c++)
        out[c] *= keys[c];
}

static void adopt(const struct kv_part *part, struct kv_rows *rows, const struct kv_kept *kept,
                  const void *seen)
{
    const struct think_options *o = part->opt;
    int d = part->shape.head_dim, n = kept_of(o, d), best[CHANNELS_MAX];
    float worth[CHANNELS_MAX];
    struct state *s = part->state;
    (void)kept;
    s->packed = rows->n > o->recent ? rows->n - o->recent : 0;
    for (int h = 0; h < part->shape.n_kv_heads; h++) {
        weigh(part, rows, seen, h, worth);
        topk_indices(best, worth, d, n);
        for (int i = 0; i < n; i++)
            channels_of(part, h)[i] = (uint16_t)best[i];
    }
}

static int due(const struct kv_part *part, int n_before)
{
    (void)n_before;
    return ((const struct state *)part->state)->packed;
}

/* ---- rows ---- */

static void tiles(const struct kv_part *part, enum kv_side side, struct kv_tiles *out)
{
    int d = part->shape.head_dim;
    *out = (struct kv_tiles){.when = side == KV_KEY_SIDE ? KV_TILE_DUE : KV_TILE_NEVER,
                             .rows = KV_TILE_PIECE,
                             .code_bytes = (size_t)kept_of(part->opt, d) * sizeof(uint16_t),
                             .shared_bits = (uint64_t)d};
}

static void pack(const struct kv_tile *t, const float *x)
{
    const uint16_t *channels = channels_of(t->part, t->kv_head);
    int n = kept_of(t->part->opt, t->part->shape.head_dim);
    float stay[CHANNELS_MAX];
    uint16_t half[CHANNELS_MAX];
    for (int i = 0; i < n; i++)
        stay[i] = x[channels[i]];
    t->part->kernels->narrow_f16(half, stay, n);
    memcpy(kv_tile_codes(t), half, (size_t)n * sizeof *half);
}

static void unpack(const struct kv_tile *t, float *out)
{
    const uint16_t *channels = channels_of(t->part, t->kv_head);
    int d = t->part->shape.head_dim, n = kept_of(t->part->opt, d);
    const uint8_t *codes = kv_tile_codes(t);
    const float *in = t->room;
    t->part->kernels->widen_f16(t->room, (const uint16_t *)(const void *)codes, (long)t->n * n);
    memset(out, 0, (size_t)t->n * (size_t)d * sizeof *out);
    for (int r = 0; r < t->n; r++, in += n, out += d)
        for (int i = 0; i < n; i++)
            out[channels[i]] = in[i];
}

static const struct kv_tile_form form = {.tiles = tiles, .pack = pack, .unpack = unpack};

static size_t bytes(const struct kv_part *part, int cap)
{
    return kv_tile_bytes(part, cap, &form);
}

/* Room for keys is taken twice, with all channels and without some; a long prompt fills one. */
static double row_bytes(const struct kv_part *part)
{
    int d = part->shape.head_dim;
    return (double)part->shape.n_kv_heads * (kept_of(part->opt, d) + d) * sizeof(uint16_t);
}

static void *open_store(const struct kv_part *part, int cap)
{
    return kv_tile_open(part, cap, &form);
}

static void round_rows(const struct kv_part *part, struct kv_rows *rows, int from)
{
    kv_tile_round(part, rows, from, &form);
}

static void compress(const struct kv_part *part, struct kv_rows *rows, int from, int to)
{
    int d = part->shape.head_dim, n = kept_of(part->opt, d);
    for (int h = 0; h < part->shape.n_kv_heads; h++)
        for (int t = from; t < to; t++) {
            const uint16_t *next = channels_of(part, h), *end = next + n;
            float *k = kv_rows_k(rows, d, h, t);
            for (int c = 0; c < d; c++)
                if (next < end && *next == c)
                    next++;
                else
                    k[c] = 0;
        }
}

static const struct kv_codec packed = {KV_TILE_HOOKS,          .bytes = bytes,
                                       .row_bytes = row_bytes, .open = open_store,
                                       .round = round_rows,    .compress = compress};

static const struct kv_codec *codec(const void *opt, int layer)
{
    (void)opt;
    (void)layer;
    return &packed;
}

const struct kv_method method_think = {
    .name = "think",
    .version = 1,
    .summary = "key channels that matter little to the last queries are dropped, rows as f16",
    .cite = "Xu et al., ICLR 2025",
    .hooks = 1u << KV_OBSERVE | 1u << KV_CHANNELS | 1u << KV_CODEC,
    .opt_size = sizeof(struct think_options),
    .options = options,
    .check = check,
    .state_size = state_size,
    .observe_key = observe_key,
    .observe_new = observe_new,
    .observe_queries = kv_squares_queries,
    .observe_free = kv_squares_free,
    .heads = heads,
    .adopt = adopt,
    .codec = codec,
    .due = due,
};
