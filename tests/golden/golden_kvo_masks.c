/*
 * KVO's index functions against the authors' code: orders of windows, boundaries and selections
 * exactly, attention sums within rtol 1e-5 and atol 1e-7 (they add in another order).
 */
#include "tests/golden/golden_kvo.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/methods/kvo_windows.h"
#include "harness/methods/kvo_chunks.h"

enum { BLOCK = 24 }; // queries in one block of attention rows

static void near_sums(struct tally *t, const struct json *c, const float *got, const float *want,
                      long n)
{
    golden_kvo_near_f32(t, c, "attention_sum", got, want, n, 1e-5, 1e-7);
}

/* Order and sums of one head after a prompt whose attention is attn[n][n]. */
static void prompt_head(int *order, float *sums, const float *attn, int n, int window, int chunk)
{
    struct kvo_received r;
    float *memory = xmalloc(kvo_received_floats(n, window) * sizeof *memory);
    kvo_received_init(&r, n, window, memory);
    for (int q = 0; q < n; q += BLOCK)
        kvo_received_add(&r, q, n - q < BLOCK ? n - q : BLOCK, attn + (size_t)q * (size_t)n,
                         (size_t)n);
    kvo_received_finish(&r, sums);
    for (int i = 0; i < n; i++)
        order[i] = i;
    kvo_order_chunks(order, r.score, 0, kvo_boundary(n, window), chunk);
    free(memory);
}

static int prompt_case(struct golden_kvo *g, const struct json *c, struct tally *t)
{
    int heads = golden_kvo_int(c, "heads"), n = golden_kvo_int(c, "n");
    int window = golden_kvo_int(c, "window"), chunk = golden_kvo_int(c, "chunk");
    long n_sums = 2L * heads * window;
    const float *attn = golden_kvo_data(g, c, "attn", DT_F32, (long)heads * n * n);
    const float *want = golden_kvo_data(g, c, "attention_sum", DT_F32, n_sums);
    int *want_order = golden_kvo_ints_dup(g, c, "order", (long)heads * n);
    if (!attn || !want || !want_order) {
        free(want_order);
        return -1;
    }
    int *order = xmalloc((size_t)(heads * n) * sizeof *order);
    float *sums = xmalloc((size_t)n_sums * sizeof *sums);
    for (int h = 0; h < heads; h++)
        prompt_head(order + h * n, sums + h * 2 * window, attn + (long)h * n * n, n, window, chunk);
    int boundary = kvo_boundary(n, window),
        want_boundary = golden_kvo_int(c, "cur_differential_len");
    golden_kvo_equal_int(t, c, "cur_differential_len", &boundary, &want_boundary, 1);
    golden_kvo_equal_int(t, c, "order", order, want_order, (long)heads * n);
    near_sums(t, c, sums, want, n_sums);
    free(order), free(sums), free(want_order);
    return 0;
}

/* A decoding case: the state that it goes through and the references to meet on the way. */
struct gen {
    struct golden_kvo *g;
    const struct json *c;
    struct tally *t;
    int heads, window, chunk, steps, start, first; // first = rows ordered at the start
    int ld;                                        // columns of rows
    int ordered, n_orders, n_sums;
    float *sums; // [heads][2 * window]
    const float *rows, *want_sums;
    int *want_ordered, *want_order, *order_steps, *sum_steps;
    long n_order_steps, n_sum_steps;
};

static long length(const struct gen *s, const char *tensor)
{
    const struct tensor *x = golden_kvo_tensor(s->g, s->c, tensor, DT_I32);
    return x ? (long)x->shape[0] : -1;
}

static int gen_begin(struct gen *s, struct golden_kvo *g, const struct json *c, struct tally *t)
{
    *s = (struct gen){.g = g, .c = c, .t = t};
    s->heads = golden_kvo_int(c, "heads"), s->steps = golden_kvo_int(c, "steps");
    s->window = golden_kvo_int(c, "window"), s->chunk = golden_kvo_int(c, "chunk");
    s->start = golden_kvo_int(c, "start_len");
    s->first = s->ordered = golden_kvo_int(c, "start_differential_len");
    s->ld = s->start + s->steps - s->first;
    s->n_order_steps = length(s, "order_steps"), s->n_sum_steps = length(s, "attention_sum_steps");
    long width = (long)s->heads * s->window;
    s->sums = xcalloc((size_t)(2 * width), sizeof *s->sums);
    if (golden_kvo_has(c, "attention_sum_start")) {
        const float *from = golden_kvo_data(g, c, "attention_sum_start", DT_F32, 2 * width);
        if (!from)
            return -1;
        memcpy(s->sums, from, (size_t)(2 * width) * sizeof *from);
    }
    s->rows = golden_kvo_data(g, c, "rows", DT_F32, (long)s->steps * s->heads * s->ld);
    s->want_sums = golden_kvo_data(g, c, "attention_sum", DT_F32, s->n_sum_steps * 2 * width);
    s->want_ordered = golden_kvo_ints_dup(g, c, "differential_len", s->steps);
    s->want_order = golden_kvo_ints_dup(g, c, "order", s->n_order_steps * width);
    s->order_steps = golden_kvo_ints_dup(g, c, "order_steps", s->n_order_steps);
    s->sum_steps = golden_kvo_ints_dup(g, c, "attention_sum_steps", s->n_sum_steps);
    return s->rows && s->want_sums && s->want_ordered && s->want_order && s->order_steps &&
                   s->sum_steps
               ? 0
               : -1;
}

static void gen_release(struct gen *s)
{
    free(s->sums), free(s->want_ordered), free(s->want_order);
    free(s->order_steps), free(s->sum_steps);
}

static void gen_order(struct gen *s, int step)
{
    int order[KVO_GROUP_MAX], event = s->n_orders++, none = -1;
    long width = (long)s->heads * s->window;
    golden_kvo_equal_int(s->t, s->c, "order_steps", &step,
                         event < s->n_order_steps ? s->order_steps + event : &none, 1);
    for (int h = 0; h < s->heads; h++) {
        float *sums = s->sums + h * 2 * s->window;
        kvo_order_chunks(order, sums, 0, s->window, s->chunk);
        if (event < s->n_order_steps)
            golden_kvo_equal_int(s->t, s->c, "order", order,
                                 s->want_order + event * width + h * s->window, s->window);
        kvo_sums_shift(sums, s->window);
    }
    s->ordered += s->window;
}

static void gen_step(struct gen *s, int step)
{
    int cached = s->start + step + 1;
    long width = 2L * s->heads * s->window;
    for (int h = 0; h < s->heads; h++)
        kvo_sums_add(s->sums + h * 2 * s->window,
                     s->rows + ((long)step * s->heads + h) * s->ld + (s->ordered - s->first),
                     cached - s->ordered);
    if (kvo_window_due(cached, s->ordered, s->window))
        gen_order(s, step);
    golden_kvo_equal_int(s->t, s->c, "differential_len", &s->ordered, s->want_ordered + step, 1);
    if (s->n_sums < s->n_sum_steps && s->sum_steps[s->n_sums] == step)
        near_sums(s->t, s->c, s->sums, s->want_sums + width * s->n_sums++, width);
}

static int gen_case(struct golden_kvo *g, const struct json *c, struct tally *t)
{
    struct gen s;
    int rc = gen_begin(&s, g, c, t);
    if (rc == 0) {
        for (int i = 0; i < s.steps; i++)
            gen_step(&s, i);
        int got[2] = {s.n_orders, s.n_sums};
        int want[2] = {(int)s.n_order_steps, (int)s.n_sum_steps};
        golden_kvo_equal_int(t, c, "numbers of events", got, want, 2);
    }
    gen_release(&s);
    return rc;
}

static int heavy_case(struct golden_kvo *g, const struct json *c, struct tally *t)
{
    int n = golden_kvo_int(c, "n"), chunk = golden_kvo_int(c, "chunk");
    int budget = golden_kvo_int(c, "token_budget");
    long rows = (long)golden_kvo_int(c, "heads") * golden_kvo_int(c, "queries");
    const float *score = golden_kvo_data(g, c, "score", DT_F32, rows * n);
    const uint8_t *want = golden_kvo_data(g, c, "mask", DT_U8, rows * n);
    if (!score || !want)
        return -1;
    uint8_t *mask = xmalloc((size_t)n);
    float *chunk_score = xmalloc((size_t)n * sizeof *chunk_score);
    int *chosen = xmalloc((size_t)n * sizeof *chosen);
    for (long r = 0; r < rows; r++) {
        kvo_heavy_mask(mask, score + r * n, n, budget, chunk, chunk_score, chosen);
        bool equal = !memcmp(mask, want + r * n, (size_t)n);
        tally_add(t, equal, 0, "%s/mask: row %ld differs", golden_kvo_name(c), r);
    }
    free(mask), free(chunk_score), free(chosen);
    return 0;
}

int golden_kvo_masks(const char *dir, struct tally *t, struct err *e)
{
    int prompts = golden_kvo_run(dir, "prompt_attn_weight_mask", prompt_case, t, e);
    if (prompts < 0)
        return -1;
    int steps = golden_kvo_run(dir, "gen_attn_weight_mask", gen_case, t, e);
    if (steps < 0)
        return -1;
    int heavy = golden_kvo_run(dir, "local_heavy_hitter_mask", heavy_case, t, e);
    if (heavy < 0)
        return -1;
    return prompts && steps && heavy ? GOLDEN_ABSENT : GOLDEN_RAN;
}
