/*
 * KVO's salient tokens without its codec and its selection: rows of a window are ordered by the
 * attention they received, so that the first of each chunk is its salient token, in whatever codec
 * of the chain leaves single rows movable. Alone it changes which row stands where and no
 * attention; "kvo-select" beside it chooses chunks by these tokens, as kvo does.
 */
#include <stddef.h>

#include "harness/methods/kvo_ordering.h"
#include "harness/methods/kvo_parts.h"

#define AT(field) offsetof(struct kvo_ordering, field)
static const struct opt options[] = {
    {"window", OPT_INT, AT(window), 1, 65536, 64, NULL, NULL, "kv_recent_budget",
     "tokens ordered at a time; from window to 2 * window - 1 recent ones stand as they came"},
    {"chunk", OPT_INT, AT(chunk), 1, 512, 8, NULL, NULL, "kchunk",
     "tokens that are sorted among themselves: a divisor of window"},
    {"order", OPT_BOOL, AT(order), 0, 1, 1, NULL, NULL, "window_diff_select",
     "false: tokens stay as they came, and the first of a chunk counts as the salient one"},
    {"first_layer", OPT_INT, AT(first_layer), 0, 1000, 2, NULL, NULL, NULL,
     "layers before it stay as they are"},
    {0}};

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    const struct kvo_ordering *o = opt;
    return kvo_part_check(o->window, o->chunk, o->first_layer, shape, e);
}

const struct kv_method method_kvo_order = {
    .name = "kvo-order",
    .version = 1,
    .summary = "KVO's salient tokens alone: a chunk's first token is the one most attended to",
    .cite = "KVO-LLM, DAC 2025",
    .hooks = 1u << KV_OBSERVE | 1u << KV_ORDER,
    .opt_size = sizeof(struct kvo_ordering),
    .options = options,
    .check = check,
    .state_size = kvo_ordering_state_size,
    .scratch_size = kvo_ordering_scratch_size,
    KVO_ORDERING_HOOKS,
};
