/*
 * KVO-LLM (DAC 2025), the reference path on float rows: keys become INT8 on arrival; windows are
 * ordered by the attention they received, so that a chunk's first row is its salient token;
 * compressed windows hold that token in 8 bits and the others as low-bit differences to it; a step
 * reads the chunks whose salient key its query likes best, and all recent rows.
 *
 * Follows the authors' code, quirks included: "recent 64" means 65 to 128 rows, a 16-bit setting
 * switches pruning off, ties go to the lowest index. Beyond their code: where two windows are not
 * yet full nothing is selected (their assert fires), and with grouped queries the heads of a group
 * add up their attention before a window is ordered (their code has no such case), while each query
 * head selects chunks for itself.
 */
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "harness/kv/rows.h"
#include "harness/methods/kvo_count.h"
#include "harness/methods/kvo_observe.h"
#include "harness/methods/kvo_order.h"
#include "harness/methods/kvo_select.h"

enum { NUMBER_BITS = 16, PAIR_BITS = 32 }; // uncompressed numbers and pairs, counted as f16

struct kvo_options {
    int key_bits, key_group, key_chunk, prune_keys, key_symmetric;
    double key_kept, key_clip;
    int value_bits, value_group, value_chunk, prune_values, value_symmetric;
    double value_kept, value_clip;
    int window, token_budget, order, first_layer;
};

#define AT(field) offsetof(struct kvo_options, field)
static const struct opt options[] = {
    {"key_bits", OPT_INT, AT(key_bits), 1, 16, 2, NULL, NULL, "kbits",
     "bits of a key's difference to its salient token; 16: kept as they are, and not pruned"},
    {"key_group", OPT_INT, AT(key_group), 1, 512, 32, NULL, NULL, "kgroup",
     "channels that share a scale and offset"},
    {"key_chunk", OPT_INT, AT(key_chunk), 1, 512, 8, NULL, NULL, "kchunk",
     "tokens of a chunk; also the unit of ordering and of selection"},
    {"prune_keys", OPT_BOOL, AT(prune_keys), 0, 1, 1, NULL, NULL, "kprune_en",
     "drop the smallest differences of a group: they read as the salient token's channel"},
    {"key_kept", OPT_NUM, AT(key_kept), 0, 1, 0.25, NULL, NULL, "kprune_budget",
     "share of a group's channels that pruning KEEPS (the authors' name notwithstanding)"},
    {"key_symmetric", OPT_BOOL, AT(key_symmetric), 0, 1, 0, NULL, NULL, "ksym",
     "no offset; scale by the signed maximum"},
    {"key_clip", OPT_NUM, AT(key_clip), 0.01, 1, 1, NULL, NULL, "kclip",
     "factor on both ends of a group's range"},
    {"value_bits", OPT_INT, AT(value_bits), 1, 16, 2, NULL, NULL, "vbits",
     "bits of a value, twice as many for salient tokens; 16: kept as they are"},
    {"value_group", OPT_INT, AT(value_group), 1, 512, 32, NULL, NULL, "vgroup",
     "tokens of a channel that share a scale and offset"},
    {"value_chunk", OPT_INT, AT(value_chunk), 1, 512, 8, NULL, NULL, "vchunk",
     "tokens of which the first is salient"},
    {"prune_values", OPT_BOOL, AT(prune_values), 0, 1, 1, NULL, NULL, "vprune_en",
     "drop the smallest values of a group: they read as 0"},
    {"value_kept", OPT_NUM, AT(value_kept), 0, 1, 0.5, NULL, NULL, "vprune_budget",
     "share of a group's tokens that pruning KEEPS, salient ones included"},
    {"value_symmetric", OPT_BOOL, AT(value_symmetric), 0, 1, 0, NULL, NULL, "vsym",
     "no offset; scale by the signed maximum"},
    {"value_clip", OPT_NUM, AT(value_clip), 0.01, 1, 1, NULL, NULL, "vclip",
     "factor on both ends of a group's range"},
    {"window", OPT_INT, AT(window), 1, 65536, 64, NULL, NULL, "kv_recent_budget",
     "tokens compressed at a time; from window + 1 to 2 * window recent ones stay uncompressed"},
    {"token_budget", OPT_INT, AT(token_budget), 1, 1e9, 384, NULL, NULL, "kv_start_budget",
     "compressed tokens that a step reads, in whole chunks, at least 3 of them"},
    {"order", OPT_BOOL, AT(order), 0, 1, 1, NULL, NULL, "window_diff_select",
     "sort each chunk by received attention; false: its first token counts as the salient one"},
    {"first_layer", OPT_INT, AT(first_layer), 0, 1000, 2, NULL, NULL, NULL,
     "layers before it stay uncompressed: 2 as the authors' model class, 0 all compressed"},
    {0}};

struct kvo_state {
    int ordered;  // rows before it are ordered, or due for compression
    int packed;   // rows before it are compressed
    float sums[]; // [n_kv_heads][2 * window] attention received by the rows from `ordered` on
};

static struct kvo_quant key_quant(const struct kvo_options *o)
{
    return (struct kvo_quant){o->key_bits,  o->key_group,
                              o->key_chunk, o->prune_keys ? o->key_kept : 1,
                              o->key_clip,  o->key_symmetric};
}

static struct kvo_quant value_quant(const struct kvo_options *o)
{
    return (struct kvo_quant){o->value_bits,  o->value_group,
                              o->value_chunk, o->prune_values ? o->value_kept : 1,
                              o->value_clip,  o->value_symmetric};
}

static bool works_here(const struct kv_part *p)
{
    const struct kvo_options *o = p->opt;
    return p->layer >= o->first_layer;
}

static struct kvo_rows view(const struct kv_part *p, float *x, int cap)
{
    size_t d = (size_t)p->shape.head_dim;
    return (struct kvo_rows){x, (size_t)cap * d, d, p->shape.n_kv_heads, (int)d};
}

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    const struct kvo_options *o = opt;
    struct kvo_quant key = key_quant(o), value = value_quant(o);
    if ((o->key_bits > KVO_BITS_MAX && o->key_bits < KVO_BITS_OFF) ||
        (o->value_bits > KVO_BITS_MAX && o->value_bits < KVO_BITS_OFF))
        return err_user(e, "bits must be 1 to %d, or %d for off", KVO_BITS_MAX, KVO_BITS_OFF);
    if (kvo_key_check(&key, shape->n_kv_heads * shape->head_dim, o->window, e))
        return -1;
    return kvo_value_check(&value, o->window, e);
}

static size_t state_size(const void *opt, const struct kv_shape *shape)
{
    const struct kvo_options *o = opt;
    size_t sums = (size_t)shape->n_kv_heads * 2 * (size_t)o->window;
    return sizeof(struct kvo_state) + sums * sizeof(float);
}

static float *sums_of(const struct kv_part *p, int kv_head)
{
    const struct kvo_options *o = p->opt;
    struct kvo_state *s = p->state;
    return s->sums + (size_t)kv_head * 2 * (size_t)o->window;
}

/* Scores and an order for each row, a chunk's worth of channels. */
struct scratch {
    float *score; // [cap]
    int *index;   // [cap]
    float *rows;  // [key_chunk * head_dim]
};

static size_t scratch_size(const void *opt, const struct kv_shape *shape, int cap)
{
    const struct kvo_options *o = opt;
    return (size_t)cap * (sizeof(float) + sizeof(int)) +
           (size_t)o->key_chunk * (size_t)shape->head_dim * sizeof(float);
}

static struct scratch scratch_of(const struct kv_part *p, int cap)
{
    struct scratch s;
    s.score = p->scratch;
    s.index = (int *)(s.score + cap);
    s.rows = (float *)(s.index + cap);
    return s;
}

/* ---- append ---- */

static void class_key(const void *opt, struct buf *out)
{
    const struct kvo_options *o = opt;
    buf_printf(out, "kvo: INT8 keys, group %d, %s, clip ", o->key_group,
               o->key_symmetric ? "symmetric" : "asymmetric");
    json_put_number(out, o->key_clip);
    buf_printf(out, ", from layer %d", o->first_layer);
}

static void append(const struct kv_part *p, float *k, float *v)
{
    struct kvo_quant key = key_quant(p->opt);
    struct kvo_rows row = view(p, k, 1);
    (void)v;
    if (works_here(p))
        kvo_int8_rows(&row, 0, 1, &key);
}

/* ---- observe and order ---- */

static void observe_key(const void *opt, const struct kv_shape *shape, int layer, int n_prompt,
                        struct buf *out)
{
    const struct kvo_options *o = opt;
    (void)shape;
    if (o->order && layer >= o->first_layer && kvo_boundary(n_prompt, o->window) > 0)
        buf_printf(out, "kvo: windows of %d", o->window);
}

static void *observe_new(const void *opt, const struct kv_shape *shape, int n_prompt)
{
    const struct kvo_options *o = opt;
    return kvo_seen_new(shape, n_prompt, o->window);
}

static void order_head(const struct kv_part *p, struct kv_rows *rows, int kv_head, int from, int n,
                       const float *score)
{
    const struct kvo_options *o = p->opt;
    struct scratch s = scratch_of(p, rows->cap);
    int d = p->shape.head_dim;
    kvo_order_chunks(s.index, score, 0, n, o->key_chunk);
    kvo_order_apply(kv_rows_k(rows, d, kv_head, from), (size_t)d, d, s.index, 0, n, o->key_chunk,
                    s.rows);
    kvo_order_apply(kv_rows_v(rows, d, kv_head, from), (size_t)d, d, s.index, 0, n, o->key_chunk,
                    s.rows);
}

static void adopt(const struct kv_part *p, struct kv_rows *rows, const void *seen)
{
    const struct kvo_options *o = p->opt;
    struct kvo_state *state = p->state;
    struct scratch s = scratch_of(p, rows->cap);
    if (!seen)
        return;
    state->ordered = kvo_boundary(rows->n, o->window);
    for (int h = 0; h < p->shape.n_kv_heads; h++) {
        kvo_seen_group(seen, h, s.score, sums_of(p, h));
        order_head(p, rows, h, 0, state->ordered, s.score);
    }
}

static void observe_step(const struct kv_part *p, int head, const struct kv_range *ranges,
                         int n_ranges, const float *weights)
{
    const struct kvo_options *o = p->opt;
    const struct kvo_state *state = p->state;
    int m = 0;
    if (!o->order || !works_here(p))
        return;
    for (int i = 0; i < n_ranges; i++)
        m += ranges[i].n;
    /* The recent rows are always read, and last. */
    int recent = ranges[n_ranges - 1].start + ranges[n_ranges - 1].n - state->ordered;
    int kv_head = head / (p->shape.n_heads / p->shape.n_kv_heads);
    assert(recent <= m && recent <= 2 * o->window);
    kvo_sums_add(sums_of(p, kv_head), weights + m - recent, recent);
}

static void step_end(const struct kv_part *p, struct kv_rows *rows)
{
    const struct kvo_options *o = p->opt;
    struct kvo_state *state = p->state;
    if (!o->order || !works_here(p) || !kvo_window_due(rows->n, state->ordered, o->window))
        return;
    for (int h = 0; h < p->shape.n_kv_heads; h++) {
        order_head(p, rows, h, state->ordered, o->window, sums_of(p, h));
        kvo_sums_shift(sums_of(p, h), o->window);
    }
    state->ordered += o->window;
}

/* ---- codec ---- */

static void pack(const struct kv_part *p, struct kv_rows *rows, int n_before)
{
    const struct kvo_options *o = p->opt;
    struct kvo_state *state = p->state;
    int due = kvo_boundary(n_before, o->window);
    if (!works_here(p))
        return;
    if (!o->order && due > state->ordered)
        state->ordered = due;
    if (state->ordered == state->packed)
        return;
    struct kvo_quant key = key_quant(o), value = value_quant(o);
    struct kvo_rows k = view(p, rows->k, rows->cap), v = view(p, rows->v, rows->cap);
    kvo_key_rows(&k, state->packed, state->ordered, &key);
    kvo_value_rows(&v, state->packed, state->ordered, &value);
    state->packed = state->ordered;
}

static struct kvo_layer layer_of(const struct kv_part *p, const struct kv_rows *rows)
{
    const struct kvo_state *state = p->state;
    return (struct kvo_layer){p->shape.n_kv_heads * p->shape.head_dim, rows->n, state->packed,
                              NUMBER_BITS, PAIR_BITS};
}

static uint64_t full_bits(const struct kv_part *p, const struct kv_rows *rows)
{
    return (uint64_t)rows->n * (uint64_t)p->shape.n_kv_heads * (uint64_t)p->shape.head_dim * 2 *
           NUMBER_BITS;
}

static void count(const struct kv_part *p, const struct kv_rows *rows, struct kv_ledger *out)
{
    struct kvo_quant key = key_quant(p->opt), value = value_quant(p->opt);
    struct kvo_layer layer = layer_of(p, rows);
    struct kvo_count parts[KVO_PARTS];
    if (!works_here(p)) {
        out->recent += full_bits(p, rows);
        return;
    }
    kvo_count_held(parts, &layer, &key, &value);
    for (int i = 0; i < KVO_PARTS; i++) {
        if (i == KVO_RECENT_KEYS || i == KVO_RECENT_VALUES) {
            out->recent += (uint64_t)kvo_count_bits(&parts[i], &layer);
            continue;
        }
        out->codes += (uint64_t)parts[i].code_bits;
        out->masks += (uint64_t)parts[i].mask_bits;
        out->pairs += (uint64_t)parts[i].pairs * PAIR_BITS;
    }
}

/* ---- select ---- */

static int select_rows(const struct kv_part *p, const struct kv_rows *rows, int head,
                       const float *q, struct kv_range *out)
{
    const struct kvo_options *o = p->opt;
    struct scratch s = scratch_of(p, rows->cap);
    int d = p->shape.head_dim, kv_head = head / (p->shape.n_heads / p->shape.n_kv_heads);
    int compressed = works_here(p) ? kvo_boundary(rows->n - 1, o->window) : 0;
    if (compressed == 0)
        return 0;
    for (int j = 0; j < compressed / o->key_chunk; j++)
        p->kernels->scores(&s.score[j], q, kv_rows_k(rows, d, kv_head, j * o->key_chunk), 1, d, 1);
    int n = kvo_select_chunks(s.index, s.score, compressed, o->token_budget, o->key_chunk);
    for (int i = 0; i < n; i++)
        out[i] = (struct kv_range){s.index[i] * o->key_chunk, o->key_chunk};
    out[n] = (struct kv_range){compressed, rows->n - compressed};
    return n + 1;
}

/* Chunks that a KV head's query heads chose, each once, ascending: returns how many. */
static int union_of_chunks(const struct kv_part *p, const struct kv_range *ranges,
                           const int *n_ranges, int ld, int kv_head, char *chosen, int *out)
{
    const struct kvo_options *o = p->opt;
    const struct kvo_state *state = p->state;
    int group = p->shape.n_heads / p->shape.n_kv_heads, n = state->packed / o->key_chunk, k = 0;
    memset(chosen, 0, (size_t)n);
    for (int h = kv_head * group; h < (kv_head + 1) * group; h++)
        for (int i = 0; i + 1 < n_ranges[h]; i++)
            chosen[ranges[(size_t)h * (size_t)ld + (size_t)i].start / o->key_chunk] = 1;
    for (int j = 0; j < n; j++)
        if (chosen[j])
            out[k++] = j;
    return k;
}

static void count_read(const struct kv_part *p, const struct kv_rows *rows,
                       const struct kv_range *ranges, const int *n_ranges, int ld,
                       struct kv_ledger *out)
{
    const struct kvo_options *o = p->opt;
    struct kvo_quant key = key_quant(o), value = value_quant(o);
    struct kvo_layer layer = layer_of(p, rows);
    struct kvo_count parts[KVO_PARTS];
    struct scratch s = scratch_of(p, rows->cap);
    int64_t chosen = 0, groups = 0;
    if (!works_here(p)) {
        out->read += full_bits(p, rows);
        return;
    }
    for (int h = 0; h < p->shape.n_kv_heads; h++) {
        int n = union_of_chunks(p, ranges, n_ranges, ld, h, (char *)s.score, s.index);
        chosen += n;
        groups += kvo_select_value_groups(s.index, n, o->key_chunk, o->value_group);
    }
    kvo_count_read(parts, &layer, p->shape.head_dim, chosen, groups, &key, &value);
    out->read += (uint64_t)kvo_count_total_bits(parts, &layer);
}

const struct kv_method method_kvo = {
    .name = "kvo",
    .version = 1,
    .summary =
        "salient-token-aware differential quantization, pruning, query-aware token selection",
    .cite = "KVO-LLM, DAC 2025",
    .hooks = 1u << KV_APPEND | 1u << KV_OBSERVE | 1u << KV_ORDER | 1u << KV_CODEC | 1u << KV_SELECT,
    .opt_size = sizeof(struct kvo_options),
    .options = options,
    .check = check,
    .state_size = state_size,
    .scratch_size = scratch_size,
    .class_key = class_key,
    .append = append,
    .observe_key = observe_key,
    .observe_new = observe_new,
    .observe_rows = kvo_seen_rows,
    .observe_free = kvo_seen_free,
    .adopt = adopt,
    .pack = pack,
    .count = count,
    .select = select_rows,
    .observe_step = observe_step,
    .step_end = step_end,
    .count_read = count_read,
};
