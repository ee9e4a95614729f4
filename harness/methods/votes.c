#include "harness/methods/votes.h"

#include <string.h>

#include "harness/kv/seen_window.h"

const char *const heads_names[] = {"kv", "query", NULL};
const char *const votes_poolings[] = {"average", "max", "none", NULL};
const char *const votes_groups[] = {"pooled", "votes", NULL};
enum { GROUP_POOLED, GROUP_VOTES };

enum kv_heads heads_of(int choice)
{
    return choice == HEADS_QUERY ? KV_HEADS_QUERY : KV_HEADS_KV;
}

int votes_check(const struct votes *v, struct err *e)
{
    if (v->kernel % 2 == 0)
        return err_user(e, "kernel %d is even, a token has as many neighbours on both sides: %d",
                        v->kernel, v->kernel + 1);
    return 0;
}

/* A head's votes and what it is pooled into. */
size_t votes_scratch(int cap)
{
    return 2 * (size_t)cap * sizeof(float);
}

/* Neighbours outside count as 0 in the mean, and not at all in the maximum. */
static float pool_at(const struct votes *v, const float *x, int n, int j)
{
    int half = v->kernel / 2, first = j > half ? j - half : 0;
    int last = j + half < n ? j + half : n - 1;
    float sum = 0, most = x[first];
    for (int i = first; i <= last; i++) {
        sum += x[i];
        most = x[i] > most ? x[i] : most;
    }
    return v->pooling == VOTES_MAX ? most : sum / (float)v->kernel;
}

void votes_pool(const struct votes *v, float *out, const float *x, int n)
{
    for (int j = 0; j < n; j++)
        out[j] = v->pooling == VOTES_NONE ? x[j] : pool_at(v, x, n, j);
}

static void add_scaled(float *sum, const float *x, int n, float scale)
{
    for (int j = 0; j < n; j++)
        sum[j] += x[j] * scale;
}

void votes_count(const struct votes *v, const struct kv_part *part, const void *seen, int n,
                 float *out)
{
    int before = n - kv_window_queries(seen), heads = part->shape.n_heads;
    float *votes = part->scratch, *pooled = votes + n;
    memset(out, 0, (size_t)n * sizeof *out);
    for (int h = 0; h < heads; h++) {
        kv_window_sum(seen, part->head + h, votes);
        if (v->group == GROUP_POOLED)
            votes_pool(v, pooled, votes, before);
        add_scaled(out, v->group == GROUP_POOLED ? pooled : votes, before, 1.0f / (float)heads);
    }
    if (v->group == GROUP_VOTES) {
        memcpy(votes, out, (size_t)n * sizeof *out);
        votes_pool(v, out, votes, before);
    }
    for (int j = before; j < n; j++)
        out[j] = kv_forced(j);
}
