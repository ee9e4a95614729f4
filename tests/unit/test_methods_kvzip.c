/*
 * KVzip against its definition, in double: what of the attention of the tokens that are fed again
 * goes to each token of the prompt, and which tokens then stay. Every seventh token has the key of
 * the one three before it, so that some are worth the same.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "tests/unit/kept_rows.h"

enum { N = 95, HEADS = 4, KV_HEADS = 2, GROUP = HEADS / KV_HEADS, D = 32, LAYERS = 3 };
enum { SLOTS = LAYERS * KV_HEADS };
static const struct kv_shape shape = {LAYERS, HEADS, KV_HEADS, D};
static struct kv_engine engine;
static struct sequence s;
static struct kept_rows kept;

static int open_all(void **state)
{
    (void)state;
    engine = engine_new(2);
    s = sequence_new(shape, N, 61);
    size_t row = row_width(&shape);
    for (size_t t = 7; t < N; t += 7)
        memcpy(s.k + t * row, s.k + (t - 3) * row, row * sizeof *s.k);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    pool_free(engine.pool);
    sequence_release(&s);
    return 0;
}

/* ---- the definition ---- */

struct zip {
    int n, chunk, sinks, words;
    bool all; // softmax over all rows
    const char *share;
    double worth[SLOTS][N]; // of layer * KV_HEADS + KV head
};

static double weight(const float *q, const float *k)
{
    double dot = 0;
    for (int c = 0; c < D; c++)
        dot += (double)q[c] * k[c];
    return exp(dot / sqrt(D));
}

/* What query t of the fed tokens gives to the rows of the prompt, in one head. */
static void look(struct zip *z, const struct sequence *fed, int from, int to, int head, int t,
                 double *worth)
{
    const float *q = fed->q + (t * HEADS + head) * D;
    double w[N], total = 0;
    for (int j = 0; j < z->n; j++) {
        w[j] = weight(q, s.k + (j * KV_HEADS + head / GROUP) * D);
        if (z->all || j < z->sinks || (j >= from && j < to))
            total += w[j];
    }
    for (int u = 0; u <= t; u++)
        total += weight(q, fed->k + (u * KV_HEADS + head / GROUP) * D);
    for (int j = 0; j < z->n; j++)
        if ((z->all || (j >= from && j < to)) && w[j] / total > worth[j])
            worth[j] = w[j] / total;
}

static void define(struct zip *z)
{
    memset(z->worth, 0, sizeof z->worth);
    const struct kv_replay_form f = {
        .skip = z->sinks, .chunk = z->chunk, .first = z->words ? "words" : NULL};
    for (int from = z->sinks, i = 0; from < z->n; from += z->chunk, i++) {
        int to = from + z->chunk < z->n ? from + z->chunk : z->n;
        for (int layer = 0; layer < LAYERS; layer++) {
            struct sequence fed = sequence_fed(&shape, &f, z->n, layer, i);
            assert_int_equal(fed.n, to - from + z->words);
            for (int h = 0; h < HEADS; h++)
                for (int t = 0; t < fed.n; t++)
                    look(z, &fed, from, to, h, t, z->worth[layer * KV_HEADS + h / GROUP]);
            sequence_release(&fed);
        }
    }
}

/* Of the slots first..last the k that are worth most, one after the other; then the sinks. */
static void choose(const struct zip *z, int first, int last, int k, char stays[SLOTS][N])
{
    for (; k > 0; k--) {
        int slot = -1, row = 0;
        for (int i = first; i <= last; i++)
            for (int j = z->sinks; j < z->n; j++)
                if (!stays[i][j] && (slot < 0 || z->worth[i][j] > z->worth[slot][row])) {
                    slot = i;
                    row = j;
                }
        stays[slot][row] = 1;
    }
    for (int i = first; i <= last; i++)
        for (int j = 0; j < z->sinks && j < z->n; j++)
            stays[i][j] = 1;
}

/* Each run of so many slots shares what all of them may keep. */
static void choose_all(const struct zip *z, int first_slot, int together, double budget,
                       char stays[SLOTS][N])
{
    memset(stays, 0, SLOTS * sizeof *stays);
    for (int i = first_slot; i < SLOTS; i += together)
        choose(z, i, i + together - 1, (int)(budget * together) - together * z->sinks, stays);
}

static int together_of(const struct zip *z, int first_layer)
{
    if (!strcmp(z->share, "head"))
        return 1;
    return !strcmp(z->share, "layer") ? KV_HEADS : (LAYERS - first_layer) * KV_HEADS;
}

static void same_rows(int slot, int n, const char *stays)
{
    int layer = slot / KV_HEADS, head = slot % KV_HEADS * GROUP, at = 0;
    for (int j = 0; j < n; j++)
        if (stays[j]) {
            assert_true(at < kept.n[layer][head]);
            assert_int_equal(kept.rows[layer][head][at++], j);
        }
    assert_int_equal(kept.n[layer][head], at);
}

/* A budget in tokens, or (0) a share. */
static void keeps_like(const struct zip *z, int first_layer, int tokens, double share)
{
    char text[256], stays[SLOTS][N];
    double budget = tokens ? tokens : share * z->n;
    int together = together_of(z, first_layer);
    snprintf(text, sizeof text,
             "[{\"kvzip\":{\"budget\":%d,\"kept\":%g,\"share\":\"%s\",\"chunk\":%d,\"sinks\":%d,"
             "\"softmax\":\"%s\",\"template\":\"%s\",\"first_layer\":%d}}]",
             tokens, share, z->share, z->chunk, z->sinks, z->all ? "all" : "part",
             z->words ? "authors" : "none", first_layer);
    kept_rows_of(&s, &engine, text, z->n, &kept);
    choose_all(z, first_layer * KV_HEADS, together, budget, stays);
    memset(stays, 1, (size_t)first_layer * KV_HEADS * sizeof *stays);
    for (int i = 0; i < SLOTS; i++)
        same_rows(i, z->n, stays[i]);
}

static void at_all_budgets(struct zip z)
{
    define(&z);
    for (int k = z.sinks + 1; k < z.n; k += 3)
        keeps_like(&z, 0, k, 0.5);
    const double least = (z.sinks + 0.7) / z.n;
    keeps_like(&z, 0, 0, fmax(least, 0.377));
    keeps_like(&z, 0, 0, 1);
    keeps_like(&z, 1, 0, fmax(least, 0.21));
}

/* ---- tests ---- */

static void each_head_keeps_its_own(void **state)
{
    (void)state;
    at_all_budgets((struct zip){N, 30, 4, 3, false, "head", {{0}}});
}

static void heads_of_a_layer_share(void **state)
{
    (void)state;
    at_all_budgets((struct zip){N, 30, 4, 3, false, "layer", {{0}}});
}

static void all_heads_share(void **state)
{
    (void)state;
    at_all_budgets((struct zip){N, 30, 4, 3, false, "model", {{0}}});
}

static void parts_and_sinks_vary(void **state)
{
    (void)state;
    at_all_budgets((struct zip){N, 1, 0, 0, false, "model", {{0}}});
    at_all_budgets((struct zip){N, 91, 4, 3, false, "model", {{0}}}); // just one part
    at_all_budgets((struct zip){N, 90, 4, 0, false, "model", {{0}}}); // and a token
    at_all_budgets((struct zip){20, 2000, 17, 3, false, "layer", {{0}}});
}

static void weights_of_all_rows(void **state)
{
    (void)state;
    at_all_budgets((struct zip){N, 30, 4, 3, true, "model", {{0}}});
    at_all_budgets((struct zip){N, 30, 0, 3, true, "head", {{0}}});
}

/* What is forced counts, and nothing else fits: the last of it, as of all windows. */
static void budgets_below_the_sinks(void **state)
{
    (void)state;
    const char *const shares[] = {"model", "layer", "head"};
    for (int i = 0; i < 3; i++)
        for (int k = 1; k <= 4; k++) {
            char text[128];
            snprintf(text, sizeof text, "[{\"kvzip\":{\"budget\":%d,\"share\":\"%s\"}}]", k,
                     shares[i]);
            kept_rows_of(&s, &engine, text, N, &kept);
            assert_int_equal(kept.n[1][GROUP], k);
            for (int j = 0; j < k; j++)
                assert_int_equal(kept.rows[1][GROUP][j], 4 - k + j);
        }
    kept_rows_of(&s, &engine, "[{\"kvzip\":{\"kept\":0.5}}]", 3, &kept); // no part at all
    assert_int_equal(kept.n[0][0], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_head_keeps_its_own), cmocka_unit_test(heads_of_a_layer_share),
        cmocka_unit_test(all_heads_share),         cmocka_unit_test(parts_and_sinks_vary),
        cmocka_unit_test(weights_of_all_rows),     cmocka_unit_test(budgets_below_the_sinks),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
