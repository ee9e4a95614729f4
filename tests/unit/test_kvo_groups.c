/*
 * KVO under grouped queries, where the authors' code has no rule. Ours: the query heads of a group
 * add up the attention that a row receives, and the group's KV head is ordered by the sum; each
 * query head chooses its own chunks. Against a naive implementation in double.
 *
 * At 16 bits values stay as they are, so that a row of V says which token it is.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>

#include "harness/kv/rows.h"
#include "harness/methods/kvo.h"
#include "tests/unit/sequence.h"

enum { W = 8, CHUNK = 4, D = 8, HEADS = 6, KV_HEADS = 2, GROUP = HEADS / KV_HEADS };
enum { STEPS = 29, N_MAX = 80 };

static const struct kv_shape shape = {1, HEADS, KV_HEADS, D};

static const char *const setting =
    "[{\"kvo\":{\"window\":8,\"key_chunk\":4,\"key_group\":8,\"key_bits\":16,\"value_chunk\":4,"
    "\"value_group\":8,\"value_bits\":16,\"token_budget\":1000,\"first_layer\":0,"
    "\"uncompressed\":\"f32\"}}]";
static const char *const three_chunks =
    "[{\"kvo\":{\"window\":8,\"key_chunk\":4,\"key_group\":8,\"key_bits\":16,\"value_chunk\":4,"
    "\"value_group\":8,\"value_bits\":16,\"token_budget\":12,\"first_layer\":0,"
    "\"uncompressed\":\"f32\"}}]";
static const char *const order_alone =
    "[{\"kvo-order\":{\"window\":8,\"chunk\":4,\"first_layer\":0}},\"f32\"]";

static struct kv_engine engine;
static struct kv_chain chain;

static int open_chain(const char *text)
{
    struct err e = {0};
    engine = engine_new(1);
    return read_chain(&chain, text, &e) || kv_chain_check(&chain, &shape, true, "test", &e);
}

static void close_chain(void)
{
    kv_chain_release(&chain);
    pool_free(engine.pool);
}

/* Weights of one query over n rows of a KV head. */
static void weights_of(const struct kv_rows *rows, int kv_head, const float *q, int n, double *out)
{
    double total = 0;
    for (int t = 0; t < n; t++) {
        const float *k = kv_rows_k(rows, D, kv_head, t);
        double score = 0;
        for (int d = 0; d < D; d++)
            score += (double)q[d] * k[d];
        total += out[t] = exp(score / sqrt(D));
    }
    for (int t = 0; t < n; t++)
        out[t] /= total;
}

static const float *query(const struct sequence *s, int token, int head)
{
    return s->q + ((size_t)token * HEADS + (size_t)head) * D;
}

/* Which tokens stand in the rows of each KV head, and what rows have received: the naive state. */
struct naive {
    int token[KV_HEADS][N_MAX];
    double sums[KV_HEADS][N_MAX]; // by row
    int ordered;
};

/* The chunk's largest sum first, equal ones in order. */
static void order_window(struct naive *s, int from)
{
    for (int h = 0; h < KV_HEADS; h++)
        for (int c = from; c < from + W; c += CHUNK)
            for (int i = c; i < c + CHUNK; i++) {
                int best = i, token;
                for (int j = i + 1; j < c + CHUNK; j++)
                    if (s->sums[h][j] > s->sums[h][best])
                        best = j;
                token = s->token[h][best];
                double sum = s->sums[h][best];
                for (int j = best; j > i; j--) {
                    s->token[h][j] = s->token[h][j - 1];
                    s->sums[h][j] = s->sums[h][j - 1];
                }
                s->token[h][i] = token, s->sums[h][i] = sum;
            }
}

/* Each row's attention from the queries of its own window and the next, all heads of a group. */
static void naive_prompt(struct naive *s, const struct sequence *seq, const struct kv_rows *rows,
                         int n)
{
    double weights[N_MAX];
    memset(s, 0, sizeof *s);
    for (int h = 0; h < KV_HEADS; h++)
        for (int t = 0; t < N_MAX; t++)
            s->token[h][t] = t;
    if (n < 2 * W)
        return;
    for (int token = 0; token < n; token++)
        for (int head = 0; head < HEADS; head++) {
            weights_of(rows, head / GROUP, query(seq, token, head), token + 1, weights);
            for (int t = 0; t <= token; t++)
                if (token / W - t / W <= 1)
                    s->sums[head / GROUP][t] += weights[t];
        }
    for (; s->ordered < n / W * W - W; s->ordered += W)
        order_window(s, s->ordered);
}

/* After a step whose row makes `n`: rows as they stood while it attended. */
static void naive_step(struct naive *s, const struct sequence *seq, const struct kv_rows *rows,
                       int n)
{
    double weights[N_MAX];
    for (int head = 0; head < HEADS; head++) {
        weights_of(rows, head / GROUP, query(seq, n - 1, head), n, weights);
        for (int t = s->ordered; t < n; t++)
            s->sums[head / GROUP][t] += weights[t];
    }
    if (n - s->ordered == 2 * W) {
        order_window(s, s->ordered);
        s->ordered += W;
    }
}

/* Rows of V are the tokens that the naive state says, and the sums agree. */
static void compare(const struct naive *s, const struct sequence *seq, const struct kv_cache *c)
{
    struct kv_rows rows = rows_of_layer(c, &shape, 0);
    const void *state = kv_cache_state(c, 0, KV_ORDER);
    assert_int_equal(kvo_state_ordered(state), s->ordered);
    for (int h = 0; h < KV_HEADS; h++) {
        const float *sums = kvo_state_sums(state) + h * 2 * W;
        for (int t = 0; t < rows.n; t++)
            assert_memory_equal(kv_rows_v(&rows, D, h, t),
                                seq->v + ((size_t)s->token[h][t] * KV_HEADS + (size_t)h) * D,
                                D * sizeof(float));
        for (int j = 0; j < 2 * W && s->ordered + j < rows.n; j++)
            assert_true(fabs(sums[j] - s->sums[h][s->ordered + j]) < 1e-5);
    }
    kv_rows_release(&rows);
}

/* Rows as a step attends to them: the cache's before it, and the new one. The compression at its
 * start changes no row but salient keys, by a rounding that the tolerance covers. */
static void step(struct naive *s, const struct sequence *seq, struct kv_cache *c,
                 struct rows_of_step *r)
{
    float out[HEADS * D];
    struct kv_rows before = rows_of_layer(c, &shape, 0);
    sequence_attend(&seq, &c, 1, &engine, 0, r, out);
    kv_cache_advance(c);
    struct kv_rows row = kv_rows_one(r->k, r->v);
    kv_rows_push(&before, &shape, &row, 0, 1);
    naive_step(s, seq, &before, before.n);
    kv_rows_release(&before);
}

/* The prompt as the prefill attends to it: keys rounded, nothing ordered yet. */
static struct kv_rows rounded_prompt(const struct sequence *s, int n)
{
    struct kv_rows rows;
    struct kv_part part = {.opt = chain.links[0].opt, .shape = shape, .kernels = engine.kernels};
    kv_rows_init(&rows, &shape, n);
    for (size_t t = 0; t < (size_t)n; t++) {
        float k[KV_HEADS * D], v[KV_HEADS * D];
        memcpy(k, s->k + t * KV_HEADS * D, sizeof k);
        memcpy(v, s->v + t * KV_HEADS * D, sizeof v);
        if (chain.owner[KV_APPEND] == 0)
            chain.links[0].method->append(&part, k, v, NULL);
        struct kv_rows row = kv_rows_one(k, v);
        kv_rows_push(&rows, &shape, &row, 0, 1);
    }
    return rows;
}

static void orders_by_sums(const char *text)
{
    const int prompts[] = {1, 5, W, 2 * W - 1, 2 * W, 2 * W + 3, 3 * W, 5 * W - 1, 6 * W};
    assert_int_equal(open_chain(text), 0);
    for (size_t i = 0; i < sizeof prompts / sizeof *prompts; i++) {
        struct naive naive;
        struct sequence s = sequence_new(shape, N_MAX, 100 + i);
        const int n = prompts[i];
        struct kv_cache *c = sequence_cache(&s, &engine, &chain, n, NULL);
        struct rows_of_step r = rows_of_step_new(&shape, 1);
        struct kv_rows rows = rounded_prompt(&s, n);
        naive_prompt(&naive, &s, &rows, n);
        kv_rows_release(&rows);
        if (n >= 2 * W)
            compare(&naive, &s, c);
        for (int j = 0; j < STEPS; j++) {
            step(&naive, &s, c, &r);
            compare(&naive, &s, c);
        }
        kv_cache_free(c);
        rows_of_step_free(&r);
        sequence_release(&s);
    }
    close_chain();
}

static void a_group_orders_by_the_sum_of_its_heads(void **state)
{
    (void)state;
    orders_by_sums(setting);
    orders_by_sums(order_alone);
}

/* Chunk j is chosen by a head when fewer than three have a larger score, its first row's. */
static bool chosen(const struct kv_rows *rows, int kv_head, const float *q, int chunks, int j)
{
    double score[N_MAX / CHUNK];
    int better = 0;
    for (int i = 0; i < chunks; i++) {
        score[i] = 0;
        for (int d = 0; d < D; d++)
            score[i] += (double)q[d] * kv_rows_k(rows, D, kv_head, i * CHUNK)[d];
    }
    for (int i = 0; i < chunks; i++)
        better += score[i] > score[j];
    return better < 3;
}

static void each_head_of_a_group_selects_for_itself(void **state)
{
    (void)state;
    enum { PROMPT = 6 * W, COMPRESSED = 5 * W };
    float out[HEADS * D];
    int differ = 0;
    assert_int_equal(open_chain(three_chunks), 0);
    struct sequence s = sequence_new(shape, N_MAX, 7);
    const struct sequence *of = &s;
    struct kv_cache *c = sequence_cache(&s, &engine, &chain, PROMPT, NULL);
    struct rows_of_step r = rows_of_step_new(&shape, 1);
    sequence_attend(&of, &c, 1, &engine, 0, &r, out);
    struct kv_rows rows = rows_of_layer(c, &shape, 0);
    for (int head = 0; head < HEADS; head++) {
        const struct kv_range *ranges, *neighbour;
        assert_int_equal(kv_cache_ranges(c, head, &ranges), 4);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(ranges[i].n, CHUNK);
            assert_true(chosen(&rows, head / GROUP, query(&s, PROMPT, head), COMPRESSED / CHUNK,
                               ranges[i].start / CHUNK));
        }
        assert_int_equal(ranges[3].start, COMPRESSED);
        kv_cache_ranges(c, head / GROUP * GROUP, &neighbour);
        differ += memcmp(ranges, neighbour, 3 * sizeof *ranges) != 0;
    }
    assert_true(differ > 0);
    kv_rows_release(&rows);
    kv_cache_free(c);
    rows_of_step_free(&r);
    sequence_release(&s);
    close_chain();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_orders_by_the_sum_of_its_heads),
        cmocka_unit_test(each_head_of_a_group_selects_for_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
