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
#include "harness/methods/kvo_packing.h"
#include "harness/methods/kvo_reading.h"

static const struct opt options[] = {
    KVO_CODE_OPTIONS,
    {"token_budget", OPT_INT, offsetof(struct kvo_options, token_budget), 1, 1e9, 384, NULL, NULL,
     "kv_start_budget", "compressed tokens that a step reads, in whole chunks, at least 3 of them"},
    KVO_ORDER_OPTIONS,
    {0}};

static struct kvo_reading reading(const void *opt)
{
    const struct kvo_options *o = opt;
    return (struct kvo_reading){o->token_budget, o->ordering.window, o->ordering.chunk,
                                o->ordering.first_layer};
}

static size_t scratch_size(const void *opt, const struct kv_shape *shape, int cap)
{
    struct kvo_reading r = reading(opt);
    size_t orders = kvo_ordering_scratch_size(opt, shape, cap);
    size_t reads = kvo_reading_scratch_size(&r, shape, cap);
    return orders > reads ? orders : reads;
}

/* Which rows steps read is all that the budget decides. */
static void content_key(const void *opt, struct buf *out)
{
    struct kvo_options o = *(const struct kvo_options *)opt;
    o.token_budget = 0;
    opt_put_json(options, &o, out);
}

static void select_rows(const struct kv_part *p, const struct kv_layer *layer, int kv_head,
                        const float *q, struct kv_range *out, int *n_out, int ld)
{
    struct kvo_reading r = reading(p->opt);
    kvo_reading_select(&r, p, layer, kv_head, q, out, n_out, ld);
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
    .check = kvo_packing_check,
    .state_size = kvo_ordering_state_size,
    .scratch_size = scratch_size,
    .content_key = content_key,
    .select = select_rows,
    KVO_PACKING_HOOKS,
    KVO_ORDERING_HOOKS,
};
