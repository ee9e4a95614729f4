/*
 * Keys that point elsewhere than most stay (Park et al., arXiv 2504.15364, as kvpress has it in
 * KeyDiffPress): the anchor is the mean of a KV head's keys, each divided by its length, and a
 * token is worth the less the more its key points as the anchor does. Each KV head keeps its own;
 * no window and no sinks are forced.
 *
 * The paper compresses block by block while a prompt is read, which is another algorithm.
 */
#include <math.h>
#include <string.h>

#include "harness/kv/method.h"
#include "harness/kv/rows.h"

static const struct opt options[] = {KV_BUDGET_OPTIONS(0, 0.25, 0), {0}};

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    return kv_budget_check(opt, shape->n_layers, e);
}

static const struct kv_budget *budget(const void *opt)
{
    return opt;
}

static enum kv_heads heads(const void *opt)
{
    (void)opt;
    return KV_HEADS_KV;
}

/* The anchor. */
static size_t scratch_size(const void *opt, const struct kv_shape *shape, int cap)
{
    (void)opt;
    (void)cap;
    return (size_t)shape->head_dim * sizeof(double);
}

static double dot(const float *a, const double *b, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

/* Of a key of zeros: 1, which leaves it what it is. */
static double length(const float *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sum > 0 ? sqrt(sum) : 1;
}

/* Its length does not matter: cosines with it are compared with each other alone. */
static void find_anchor(const float *keys, int n, int d, double *anchor)
{
    memset(anchor, 0, (size_t)d * sizeof *anchor);
    for (int j = 0; j < n; j++, keys += d) {
        double scale = 1 / length(keys, d);
        for (int i = 0; i < d; i++)
            anchor[i] += scale * (double)keys[i];
    }
    double size = 0;
    for (int i = 0; i < d; i++)
        size += anchor[i] * anchor[i];
    for (int i = 0; i < d && size > 0; i++)
        anchor[i] /= sqrt(size);
}

static void score(const struct kv_part *part, const struct kv_rows *rows, const void *seen,
                  float *out)
{
    int d = part->shape.head_dim;
    (void)seen;
    find_anchor(kv_rows_k(rows, d, part->kv_head, 0), rows->n, d, part->scratch);
    for (int j = 0; j < rows->n; j++) {
        const float *key = kv_rows_k(rows, d, part->kv_head, j);
        out[j] = (float)-(dot(key, part->scratch, d) / length(key, d));
    }
}

const struct kv_method method_keydiff = {
    .name = "keydiff",
    .version = 1,
    .summary = "keeps the tokens whose keys point elsewhere than the others'",
    .cite = "Park et al., arXiv 2504.15364; kvpress, KeyDiffPress",
    .hooks = 1u << KV_SCORE,
    .opt_size = sizeof(struct kv_budget),
    .options = options,
    .check = check,
    .scratch_size = scratch_size,
    .budget = budget,
    .heads = heads,
    .score = score,
};
