/* The full cache: every row is kept and read. What all other settings are compared with. */
#include "harness/kv/method.h"

static void count(const struct kv_part *part, const struct kv_rows *rows, struct kv_ledger *out)
{
    out->recent += (uint64_t)rows->n * (uint64_t)part->shape.n_kv_heads *
                   (uint64_t)part->shape.head_dim * 2 * 16;
}

const struct kv_method method_full = {
    .name = "full",
    .version = 1,
    .summary = "the full cache, nothing compressed; counted at 16 bits a number",
    .cite = "Vaswani et al. 2017",
    .hooks = 1u << KV_CODEC,
    .count = count,
};
