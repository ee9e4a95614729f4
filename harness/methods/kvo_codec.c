/*
 * KVO's codec without its selection: salient tokens are found, keys and values are stored as
 * differences to them and pruned, and a step reads all rows, or those that another method of the
 * chain chooses. What is stored, and how much, is what kvo stores with equal options (kvo.c), and
 * kvo with a token_budget that no context reaches gives the same bits.
 *
 * Where another method reads some rows only, rows that are not read receive no attention, and a
 * salient token is the one that received most of what was read.
 */
#include "harness/methods/kvo_packing.h"

static const struct opt options[] = {KVO_CODE_OPTIONS, KVO_ORDER_OPTIONS, {0}};

const struct kv_method method_kvo_codec = {
    .name = "kvo-codec",
    .version = 1,
    .summary = "KVO's differential quantization and pruning alone, a step reads all tokens",
    .cite = "KVO-LLM, DAC 2025",
    .hooks = 1u << KV_APPEND | 1u << KV_OBSERVE | 1u << KV_ORDER | 1u << KV_CODEC,
    .opt_size = sizeof(struct kvo_options),
    .options = options,
    .check = kvo_packing_check,
    .state_size = kvo_ordering_state_size,
    .scratch_size = kvo_ordering_scratch_size,
    KVO_PACKING_HOOKS,
    KVO_ORDERING_HOOKS,
};
