/*
 * CaM, cache merging (Zhang et al., ICML 2024): what is evicted leaves its value behind, in equal
 * parts added to the values of tokens after it, with a probability that grows with the attention
 * it had. Beside any method that scores tokens. Keys stay as they are; once, after the prompt.
 *
 * Attention is that of the last `window` queries, of the query heads of a KV head together, which
 * also draw together; where the scoring method keeps tokens for each query head, each by itself.
 * Draws depend on the seed, the layer, the head and the token's place alone.
 *
 * Variants by options:
 *   give=all      KVCache-Factory (CAMKVCluster), where every token between the first ones (start)
 *                 and the window gives, in order and with what it was given, to the `window` tokens
 *                 after it, also a token that stays: the sums grow along the prompt. Against the
 *                 largest attention of the first tokens, of itself and the window - 1 after it.
 *   give=evicted  the paper's rule for a whole prompt: only those that go give, to the next
 * `window` tokens that stay (as kvpress's CAMPress does while decoding), against the mean attention
 * of these.
 */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/base/rng.h"
#include "harness/kv/method.h"
#include "harness/kv/rows.h"
#include "harness/kv/seen_window.h"

enum { GIVE_ALL, GIVE_EVICTED };
static const char *const gives[] = {"all", "evicted", NULL};

struct cam_options {
    int give, window, seed;
    double start;
};

#define AT(field) offsetof(struct cam_options, field)
static const struct opt options[] = {
    {"give", OPT_CHOICE, AT(give), 0, 0, GIVE_ALL, gives, NULL, NULL,
     "whose values are added to others': all tokens' between the first ones and the window, or "
     "those of tokens that go"},
    {"window", OPT_INT, AT(window), 1, 65536, 32, NULL, NULL, "window_size",
     "last queries whose attention counts, and tokens that share a value"},
    {"start", OPT_NUM, AT(start), 0, 1, 0.1, NULL, NULL, "start_budget_ratio",
     "share of the prompt at its beginning that does not give (give=all)"},
    {"seed", OPT_INT, AT(seed), 0, 1e9, 0, NULL, NULL, NULL, "of the draws"},
    {0}};

static void observe_key(const void *opt, const struct kv_shape *shape, int layer, int n_prompt,
                        struct buf *out)
{
    (void)shape;
    (void)layer;
    (void)n_prompt;
    kv_window_key(((const struct cam_options *)opt)->window, out);
}

static int observe_from(const void *opt, int n_prompt)
{
    return kv_window_from(((const struct cam_options *)opt)->window, n_prompt);
}

static void *observe_new(const void *opt, const struct kv_shape *shape, int n_prompt)
{
    return kv_window_new(shape, n_prompt, ((const struct cam_options *)opt)->window);
}

/* Attention of a KV head, and of one query head. */
static size_t scratch_size(const void *opt, const struct kv_shape *shape, int cap)
{
    (void)opt;
    (void)shape;
    return 2 * (size_t)cap * sizeof(float);
}

/* One KV head at work. */
struct merger {
    const struct cam_options *opt;
    int n, d;
    const float *attention; // [n]
    struct rng draws;
};

static const float *attention_of(const struct kv_part *part, int kv_head, const void *seen, int n)
{
    int group = part->shape.n_heads / part->shape.n_kv_heads;
    float *sum = part->scratch, *one = sum + n;
    memset(sum, 0, (size_t)n * sizeof *sum);
    for (int h = 0; h < group; h++) {
        kv_window_sum(seen, part->head + kv_head * group + h, one);
        for (int j = 0; j < n; j++)
            sum[j] += one[j];
    }
    return sum;
}

/* Three numbers go into the state one after the other, each through the generator. */
static struct rng draws_of(const struct kv_part *part, int kv_head)
{
    struct rng r = {(uint64_t)((const struct cam_options *)part->opt)->seed};
    int group = part->shape.n_heads / part->shape.n_kv_heads;
    r.state = rng_next(&r) + (uint64_t)part->layer;
    r.state = rng_next(&r) + (uint64_t)(part->head + kv_head * group);
    return r;
}

/* An equal part of a value to each of n rows. */
static void spread(float *rows, int n, const float *value, int d)
{
    for (int i = 0; i < n; i++)
        for (int c = 0; c < d; c++)
            rows[i * d + c] += value[c] / (float)n;
}

static float most_of(const float *x, int from, int end)
{
    float most = 0;
    for (int j = from; j < end; j++)
        most = x[j] > most ? x[j] : most;
    return most;
}

/* v [n][d], those of all tokens. */
static void give_all(struct merger *m, float *v)
{
    int w = m->opt->window, start = (int)ceil(m->opt->start * m->n);
    float first = most_of(m->attention, 0, start);
    for (int t = 0; t + w < m->n; t++) {
        double draw = rng_uniform(&m->draws), most = most_of(m->attention, t, t + w);
        double against = most > first ? most : first;
        float *value = v + (size_t)t * (size_t)m->d;
        if (t >= start && draw * against < m->attention[t])
            spread(value + m->d, w, value, m->d);
    }
}

/* v [n][d] of all tokens; kept [n_kept][d] of those that stay. */
static void give_evicted(struct merger *m, const float *v, const int *rows, int n_kept, float *kept)
{
    for (int t = 0, next = 0; t < m->n; t++) {
        double draw = rng_uniform(&m->draws), sum = 0;
        int into = n_kept - next < m->opt->window ? n_kept - next : m->opt->window;
        if (next < n_kept && rows[next] == t) {
            next++;
            continue;
        }
        for (int i = 0; i < into; i++)
            sum += (double)m->attention[rows[next + i]];
        if (draw * sum < (double)m->attention[t] * into)
            spread(kept + (size_t)next * (size_t)m->d, into, v + (size_t)t * (size_t)m->d, m->d);
    }
}

/* The values that stay, after all have given. */
static void merge_all(struct merger *m, const float *v, const int *rows, int n_kept, float *kept)
{
    size_t row = (size_t)m->d * sizeof(float);
    float *given = xmalloc(mem_size((size_t)m->n, row));
    memcpy(given, v, (size_t)m->n * row);
    give_all(m, given);
    for (int i = 0; i < n_kept; i++)
        memcpy(kept + (size_t)i * (size_t)m->d, given + (size_t)rows[i] * (size_t)m->d, row);
    free(given);
}

static void merge(const struct kv_part *part, const struct kv_rows *all, const struct kv_kept *kept,
                  const void *seen, struct kv_rows *rows)
{
    int d = part->shape.head_dim;
    for (int h = 0; h < part->shape.n_kv_heads; h++) {
        struct merger m = {part->opt, all->n, d, attention_of(part, h, seen, all->n),
                           draws_of(part, h)};
        const float *from = kv_rows_v(all, d, part->kv_head + h, 0);
        float *into = kv_rows_v(rows, d, h, 0);
        if (m.opt->give == GIVE_ALL)
            merge_all(&m, from, kept->rows, rows->n, into);
        else
            give_evicted(&m, from, kept->rows, rows->n, into);
    }
}

const struct kv_method method_cam = {
    .name = "cam",
    .version = 1,
    .summary = "values of tokens that go are added to those after them, beside a method that "
               "scores tokens",
    .cite = "Zhang et al., ICML 2024",
    .hooks = 1u << KV_OBSERVE | 1u << KV_MERGE,
    .opt_size = sizeof(struct cam_options),
    .options = options,
    .scratch_size = scratch_size,
    .observe_key = observe_key,
    .observe_from = observe_from,
    .observe_new = observe_new,
    .observe_rows = kv_window_rows,
    .observe_free = kv_window_free,
    .merge = merge,
};
