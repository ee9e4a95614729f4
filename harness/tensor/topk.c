#include "harness/tensor/topk.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Does entry a lose against entry b? NaN loses against every number; equals: the higher index. */
static bool loses(const float *score, int a, int b)
{
    float x = score[a], y = score[b];
    if (x < y)
        return true;
    if (x > y)
        return false;
    bool x_nan = x != x, y_nan = y != y;
    return x_nan == y_nan ? a > b : x_nan;
}

/* heap[0] is the one that loses against all others. */
static void sift_down(int *heap, const float *score, int k, int at)
{
    for (;;) {
        int child = 2 * at + 1, entry = heap[at];
        if (child >= k)
            return;
        if (child + 1 < k && loses(score, heap[child + 1], heap[child]))
            child++;
        if (!loses(score, heap[child], entry))
            return;
        heap[at] = heap[child];
        heap[child] = entry;
        at = child;
    }
}

static void sift_ascending(int *a, int n, int at)
{
    for (;;) {
        int child = 2 * at + 1, entry = a[at];
        if (child >= n)
            return;
        if (child + 1 < n && a[child + 1] > a[child])
            child++;
        if (a[child] <= entry)
            return;
        a[at] = a[child];
        a[child] = entry;
        at = child;
    }
}

static void sort_ascending(int *a, int n)
{
    for (int i = n / 2 - 1; i >= 0; i--)
        sift_ascending(a, n, i);
    for (int end = n - 1; end > 0; end--) {
        int largest = a[0];
        a[0] = a[end];
        a[end] = largest;
        sift_ascending(a, end, 0);
    }
}

static void by_heap(int *out, const float *score, int n, int k)
{
    for (int i = 0; i < k; i++)
        out[i] = i;
    for (int i = k / 2 - 1; i >= 0; i--)
        sift_down(out, score, k, i);
    for (int i = k; i < n; i++)
        if (loses(score, out[0], i)) {
            out[0] = i;
            sift_down(out, score, k, 0);
        }
    sort_ascending(out, k);
}

/* Whole numbers in the order of the scores: NaN 0, and the zeros alike. */
static uint32_t key_of(float x)
{
    uint32_t u;
    if (x != x)
        return 0;
    x += 0.0f;
    memcpy(&u, &x, sizeof u);
    return u >> 31 ? ~u : u | 0x80000000;
}

/* Moves what is above limit (or equal, with `same`) to the front of a[from..to-1] and returns where
 * it ends. Without a branch, which would be mispredicted half the time. */
static int above(uint32_t *a, int from, int to, uint32_t limit, bool same)
{
    int end = from;
    for (int i = from; i < to; i++) {
        uint32_t x = a[i];
        a[i] = a[end];
        a[end] = x;
        end += same ? x >= limit : x > limit;
    }
    return end;
}

/* The k-th largest (from 1) of a[0..n-1], which is reordered; *ahead: how many are larger. */
static uint32_t kth_largest(uint32_t *a, int n, int k, int *ahead)
{
    for (int from = 0, to = n;;) {
        uint32_t pivot = a[from + (to - from) / 2];
        *ahead = above(a, from, to, pivot, false);
        if (k <= *ahead) {
            to = *ahead;
            continue;
        }
        from = above(a, *ahead, to, pivot, true);
        if (k <= from)
            return pivot;
    }
}

enum { POOL = 2048, STRIDE = 8 };

/* Keeps the k best of candidates[0..n-1], in order, ties going to the first; returns the least
 * of their scores. */
static float keep_best(int *candidates, const float *score, int n, int k)
{
    uint32_t keys[POOL], a[POOL];
    int ahead, end = 0;
    for (int i = 0; i < n;
         i++) // the caller has written n of them, which the analyser loses track of
        a[i] = keys[i] =
            key_of(score[candidates[i]]); // NOLINT(clang-analyzer-core.uninitialized.*)
    uint32_t last = kth_largest(a, n, k, &ahead);
    float least = 0;
    for (int i = 0, ties = k - ahead; i < n; i++) {
        bool tie = keys[i] == last && ties > 0;
        least = keys[i] == last ? score[candidates[i]] : least;
        candidates[end] = candidates[i];
        ties -= tie;
        end += keys[i] > last || tie;
    }
    return least;
}

/* A loop that compilers vectorise. */
static bool all_lose(const float *score, float beat)
{
    int lost = 0;
    for (int i = 0; i < STRIDE; i++)
        lost += score[i] <= beat ? 1 : 0;
    return lost == STRIDE;
}

/* Most scores lose against the k-th best so far: what does not is pooled, in order of index, and
 * when the pool is full its k best stay and say what comes next must beat. */
static void by_pool(int *out, const float *score, int n, int k)
{
    int pool[POOL], size = 6 * k < 96 ? 96 : 6 * k, count = 0;
    float beat = NAN; // against which nothing loses
    for (int i = 0; i < n;) {
        int stop = n - i < size - count ? n : i + size - count;
        while (i < stop) {
            if (stop - i >= STRIDE && all_lose(score + i, beat)) {
                i += STRIDE;
                continue;
            }
            for (int end = stop - i < STRIDE ? stop : i + STRIDE; i < end; i++) {
                pool[count] = i;
                count += !(score[i] <= beat);
            }
        }
        if (count == size || (i == n && count > k)) {
            beat = keep_best(pool, score, count, k);
            count = k;
        }
    }
    memcpy(out, pool, (size_t)k * sizeof *out);
}

void topk_indices(int *out, const float *score, int n, int k)
{
    assert(k >= 0 && k <= n);
    if (k == 0)
        return;
    if (6 * k <= POOL)
        by_pool(out, score, n, k);
    else
        by_heap(out, score, n, k);
}
