/*
 * KVO's selection without its codec: a step reads the chunks whose first token its query likes
 * best, and all recent tokens, of rows that any codec of the chain keeps. With "kvo-order" or
 * "kvo-codec" in the chain, of equal window and chunk, the first token is the salient one; with
 * "kvo-codec" and equal first_layer, too, it is all that kvo does, bit for bit. Else it is the
 * chunk's earliest. Beside a method that removes tokens, chunks are counted over those that stay.
 */
#include <stddef.h>

#include "harness/methods/kvo_parts.h"
#include "harness/methods/kvo_reading.h"

#define AT(field) offsetof(struct kvo_reading, field)
static const struct opt options[] = {
    {"token_budget", OPT_INT, AT(token_budget), 1, 1e9, 384, NULL, NULL, "kv_start_budget",
     "tokens before the recent ones that a step reads, in whole chunks, at least 3 of them"},
    {"window", OPT_INT, AT(window), 1, 65536, 64, NULL, NULL, "kv_recent_budget",
     "from window + 1 to 2 * window recent tokens are always read"},
    {"chunk", OPT_INT, AT(chunk), 1, 512, 8, NULL, NULL, "kchunk",
     "tokens of a chunk: a divisor of window"},
    {"first_layer", OPT_INT, AT(first_layer), 0, 1000, 2, NULL, NULL, NULL,
     "layers before it read all tokens"},
    {0}};

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    const struct kvo_reading *o = opt;
    return kvo_part_check(o->window, o->chunk, o->first_layer, shape, e);
}

static size_t scratch_size(const void *opt, const struct kv_shape *shape, int cap)
{
    return kvo_reading_scratch_size(opt, shape, cap);
}

/* It holds nothing. */
static void content_key(const void *opt, struct buf *out)
{
    (void)opt;
    (void)out;
}

static void select_rows(const struct kv_part *p, const struct kv_layer *layer, int kv_head,
                        const float *q, struct kv_range *out, int *n_out, int ld)
{
    kvo_reading_select(p->opt, p, layer, kv_head, q, out, n_out, ld);
}

const struct kv_method method_kvo_select = {
    .name = "kvo-select",
    .version = 1,
    .summary = "KVO's selection alone: a step reads chunks by their first tokens, and recent ones",
    .cite = "KVO-LLM, DAC 2025",
    .hooks = 1u << KV_SELECT,
    .opt_size = sizeof(struct kvo_reading),
    .options = options,
    .check = check,
    .scratch_size = scratch_size,
    .content_key = content_key,
    .select = select_rows,
};
