#include "harness/methods/kvo_packing.h"

#include "harness/kv/rows.h"
#include "harness/methods/kvo_store.h"
#include "harness/methods/kvo_windows.h"

enum { FORMAT_F16, FORMAT_F32 };
const char *const kvo_formats[] = {"f16", "f32", NULL};

static struct kvo_quant key_quant(const struct kvo_options *o)
{
    return (struct kvo_quant){
        o->key_bits, o->key_group,     o->ordering.chunk,      o->prune_keys ? o->key_kept : 1,
        o->key_clip, o->key_symmetric, o->pairs == FORMAT_F16, o->uncompressed == FORMAT_F16};
}

static struct kvo_quant value_quant(const struct kvo_options *o)
{
    return (struct kvo_quant){o->value_bits,          o->value_group,
                              o->value_chunk,         o->prune_values ? o->value_kept : 1,
                              o->value_clip,          o->value_symmetric,
                              o->pairs == FORMAT_F16, o->uncompressed == FORMAT_F16};
}

static struct kvo_rows view(const struct kv_part *p, float *x, int cap)
{
    size_t d = (size_t)p->shape.head_dim;
    return (struct kvo_rows){x, (size_t)cap * d, d, p->shape.n_kv_heads, (int)d};
}

int kvo_packing_check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    const struct kvo_options *o = opt;
    struct kvo_quant key = key_quant(o), value = value_quant(o);
    if (o->ordering.first_layer > 0 && o->ordering.first_layer >= shape->n_layers)
        return err_user(e,
                        "first_layer %d leaves nothing to compress, the model has %d layers: at "
                        "most %d",
                        o->ordering.first_layer, shape->n_layers, shape->n_layers - 1);
    if (kvo_key_check(&key, shape->n_kv_heads * shape->head_dim, o->ordering.window, e))
        return -1;
    return kvo_value_check(&value, o->ordering.window, e);
}

/* ---- append ---- */

void kvo_packing_class_key(const void *opt, struct buf *out)
{
    const struct kvo_options *o = opt;
    buf_printf(out, "kvo: INT8 keys, group %d, %s, clip ", o->key_group,
               o->key_symmetric ? "symmetric" : "asymmetric");
    json_put_number(out, o->key_clip);
    buf_printf(out, ", %s pairs, from layer %d", kvo_formats[o->pairs], o->ordering.first_layer);
}

size_t kvo_packing_record_size(const void *opt, const struct kv_shape *shape)
{
    struct kvo_quant key = key_quant(opt);
    if (shape->head_dim % key.group) // which cannot be packed
        return 0;
    return (size_t)shape->n_kv_heads * int8_record_size(shape->head_dim, &key);
}

void kvo_packing_append(const struct kv_part *p, float *k, float *v, void *record)
{
    struct kvo_quant key = key_quant(p->opt);
    struct kvo_rows row = view(p, k, 1);
    (void)v;
    if (!kvo_works_here(p))
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

/* ---- codec ---- */

int kvo_packing_due(const struct kv_part *p, int n_before)
{
    const struct kvo_options *o = p->opt;
    struct kvo_state *state = p->state;
    int boundary = kvo_boundary(n_before, o->ordering.window);
    if (!kvo_works_here(p))
        return 0;
    if (!o->ordering.order && boundary > state->ordered)
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
    return kvo_store_bytes(p, cap, o->ordering.window, &key, &value);
}

static void *open_store(const struct kv_part *p, int cap)
{
    const struct kvo_options *o = p->opt;
    struct kvo_quant key = key_quant(o), value = value_quant(o);
    return kvo_store_open(p, cap, o->ordering.window, &key, &value);
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

const struct kv_codec *kvo_packing_codec(const void *opt, int layer)
{
    const struct kvo_options *o = opt;
    if (layer >= o->ordering.first_layer)
        return &packed;
    return o->uncompressed == FORMAT_F16 ? &kv_codec_f16 : &kv_codec_f32;
}
