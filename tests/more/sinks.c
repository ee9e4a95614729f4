/*
 * A method that exists in tests alone, built from this file and one line (Makefile,
 * tests/cli/method.sh): a step reads the first tokens and the last ones, at their original
 * positions.
 */
#include <stddef.h>

#include "harness/kv/method.h"

struct sinks_options {
    int sinks, recent;
};

static const struct opt options[] = {
    {"sinks", OPT_INT, offsetof(struct sinks_options, sinks), 0, 1e6, 4, NULL, NULL, "start_size",
     "first tokens that every step reads"},
    {"recent", OPT_INT, offsetof(struct sinks_options, recent), 1, 1e6, 508, NULL, NULL, NULL,
     "last tokens that every step reads"},
    {0}};

/* The heads of a group read alike. */
static void select_rows(const struct kv_part *part, const struct kv_layer *layer, int kv_head,
                        const float *q, struct kv_range *out, int *n_out, int ld)
{
    const struct sinks_options *o = part->opt;
    int group = part->shape.n_heads / part->shape.n_kv_heads;
    (void)kv_head, (void)q;
    for (int g = 0; g < group && layer->n > o->sinks + o->recent; g++, out += ld) {
        int n = 0; // none: all rows
        if (o->sinks)
            out[n++] = (struct kv_range){0, o->sinks};
        out[n++] = (struct kv_range){layer->n - o->recent, o->recent};
        n_out[g] = n;
    }
}

const struct kv_method method_sinks = {
    .name = "sinks",
    .version = 1,
    .summary = "reads the first and the last tokens",
    .cite = "after StreamingLLM, Xiao et al. 2023",
    .hooks = 1u << KV_SELECT,
    .opt_size = sizeof(struct sinks_options),
    .options = options,
    .select = select_rows,
};
