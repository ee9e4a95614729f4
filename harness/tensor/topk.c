#include "harness/tensor/topk.h"

#include <assert.h>
#include <stdbool.h>

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

void topk_indices(int *out, const float *score, int n, int k)
{
    assert(k >= 0 && k <= n);
    if (k == 0)
        return;
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
