/*
 * LagKV (Liang et al., arXiv 2504.04704; kvpress, LagKVPress): tokens are judged by keys and values
 * alone, against the tokens that follow. Behind the first `sinks` tokens the prompt falls into
 * partitions of `lag`; in each, keys are scaled channel by channel by the smallest and largest key
 * of the next partition, and a token's score is the standard deviation over its channels, as a
 * softmax within the partition; values alike; the mean of both counts. Tokens are then ranked
 * within their partition, so that each partition keeps the same share (cross_scoring: scores of
 * all partitions are compared as they are, which AdaKV needs). Each KV head keeps its own.
 *
 * The sinks always stay, then the last partition and the rest behind it, which nothing follows:
 * from lag to 2 lag - 1 tokens. A budget that is smaller keeps the last of these; theirs is a draw.
 * Of a prompt shorter than sinks and two partitions the sinks and the last tokens stay, as theirs
 * do. A channel that is constant in the next partition does not count (theirs divides by zero).
 */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "harness/kv/method.h"
#include "harness/kv/rows.h"

struct lagkv_options {
    struct kv_budget budget;
    int sinks, lag, cross_scoring;
};

#define AT(field) offsetof(struct lagkv_options, field)
static const struct opt options[] = {
    KV_BUDGET_OPTIONS(AT(budget), 0.25, 0),
    {"sinks", OPT_INT, AT(sinks), 0, 65536, 4, NULL, NULL, "n_sink", "first tokens, which stay"},
    {"lag", OPT_INT, AT(lag), 2, 65536, 128, NULL, NULL, "lag_size",
     "tokens of a partition, which are judged by those of the next one"},
    {"cross_scoring", OPT_BOOL, AT(cross_scoring), 0, 0, false, NULL, NULL, NULL,
     "compare scores of all partitions, in place of ranks within each"},
    {0}};

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    return kv_budget_check(&((const struct lagkv_options *)opt)->budget, shape->n_layers, e);
}

static const struct kv_budget *budget(const void *opt)
{
    return &((const struct lagkv_options *)opt)->budget;
}

static enum kv_heads heads(const void *opt)
{
    (void)opt;
    return KV_HEADS_KV;
}

/* Ends of the next partition's channels; two scores of each token of a partition. */
struct room {
    float *low, *high, *k, *v;
};

static size_t scratch_size(const void *opt, const struct kv_shape *shape, int cap)
{
    (void)opt;
    return 2 * ((size_t)shape->head_dim + (size_t)cap) * sizeof(float);
}

static struct room room_of(const struct kv_part *part, int n)
{
    size_t d = (size_t)part->shape.head_dim;
    float *at = part->scratch;
    return (struct room){at, at + d, at + 2 * d, at + 2 * d + n};
}

static void find_ends(const struct room *r, const float *x, int n, int d)
{
    memcpy(r->low, x, (size_t)d * sizeof *x);
    memcpy(r->high, x, (size_t)d * sizeof *x);
    for (int j = 1; j < n; j++)
        for (int c = 0; c < d; c++) {
            float y = x[j * d + c];
            r->low[c] = y < r->low[c] ? y : r->low[c];
            r->high[c] = y > r->high[c] ? y : r->high[c];
        }
}

/* Of the scaled channels, with the divisor of a sample. */
static float deviation(const struct room *r, const float *x, int d)
{
    double sum = 0, squares = 0;
    int n = 0;
    for (int c = 0; c < d; c++) {
        if (r->low[c] == r->high[c])
            continue;
        double y = ((double)x[c] - r->low[c]) / ((double)r->high[c] - r->low[c]);
        sum += y;
        squares += y * y;
        n++;
    }
    double left = n > 1 ? (squares - sum * sum / n) / (n - 1) : 0;
    return left > 0 ? (float)sqrt(left) : 0;
}

/* out[lag]: what a partition's rows x are worth before the next one's, which follow them. */
static void judge(const struct kv_part *part, const struct room *r, const float *x, int lag,
                  float *out)
{
    int d = part->shape.head_dim;
    find_ends(r, x + (size_t)lag * (size_t)d, lag, d);
    for (int j = 0; j < lag; j++)
        out[j] = deviation(r, x + (size_t)j * (size_t)d, d);
    part->kernels->softmax(out, lag);
}

/* The share of the partition that a token comes before: of equal ones the first. */
static void put_ranks(const float *score, int lag, float *out)
{
    for (int j = 0; j < lag; j++) {
        int behind = 0;
        for (int i = 0; i < lag; i++)
            behind += score[i] < score[j] || (score[i] == score[j] && i > j);
        out[j] = (float)behind / (float)lag;
    }
}

static void score_partition(const struct kv_part *part, const struct kv_rows *rows, int first,
                            float *out)
{
    const struct lagkv_options *o = part->opt;
    int d = part->shape.head_dim, lag = o->lag;
    struct room r = room_of(part, lag);
    judge(part, &r, kv_rows_k(rows, d, part->kv_head, first), lag, r.k);
    judge(part, &r, kv_rows_v(rows, d, part->kv_head, first), lag, r.v);
    for (int j = 0; j < lag; j++)
        r.k[j] = (r.k[j] + r.v[j]) / 2;
    if (o->cross_scoring)
        memcpy(out + first, r.k, (size_t)lag * sizeof *out);
    else
        put_ranks(r.k, lag, out + first);
}

static void score(const struct kv_part *part, const struct kv_rows *rows, const void *seen,
                  float *out)
{
    const struct lagkv_options *o = part->opt;
    int sinks = o->sinks < rows->n ? o->sinks : rows->n, at = sinks;
    (void)seen;
    while (at + 2 * o->lag <= rows->n) {
        score_partition(part, rows, at, out);
        at += o->lag;
    }
    for (int j = at; j < rows->n; j++)
        out[j] = kv_forced(j);
    for (int j = 0; j < sinks; j++)
        out[j] = kv_forced(rows->n);
}

const struct kv_method method_lagkv = {
    .name = "lagkv",
    .version = 1,
    .summary = "keeps the tokens whose keys and values vary most, as those that follow measure it",
    .cite = "Liang et al., arXiv 2504.04704; kvpress, LagKVPress",
    .hooks = 1u << KV_SCORE,
    .opt_size = sizeof(struct lagkv_options),
    .options = options,
    .check = check,
    .scratch_size = scratch_size,
    .budget = budget,
    .heads = heads,
    .score = score,
};
