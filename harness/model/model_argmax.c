/* The token that comes next: the largest logit. */
#include "harness/model/model.h"

#include <math.h>

/* Lane by lane: a loop of one comparison after the other takes ten times as long. */
static float largest(const float *x, int n)
{
    enum { LANES = 16 };
    float lane[LANES], all = -INFINITY;
    int i = 0;
    for (int j = 0; j < LANES; j++)
        lane[j] = -INFINITY;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
    for (; i < n; i++)
        all = x[i] > all ? x[i] : all;
    for (int j = 0; j < LANES; j++)
        all = lane[j] > all ? lane[j] : all;
    return all;
}

static bool is_banned(int32_t id, const int32_t *banned, int n)
{
    for (int i = 0; i < n; i++)
        if (banned[i] == id)
            return true;
    return false;
}

/* Some ids do not count. */
static int32_t argmax_without(const float *logits, int vocab, const int32_t *banned, int n)
{
    int32_t best = -1;
    for (int32_t i = 0; i < vocab; i++)
        if ((best < 0 || logits[i] > logits[best]) && !is_banned(i, banned, n))
            best = i;
    return best;
}

int32_t model_argmax(const float *logits, int vocab, const int32_t *banned, int n_banned)
{
    if (n_banned)
        return argmax_without(logits, vocab, banned, n_banned);
    float most = largest(logits, vocab);
    int32_t i = 0;
    while (i < vocab - 1 && logits[i] != most)
        i++;
    return i;
}
