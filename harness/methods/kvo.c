/*
 * KVO-LLM (DAC 2025): keys become INT8 on arrival; windows are ordered by the attention they
 * received, so that a chunk's first row is its salient token; compressed windows hold that token in
 * 8 bits and the others as low-bit differences to it; a step reads the chunks whose salient key its
 * query likes best, and all recent rows.
 *
 * Follows the authors' code, quirks included: "recent 64" means 65 to 128 rows, a 16-bit setting
 * switches pruning off, ties go to the lowest index. Beyond their code: where two windows are not
 * yet full nothing is selected (their assert fires), and with grouped queries the heads of a group
 * add up their attention before a window is ordered (their code has no such case), while each query
 * head selects chunks for itself. Pairs, and what stays uncompressed, are f16 as in their runs on a
 * GPU; but all arithmetic is f32, and a pair is rounded before codes are made of it.
 */
#include "harness/methods/kvo.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "harness/kv/method.h"
#include "harness/kv/rows.h"
#include "harness/methods/kvo_observe.h"
#include "harness/methods/kvo_order.h"
#include "harness/methods/kvo_select.h"
#include "harness/methods/kvo_store.h"

struct kvo_options {
    int key_bits, key_group, key_chunk, prune_keys, key_symmetric;
    double key_kept, key_clip;
    int value_bits, value_group, value_chunk, prune_values, value_symmetric;
    double value_kept, value_clip;
    int window, token_budget, order, first_layer;
    int pairs, uncompressed; // FORMAT_...
};

enum { FORMAT_F16, FORMAT_F32 };
static const char *const formats[] = {"f16", "f32", NULL};

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
    {"pairs", OPT_CHOICE, AT(pairs), 0, 0, FORMAT_F16, formats, NULL, NULL,
     "format of scales and offsets"},
    {"uncompressed", OPT_CHOICE, AT(uncompressed), 0, 0, FORMAT_F16, formats, NULL, NULL,
     "format of recent values, of what 16 bits leave as it is, and of uncompressed layers"},
    {0}};

struct kvo_state {
    int ordered;    // rows before it are ordered, or due for compression
    int packed;     // rows before it are compressed
    uint64_t moved; // bits of the sums that steps have read, and written again
    float sums[];   // [n_kv_heads][2 * window] attention received by the rows from `ordered` on
};

int kvo_state_ordered(const void *state)
{
    return ((const struct kvo_state *)state)->ordered;
}

int kvo_state_packed(const void *state)
{
    return ((const struct kvo_state *)state)->packed;
}

const float *kvo_state_sums(const void *state)
{
    return ((const struct kvo_state *)state)->sums;
}

static struct kvo_quant key_quant(const struct kvo_options *o)
{
    return (struct kvo_quant){
        o->key_bits, o->key_group,     o->key_chunk,           o->prune_keys ? o->key_kept : 1,
        o->key_clip, o->key_symmetric, o->pairs == FORMAT_F16, o->uncompressed == FORMAT_F16};
}

static struct kvo_quant value_quant(const struct kvo_options *o)
{
    return (struct kvo_quant){o->value_bits,          o->value_group,
                              o->value_chunk,         o->prune_values ? o->value_kept : 1,
                              o->value_clip,          o->value_symmetric,
                              o->pairs == FORMAT_F16, o->uncompressed == FORMAT_F16};
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
    if (o->first_layer > 0 && o->first_layer >= shape->n_layers)
        return err_user(e,
                        "first_layer %d leaves nothing to compress, the model has %d layers: at "
                        "most %d",
                        o->first_layer, shape->n_layers, shape->n_layers - 1);
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

/* Scores and an order of rows, or the room to choose chunks and the choice. */
struct scratch {
    float *score;
    int *index; // [scratch_ints()]
};

static int chunks_of(const struct kvo_options *o, int cap)
{
    return cap / o->key_chunk;
}

static size_t scratch_floats(const void *opt, const struct kv_shape *shape, int cap)
{
    const struct kvo_options *o = opt;
    size_t chunks = kv_top_scores(shape->n_heads / shape->n_kv_heads, chunks_of(o, cap));
    size_t rows = (size_t)(cap > 2 * o->window ? cap : 2 * o->window);
    return chunks > rows ? chunks : rows;
}

static size_t scratch_ints(const void *opt, const struct kv_shape *shape, int cap)
{
    const struct kvo_options *o = opt;
    size_t chunks = (size_t)chunks_of(o, cap) * (size_t)(1 + shape->n_heads / shape->n_kv_heads);
    size_t rows = (size_t)(cap > 2 * o->window ? cap : 2 * o->window);
    return chunks > rows ? chunks : rows;
}

static size_t scratch_size(const void *opt, const struct kv_shape *shape, int cap)
{
    return scratch_floats(opt, shape, cap) * sizeof(float) +
           scratch_ints(opt, shape, cap) * sizeof(int);
}

static struct scratch scratch_of(const struct kv_part *p, int cap)
{
    struct scratch s;
    s.score = p->scratch;
    s.index = (int *)(s.score + scratch_floats(p->opt, &p->shape, cap));
    return s;
}

/* ---- append ---- */

static void class_key(const void *opt, struct buf *out)
{
    const struct kvo_options *o = opt;
    buf_printf(out, "kvo: INT8 keys, group %d, %s, clip ", o->key_group,
               o->key_symmetric ? "symmetric" : "asymmetric");
    json_put_number(out, o->key_clip);
    buf_printf(out, ", %s pairs, from layer %d", formats[o->pairs], o->first_layer);
}

static size_t record_size(const void *opt, const struct kv_shape *shape)
{
    struct kvo_quant key = key_quant(opt);
    if (shape->head_dim % key.group) // which cannot be packed
        return 0;
    return (size_t)shape->n_kv_heads * int8_record_size(shape->head_dim, &key);
}

static void append(const struct kv_part *p, float *k, float *v, void *record)
{
    struct kvo_quant key = key_quant(p->opt);
    struct kvo_rows row = view(p, k, 1);
    (void)v;
    if (!works_here(p))
        return;
    if (!record) {
        kvo_int8_rows(&row, 0, 1, &key);
        return;
    }
    size_t each = int8_record_size(p->shape.head_dim, &key);
    for (int h = 0; h < p->shape.n_kv_heads; h++)
        int8_record_put(p->kernels, (uint8_t *)record + (size_t)h * each, k + h * p->shape.head_dim,
                        p->shape.head_dim, &key);
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

static void adopt(const struct kv_part *p, struct kv_rows *rows, const void *seen)
{
    const struct kvo_options *o = p->opt;
    struct kvo_state *state = p->state;
    struct scratch s = scratch_of(p, rows->n);
    int d = p->shape.head_dim;
    size_t row = (size_t)d * sizeof(float);
    if (!seen)
        return;
    state->ordered = kvo_boundary(rows->n, o->window);
    for (int h = 0; h < p->shape.n_kv_heads; h++) {
        kvo_seen_group(seen, h, s.score, sums_of(p, h));
        kvo_order_chunks(s.index, s.score, 0, state->ordered, o->key_chunk);
        kv_rows_permute(kv_rows_k(rows, d, h, 0), row, state->ordered, s.index);
        kv_rows_permute(kv_rows_v(rows, d, h, 0), row, state->ordered, s.index);
    }
}

/* Which rows steps read is all that the budget decides. */
static void content_key(const void *opt, struct buf *out)
{
    struct kvo_options o = *(const struct kvo_options *)opt;
    o.token_budget = 0;
    opt_put_json(options, &o, out);
}

static void observe_step(const struct kv_part *p, int head, const struct kv_range *ranges,
                         int n_ranges, const float *weights)
{
    const struct kvo_options *o = p->opt;
    struct kvo_state *state = p->state;
    int m = 0;
    if (!o->order || !works_here(p))
        return;
    for (int i = 0; i < n_ranges; i++)
        m += ranges[i].n;
    /* The recent rows are always read, and last. */
    int recent = ranges[n_ranges - 1].start + ranges[n_ranges - 1].n - state->ordered;
    int group = p->shape.n_heads / p->shape.n_kv_heads;
    assert(recent <= m && recent <= 2 * o->window);
    kvo_sums_add(sums_of(p, head / group), weights + m - recent, recent);
    if (head % group == 0)
        state->moved += (uint64_t)recent * sizeof(float) * 8;
}

static void step_end(const struct kv_part *p, const struct kv_layer *layer)
{
    const struct kvo_options *o = p->opt;
    struct kvo_state *state = p->state;
    struct scratch s = scratch_of(p, 0);
    if (!o->order || !works_here(p) || !kvo_window_due(layer->n, state->ordered, o->window))
        return;
    for (int h = 0; h < p->shape.n_kv_heads; h++) {
        kvo_order_chunks(s.index, sums_of(p, h), 0, o->window, o->key_chunk);
        layer->codec->permute(layer->store, h, state->ordered, o->window, s.index);
        kvo_sums_shift(sums_of(p, h), o->window);
    }
    state->ordered += o->window;
}

static void count(const struct kv_part *p, struct kv_ledger *out)
{
    const struct kvo_options *o = p->opt;
    const struct kvo_state *state = p->state;
    if (!o->order || !works_here(p))
        return;
    out->held[KV_SUMS] += (uint64_t)p->shape.n_kv_heads * 2 * (uint64_t)o->window * 32;
    out->read[KV_SUMS] += state->moved;
    out->written[KV_SUMS] += state->moved;
}

/* ---- codec ---- */

static int due(const struct kv_part *p, int n_before)
{
    const struct kvo_options *o = p->opt;
    struct kvo_state *state = p->state;
    int boundary = kvo_boundary(n_before, o->window);
    if (!works_here(p))
        return 0;
    if (!o->order && boundary > state->ordered)
        state->ordered = boundary;
    state->packed = state->ordered;
    return state->packed;
}

static int packable(const void *opt, const struct kv_shape *shape, struct err *e)
{
    struct kvo_quant key = key_quant(opt), value = value_quant(opt);
    return kvo_format_check(&key, &value, shape->head_dim, e);
}

static size_t store_bytes(const struct kv_part *p, int cap)
{
    const struct kvo_options *o = p->opt;
    struct kvo_quant key = key_quant(o), value = value_quant(o);
    return kvo_store_bytes(p, cap, o->window, &key, &value);
}

static void *open_store(const struct kv_part *p, int cap)
{
    const struct kvo_options *o = p->opt;
    struct kvo_quant key = key_quant(o), value = value_quant(o);
    return kvo_store_open(p, cap, o->window, &key, &value);
}

static void round_values(const struct kv_part *p, struct kv_rows *rows, int from)
{
    const struct kvo_options *o = p->opt;
    size_t n = (size_t)(rows->n - from) * (size_t)p->shape.head_dim;
    for (int h = 0; h < p->shape.n_kv_heads && o->uncompressed == FORMAT_F16; h++)
        kv_rows_halve(p->kernels, kv_rows_v(rows, p->shape.head_dim, h, from), n);
}

static void compress(const struct kv_part *p, struct kv_rows *rows, int from, int to)
{
    struct kvo_quant key = key_quant(p->opt), value = value_quant(p->opt);
    struct kvo_rows k = view(p, rows->k, rows->cap), v = view(p, rows->v, rows->cap);
    kvo_key_rows(&k, from, to, &key);
    kvo_value_rows(&v, from, to, &value);
}

static const struct kv_codec packed = {
    .check = packable,
    .bytes = store_bytes,
    .open = open_store,
    .close = kvo_store_close,
    .begin = kvo_store_begin,
    .append = kvo_store_append,
    .copy = kvo_store_copy,
    .expect = kvo_store_expect,
    .top = kvo_store_top,
    .scores = kvo_store_scores,
    .mix = kvo_store_mix,
    .permute = kvo_store_permute,
    .read = kvo_store_read,
    .count = kvo_store_count,
    .round = round_values,
    .compress = compress,
};

static const struct kv_codec *codec(const void *opt, int layer)
{
    const struct kvo_options *o = opt;
    if (layer >= o->first_layer)
        return &packed;
    return o->uncompressed == FORMAT_F16 ? &kv_codec_f16 : &kv_codec_f32;
}

/* ---- select ---- */

static void select_rows(const struct kv_part *p, const struct kv_layer *layer, int kv_head,
                        const float *q, struct kv_range *out, int *n_out, int ld)
{
    const struct kvo_options *o = p->opt;
    int compressed = works_here(p) ? kvo_boundary(layer->n - 1, o->window) : 0;
    int chunks = compressed / o->key_chunk, group = p->shape.n_heads / p->shape.n_kv_heads;
    int n = kvo_select_count(compressed, o->token_budget, o->key_chunk);
    struct scratch s = scratch_of(p, ld);
    if (compressed == 0)
        return;
    struct kv_top_room room = {s.score, s.index + group * n};
    layer->codec->top(layer->store, kv_head, q, group, (struct kv_run){0, o->key_chunk, chunks}, n,
                      s.index, n, &room);
    for (int g = 0; g < group; g++, out += ld) {
        for (int i = 0; i < n; i++)
            out[i] = (struct kv_range){s.index[g * n + i] * o->key_chunk, o->key_chunk};
        out[n] = (struct kv_range){compressed, layer->n - compressed};
        n_out[g] = n + 1;
    }
}

const struct kv_method method_kvo = {
    .name = "kvo",
    .version = 2,
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
    .record_size = record_size,
    .append = append,
    .observe_key = observe_key,
    .observe_new = observe_new,
    .observe_rows = kvo_seen_rows,
    .observe_free = kvo_seen_free,
    .adopt = adopt,
    .content_key = content_key,
    .codec = codec,
    .due = due,
    .select = select_rows,
    .observe_step = observe_step,
    .step_end = step_end,
    .count = count,
};
