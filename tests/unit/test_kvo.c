/* KVO's index functions: ordering by received attention, and selection. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "harness/base/rng.h"
#include "harness/kv/rows.h"
#include "harness/methods/kvo_windows.h"
#include "harness/methods/kvo_chunks.h"

enum { W = 16, CHUNK = 4, N_MAX = 5 * W + 3 };

/* Causal rows; what lies beyond the causal part is poison, since nobody may read it. */
static void fill(float *attn, int n, int seed)
{
    struct rng r = {(uint64_t)seed};
    for (int q = 0; q < n; q++) {
        float sum = 0;
        for (int t = 0; t <= q; t++)
            sum += attn[q * n + t] = (float)rng_uniform(&r);
        for (int t = 0; t < n; t++)
            attn[q * n + t] = t <= q ? attn[q * n + t] / sum : NAN;
    }
}

struct result {
    float score[N_MAX], sums[2 * W];
};

static void collect(struct result *out, const float *attn, int n, int block)
{
    struct kvo_received r;
    float memory[N_MAX + 2 * W];
    assert_int_equal(kvo_received_floats(n, W), n + 2 * W);
    kvo_received_init(&r, n, W, memory);
    for (int q = 0; q < n; q += block)
        kvo_received_add(&r, q, n - q < block ? n - q : block, attn + q * n, (size_t)n);
    kvo_received_finish(&r, out->sums);
    memset(out->score, 0, sizeof out->score);
    memcpy(out->score, r.score, (size_t)n * sizeof *r.score);
}

static void blocks_of_any_size_give_the_same_bits(void **state)
{
    (void)state;
    static float attn[N_MAX * N_MAX];
    struct result want, got;
    for (int n = 1; n <= N_MAX; n++) {
        fill(attn, n, n);
        collect(&want, attn, n, 1);
        for (int block = 2; block <= n + 1; block += 1 + block / 3) {
            collect(&got, attn, n, block);
            assert_memory_equal(&got, &want, sizeof want);
        }
    }
}

/* Σ over the queries from..to-1 of attention to key t. */
static double received(const float *attn, int n, int t, int from, int to)
{
    double sum = 0;
    for (int q = from > t ? from : t; q < to && q < n; q++)
        sum += attn[q * n + t];
    return sum;
}

static void scores_are_own_and_next_window(void **state)
{
    (void)state;
    static float attn[N_MAX * N_MAX];
    struct result r;
    for (int n = 1; n <= N_MAX; n += 3) {
        fill(attn, n, n);
        collect(&r, attn, n, 5);
        for (int t = 0; t < n; t++) {
            int own = t / W * W;
            assert_true(fabs(r.score[t] - received(attn, n, t, own, own + 2 * W)) < 1e-5);
        }
        int from = kvo_boundary(n, W);
        for (int j = 0; j < 2 * W; j++) {
            double want = from + j < n ? received(attn, n, from + j, from, n) : 0;
            assert_true(fabs(r.sums[j] - want) < 1e-5);
        }
    }
}

/* Prefill of all tokens, or of some and the rest token by token: the same windows are ordered and
 * (up to the order of addition) by the same sums. */
static void decoding_goes_on_where_prefill_ends(void **state)
{
    (void)state;
    static float attn[N_MAX * N_MAX], part[N_MAX * N_MAX];
    int n = N_MAX, first = 2 * W + 5, ordered = kvo_boundary(first, W);
    struct result all, begun;
    fill(attn, n, 3);
    for (int q = 0; q < first; q++)
        memcpy(part + q * first, attn + q * n, (size_t)first * sizeof *part);
    collect(&all, attn, n, n);
    collect(&begun, part, first, first);
    for (int q = first; q < n; q++) {
        kvo_sums_add(begun.sums, attn + q * n + ordered, q + 1 - ordered);
        if (kvo_window_due(q + 1, ordered, W)) {
            for (int j = 0; j < W; j++)
                assert_true(fabsf(begun.sums[j] - all.score[ordered + j]) < 1e-5f);
            kvo_sums_shift(begun.sums, W);
            ordered += W;
        }
        assert_int_equal(ordered, kvo_boundary(q + 1, W));
    }
    for (int j = 0; j < 2 * W; j++)
        assert_true(fabsf(begun.sums[j] - all.sums[j]) < 1e-5f);
}

static void boundaries(void **state)
{
    (void)state;
    const int n[] = {0, 64, 127, 128, 191, 192, 193, 255, 256};
    const int want[] = {0, 0, 0, 64, 64, 128, 128, 128, 192};
    for (int i = 0; i < 9; i++)
        assert_int_equal(kvo_boundary(n[i], 64), want[i]);
}

static void order_stays_in_chunks_and_is_stable(void **state)
{
    (void)state;
    struct rng r = {11};
    float score[3 * W];
    int order[3 * W];
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 3 * W; i++)
            score[i] = (float)rng_below(&r, 4);
        kvo_order_chunks(order, score, W, 3 * W, CHUNK);
        for (int at = W; at < 3 * W; at += CHUNK) {
            unsigned seen = 0;
            for (int i = 0; i < CHUNK; i++) {
                int row = order[at + i], before = i ? order[at + i - 1] : row;
                assert_in_range(row, at, at + CHUNK - 1);
                seen |= 1u << (row - at);
                assert_true(score[before] > score[row] ||
                            (score[before] == score[row] && before <= row));
            }
            assert_int_equal(seen, (1u << CHUNK) - 1);
        }
    }
}

static void rows_move_as_ordered(void **state)
{
    (void)state;
    const int order[] = {0, 1, 2, 3, 6, 4, 7, 5, 8, 11, 10, 9};
    float rows[12 * 3];
    for (int t = 0; t < 12; t++)
        for (int d = 0; d < 3; d++)
            rows[t * 3 + d] = (float)(10 * t + d);
    kv_rows_permute(rows, 3 * sizeof *rows, 12, order);
    for (int t = 0; t < 12; t++)
        for (int d = 0; d < 3; d++)
            assert_true(rows[t * 3 + d] == (float)(10 * order[t] + d));
}

static void as_many_chunks_as_the_budget_has(void **state)
{
    (void)state;
    assert_int_equal(kvo_select_count(3392, 384, 8), 48);
    assert_int_equal(kvo_select_count(3392, 8, 8), 3); // never fewer
    assert_int_equal(kvo_select_count(16, 384, 8), 2); // all there are
    assert_int_equal(kvo_select_count(0, 384, 8), 0);  // short prompts: nothing to choose from
}

static void a_short_last_chunk_counts_by_its_tokens(void **state)
{
    (void)state;
    const float score[] = {1, 0, 2, 0, 0, 0, 0, 3, 9};
    uint8_t mask[9];
    float scratch[5];
    int chosen[5];
    kvo_heavy_mask(mask, score, 9, 2, 2, scratch, chosen);
    assert_memory_equal(mask, "\0\0\1\1\0\0\1\1\1", 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_of_any_size_give_the_same_bits),
        cmocka_unit_test(scores_are_own_and_next_window),
        cmocka_unit_test(decoding_goes_on_where_prefill_ends),
        cmocka_unit_test(boundaries),
        cmocka_unit_test(order_stays_in_chunks_and_is_stable),
        cmocka_unit_test(rows_move_as_ordered),
        cmocka_unit_test(as_many_chunks_as_the_budget_has),
        cmocka_unit_test(a_short_last_chunk_counts_by_its_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
