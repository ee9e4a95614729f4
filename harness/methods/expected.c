/*
 * Expected attention (Devoto et al. 2025, arXiv 2510.00636; kvpress, ExpectedAttentionPress): a
 * token is worth the attention that queries to come are expected to pay it, times the norm of its
 * value. These queries are taken as normal, with the mean and covariance of the prompt's queries
 * without positions, turned by the mean of the rotations of the next `future` positions; the
 * expected exp(q . k / sqrt(d)) of a key is then exp(mean . k / sqrt(d) + k . covariance k / 2d),
 * and its share among the tokens the attention. Once after the prompt; what is decoded is added
 * without limit.
 *
 * Shares are averaged over the query heads of a KV head, which keeps tokens of its own. The first
 * `sinks` tokens always stay, and neither their queries nor their keys count. A prompt of no more
 * tokens has only sinks (kvpress stops there). Of a budget below the sinks the first ones stay.
 * Defaults are kvpress'; with allotting by head it sets epsilon=0.01.
 */
#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "harness/kv/method.h"
#include "harness/kv/rows.h"
#include "harness/kv/seen_moments.h"

struct expected_options {
    struct kv_budget budget;
    int sinks, future, covariance, value_norm;
    double epsilon;
};

#define AT(field) offsetof(struct expected_options, field)
static const struct opt options[] = {
    KV_BUDGET_OPTIONS(AT(budget), 0.25, 0),
    {"sinks", OPT_INT, AT(sinks), 0, 65536, 4, NULL, NULL, "n_sink",
     "first tokens that always stay and whose queries do not count"},
    {"future", OPT_INT, AT(future), 1, 1e6, 512, NULL, NULL, "n_future_positions",
     "positions after the prompt that queries are expected from"},
    {"covariance", OPT_BOOL, AT(covariance), 0, 1, 1, NULL, NULL, "use_covariance",
     "whether queries spread around their mean"},
    {"value_norm", OPT_BOOL, AT(value_norm), 0, 1, 1, NULL, NULL, "use_vnorm",
     "whether attention counts by the norm of the token's value"},
    {"epsilon", OPT_NUM, AT(epsilon), 0, 1, 0, NULL, NULL, NULL,
     "added to the attention before it is multiplied by the value's norm"},
    {0}};

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    return kv_budget_check(&((const struct expected_options *)opt)->budget, shape->n_layers, e);
}

static void observe_key(const void *opt, const struct kv_shape *shape, int layer, int n_prompt,
                        struct buf *out)
{
    const struct expected_options *o = opt;
    (void)shape;
    if (layer >= o->budget.first_layer && n_prompt > o->sinks)
        kv_moments_key(o->sinks, o->covariance, out);
}

static void *observe_new(const void *opt, const struct kv_shape *shape, int n_prompt)
{
    const struct expected_options *o = opt;
    return kv_moments_new(shape, n_prompt, o->sinks, o->covariance);
}

static const struct kv_budget *budget(const void *opt)
{
    return &((const struct expected_options *)opt)->budget;
}

static enum kv_heads heads(const void *opt)
{
    (void)opt;
    return KV_HEADS_KV;
}

/* ---- the queries to come ---- */

struct room {
    double *mean, *covariance, *cos, *sin; // [d], [d][d], [d / 2]: of the mean rotation
    float *mean32, *covariance32, *row;    // [d], [d][d], [d]
    float *shares;                         // [n]
};

static size_t scratch_size(const void *opt, const struct kv_shape *shape, int cap)
{
    size_t d = (size_t)shape->head_dim;
    (void)opt;
    return (2 * d + d * d) * sizeof(double) + (2 * d + d * d + (size_t)cap) * sizeof(float);
}

static struct room room_of(const struct kv_part *part)
{
    size_t d = (size_t)part->shape.head_dim;
    struct room r = {.mean = part->scratch};
    r.covariance = r.mean + d;
    r.cos = r.covariance + d * d;
    r.sin = r.cos + d / 2;
    r.mean32 = (float *)(r.mean + 2 * d + d * d);
    r.covariance32 = r.mean32 + d;
    r.row = r.covariance32 + d * d;
    r.shares = r.row + d;
    return r;
}

/* The mean of `count` rotations from position `from` on: the one halfway, shorter by as much as
 * they spread. */
static void mean_rotation(const struct room *r, const struct kv_rope *rope, int half, int from,
                          int count)
{
    for (int i = 0; i < half; i++) {
        double angle = (double)rope->frequency[i], sine = sin(angle / 2);
        double length = sine == 0 ? 1 : sin(count * angle / 2) / (count * sine);
        double middle = angle * (from + (count - 1) / 2.0);
        r->cos[i] = length * cos(middle);
        r->sin[i] = length * sin(middle);
    }
}

/* x [2 * half], its elements `step` apart. */
static void turn(const struct room *r, double *x, int half, int step)
{
    for (int i = 0; i < half; i++) {
        double *a = x + (size_t)i * (size_t)step, *b = a + (size_t)half * (size_t)step;
        double turned = *a * r->cos[i] - *b * r->sin[i];
        *b = *b * r->cos[i] + *a * r->sin[i];
        *a = turned;
    }
}

/* Mean and covariance of a head's queries, with the mean rotation, as floats. */
static void expect_queries(const struct room *r, const void *seen, int head, int d, bool covariance)
{
    kv_moments_of(seen, head, r->mean, covariance ? r->covariance : NULL);
    turn(r, r->mean, d / 2, 1);
    for (int i = 0; i < d && covariance; i++)
        turn(r, r->covariance + i, d / 2, d); // columns
    for (int i = 0; i < d && covariance; i++)
        turn(r, r->covariance + (size_t)i * (size_t)d, d / 2, 1);
    for (int i = 0; i < d; i++)
        r->mean32[i] = (float)r->mean[i];
    for (int i = 0; i < d * d && covariance; i++)
        r->covariance32[i] = (float)r->covariance[i];
}

/* ---- what they attend to ---- */

/* r->shares of n keys [n][d]. */
static void attend(const struct kv_part *part, const struct room *r, const float *keys, int n,
                   bool covariance)
{
    const struct kernels *kn = part->kernels;
    int d = part->shape.head_dim;
    kn->scores(r->shares, r->mean32, keys, n, d, sqrtf((float)d));
    for (int j = 0; j < n && covariance; j++) {
        const float *key = keys + (size_t)j * (size_t)d;
        float spread;
        memset(r->row, 0, (size_t)d * sizeof *r->row);
        kn->mix(r->row, key, r->covariance32, d, d);
        kn->scores(&spread, key, r->row, 1, d, 2 * (float)d);
        r->shares[j] += spread;
    }
    kn->softmax(r->shares, n);
}

static void count_values(const struct expected_options *o, const float *values, int n, int d,
                         float *out)
{
    for (int j = 0; j < n && o->value_norm; j++, values += d) {
        float sum = 0;
        for (int c = 0; c < d; c++)
            sum += values[c] * values[c];
        out[j] = (out[j] + (float)o->epsilon) * sqrtf(sum);
    }
}

static void score(const struct kv_part *part, const struct kv_rows *rows, const void *seen,
                  float *out)
{
    const struct expected_options *o = part->opt;
    struct room r = room_of(part);
    int d = part->shape.head_dim, heads = part->shape.n_heads;
    int sinks = o->sinks < rows->n ? o->sinks : rows->n, n = rows->n - sinks;
    assert(part->shape.n_kv_heads == 1);
    memset(out, 0, (size_t)rows->n * sizeof *out);
    mean_rotation(&r, part->rope, d / 2, rows->n, o->future);
    for (int h = 0; h < heads && n; h++) {
        expect_queries(&r, seen, part->head + h, d, o->covariance);
        attend(part, &r, kv_rows_k(rows, d, part->kv_head, sinks), n, o->covariance);
        for (int j = 0; j < n; j++)
            out[sinks + j] += r.shares[j] / (float)heads;
    }
    count_values(o, kv_rows_v(rows, d, part->kv_head, sinks), n, d, out + sinks);
    for (int j = 0; j < sinks; j++)
        out[j] = KV_FORCED;
}

const struct kv_method method_expected = {
    .name = "expected",
    .version = 1,
    .summary = "keeps the tokens that queries to come are expected to attend to",
    .cite = "Devoto et al., arXiv 2510.00636; kvpress, ExpectedAttentionPress",
    .hooks = 1u << KV_OBSERVE | 1u << KV_SCORE,
    .opt_size = sizeof(struct expected_options),
    .options = options,
    .check = check,
    .scratch_size = scratch_size,
    .observe_key = observe_key,
    .observe_new = observe_new,
    .observe_rope = kv_moments_rope,
    .observe_queries = kv_moments_queries,
    .observe_free = kv_moments_free,
    .budget = budget,
    .heads = heads,
    .score = score,
};
