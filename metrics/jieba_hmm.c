#include "metrics/jieba_hmm.h"

#include <stdlib.h>

#include "harness/base/mem.h"

bool jieba_is_han(uint32_t c)
{
    return c >= JIEBA_HAN_FIRST && c <= JIEBA_HAN_LAST;
}

static bool is_digit(uint32_t c)
{
    return c >= '0' && c <= '9';
}

bool jieba_is_alnum(uint32_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The two states that may come before each, the larger letter first: it wins ties, which are common
 * because -3.14e100 absorbs what is added to it. */
static const unsigned char before[JIEBA_STATES][2] = {
    [JIEBA_B] = {JIEBA_S, JIEBA_E},
    [JIEBA_E] = {JIEBA_M, JIEBA_B},
    [JIEBA_M] = {JIEBA_M, JIEBA_B},
    [JIEBA_S] = {JIEBA_S, JIEBA_E},
};

/* One step: v becomes that of the next character, from[y] the state before y. The order of the
 * additions is jieba's. */
static void step(const struct jieba_data *d, const double *emit, double v[JIEBA_STATES],
                 unsigned char from[JIEBA_STATES])
{
    double next[JIEBA_STATES];
    for (int y = 0; y < JIEBA_STATES; y++) {
        int large = before[y][0], small = before[y][1];
        double a = v[large] + d->trans[large * JIEBA_STATES + y] + emit[y];
        double b = v[small] + d->trans[small * JIEBA_STATES + y] + emit[y];
        from[y] = (unsigned char)(b > a ? small : large);
        next[y] = b > a ? b : a;
    }
    for (int y = 0; y < JIEBA_STATES; y++)
        v[y] = next[y];
}

/* Viterbi: the most likely state of every character, at state[i][0]; the rest of state is scratch.
 */
static void find_states(const struct jieba_data *d, const uint32_t *c, size_t n,
                        unsigned char (*state)[JIEBA_STATES])
{
    double v[JIEBA_STATES];
    const double *emit = d->emit + (c[0] - JIEBA_HAN_FIRST) * JIEBA_STATES;
    for (int y = 0; y < JIEBA_STATES; y++)
        v[y] = d->start[y] + emit[y];
    for (size_t i = 1; i < n; i++)
        step(d, d->emit + (c[i] - JIEBA_HAN_FIRST) * JIEBA_STATES, v, state[i]);
    unsigned char y = v[JIEBA_E] > v[JIEBA_S] ? JIEBA_E : JIEBA_S;
    for (size_t i = n; i-- > 0;) {
        unsigned char previous = state[i][y];
        state[i][0] = y;
        y = previous;
    }
}

/* From ideographs alone. What follows the last E or S is one token. */
static void cut_han(const struct jieba_data *d, const uint32_t *c, size_t n, bool *is_end)
{
    unsigned char(*state)[JIEBA_STATES] = xcalloc(n, sizeof *state);
    find_states(d, c, n, state);
    for (size_t i = 0; i < n; i++)
        is_end[i] = state[i][0] == JIEBA_E || state[i][0] == JIEBA_S;
    is_end[n - 1] = true;
    free(state);
}

/* End of the match of [a-zA-Z0-9]+(?:\.\d+)?%? that starts at i. */
static size_t match_end(const uint32_t *c, size_t n, size_t i)
{
    while (i < n && jieba_is_alnum(c[i]))
        i++;
    if (i + 1 < n && c[i] == '.' && is_digit(c[i + 1]))
        for (i++; i < n && is_digit(c[i]);)
            i++;
    return i < n && c[i] == '%' ? i + 1 : i;
}

/* From anything but ideographs: the matches, and what is between them as a whole. */
static void cut_other(const uint32_t *c, size_t n, bool *is_end)
{
    for (size_t i = 0; i < n;) {
        if (jieba_is_alnum(c[i]))
            i = match_end(c, n, i);
        else
            while (i < n && !jieba_is_alnum(c[i]))
                i++;
        is_end[i - 1] = true;
    }
}

void jieba_hmm_cut(const struct jieba_data *d, const uint32_t *c, size_t n, bool *is_end)
{
    for (size_t from = 0, to; from < n; from = to) {
        bool han = jieba_is_han(c[from]);
        for (to = from + 1; to < n && jieba_is_han(c[to]) == han;)
            to++;
        if (han)
            cut_han(d, c + from, to - from, is_end + from);
        else
            cut_other(c + from, to - from, is_end + from);
    }
}
