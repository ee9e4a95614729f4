/*
 * The contract of every method in the registry (harness/kv/method.h), with its defaults and with
 * its options at the ends of their ranges, on random rows. One method is named: f32, which is
 * attention as it is written.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>

#include "harness/kv/rows.h"
#include "harness/base/clock.h"
#include "tests/unit/sequence.h"

enum { LONGEST_PROMPT = 300, STEPS = 150, N_SHAPES = 3, N_MAX = LONGEST_PROMPT + STEPS };

static const struct kv_shape shapes[N_SHAPES] = {{3, 4, 2, 32}, {3, 2, 2, 64}, {3, 4, 1, 32}};
static struct sequence sequences[N_SHAPES][2];
static struct kv_engine one, two; // threads
static struct kv_engine floats;   // one thread, caches of the reference

static int open_all(void **state)
{
    (void)state;
    one = engine_new(1);
    two = engine_new(2);
    floats = engine_new(1);
    floats.floats = true;
    for (int i = 0; i < N_SHAPES; i++)
        for (int j = 0; j < 2; j++)
            sequences[i][j] = sequence_new(shapes[i], N_MAX, (uint64_t)(10 * i + j + 1));
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    pool_free(one.pool);
    pool_free(two.pool);
    pool_free(floats.pool);
    for (int i = 0; i < N_SHAPES; i++)
        for (int j = 0; j < 2; j++)
            sequence_release(&sequences[i][j]);
    return 0;
}

/* False when the method refuses the setting for this shape: it has to say why, and whose it is. */
static bool opens(struct kv_chain *c, const char *text, const struct kv_shape *shape)
{
    struct err e = {0};
    if (read_chain(c, text, &e)) {
        fail_msg("%s: %s", text, e.msg);
        return false;
    }
    if (kv_chain_check(c, shape, true, "here", &e) == 0)
        return true;
    assert_int_equal(e.class, ERR_USER);
    assert_int_equal(strncmp(e.msg, "here: ", 6), 0);
    assert_non_null(strstr(e.msg, c->links[0].method->name));
    assert_true(strlen(e.msg) > 20);
    kv_chain_release(c);
    return false;
}

/* The prompt lengths at which a window's rules change; a method without one has 64. */
static int prompts_of(const struct kv_method *m, int out[6])
{
    int window = 64, n = 0;
    for (const struct opt *o = m->options; o && o->name; o++)
        if (!strcmp(o->name, "window"))
            window = (int)o->def;
    const int all[] = {0, 1, window - 1, window, 2 * window - 1, 2 * window};
    for (int i = 0; i < 6; i++)
        if (all[i] < LONGEST_PROMPT && (n == 0 || all[i] > out[n - 1]))
            out[n++] = all[i];
    return n;
}

/* ---- what holds after each layer of each step ---- */

/* Ranges name rows that were there when the step read, and rows that it drops are none any more. */
static bool looks_back(const struct kv_cache *c)
{
    const struct kv_method *m = kv_chain_method(kv_cache_chain(c), KV_SELECT);
    return kv_chain_method(kv_cache_chain(c), KV_EVICT) || (m && m->turn);
}

static int slot_of_head(const struct kv_cache *c, const struct kv_shape *s, int head)
{
    return head / (s->n_heads / kv_cache_n_slots(c));
}

static void ranges_are_in_order(const struct kv_cache *c, const struct kv_shape *s, int layer,
                                int head)
{
    const struct kv_range *r;
    int n = kv_cache_ranges(c, head, &r), end = 0;
    int rows = kv_cache_slot(c, layer, slot_of_head(c, s, head))->n;
    assert_true(n >= 1);
    for (int i = 0; i < n; i++) {
        assert_true(r[i].start >= end && r[i].n > 0);
        end = r[i].start + r[i].n;
    }
    if (!looks_back(c))
        assert_true(end <= rows);
}

/* Attention of one head over the rows of its slot that it read, in double. */
static void naive_attention(const struct kv_cache *c, const struct kv_rows *rows,
                            const struct kv_shape *s, int head, const float *q, double *out)
{
    const struct kv_range *r;
    struct kv_shape inside = slot_shape(c, s);
    int n = kv_cache_ranges(c, head, &r);
    int kv_head = head % inside.n_heads / (inside.n_heads / inside.n_kv_heads);
    double total = 0;
    memset(out, 0, (size_t)s->head_dim * sizeof *out);
    for (int i = 0; i < n; i++)
        for (int t = r[i].start; t < r[i].start + r[i].n; t++) {
            const float *k = kv_rows_k(rows, s->head_dim, kv_head, t);
            const float *v = kv_rows_v(rows, s->head_dim, kv_head, t);
            double score = 0;
            for (int d = 0; d < s->head_dim; d++)
                score += (double)q[d] * k[d];
            double weight = exp(score / sqrt(s->head_dim));
            total += weight;
            for (int d = 0; d < s->head_dim; d++)
                out[d] += weight * v[d];
        }
    for (int d = 0; d < s->head_dim; d++)
        out[d] /= total;
}

static void output_is_attention_over_ranges(const struct kv_cache *c, const struct kv_rows *rows,
                                            const struct kv_shape *s, int head, const float *q,
                                            const float *out)
{
    double want[64];
    assert_true(s->head_dim <= 64);
    if (looks_back(c))
        return;
    naive_attention(c, rows, s, head, q, want);
    for (int d = 0; d < s->head_dim; d++)
        assert_true(fabs(out[d] - want[d]) <= 1e-5); // false for NaN too
}

static void no_nan(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_false(isnan(x[i]));
}

/* Bits of a class that were there when the step read: rows may be dropped behind it. */
static uint64_t there(const struct kv_cache *c, const struct kv_ledger *before,
                      const struct kv_ledger *now, int class)
{
    if (kv_chain_method(kv_cache_chain(c), KV_EVICT))
        return before->held[class] + now->written[class] - before->written[class];
    return now->held[class];
}

static void bytes_add_up(const struct kv_cache *c, const struct kv_shape *s,
                         struct kv_ledger *before)
{
    struct kv_ledger now;
    kv_cache_ledger(c, &now);
    uint64_t rows = (uint64_t)kv_cache_length(c) * row_width(s) * 2 * (uint64_t)s->n_layers;
    assert_true(kv_ledger_sum(now.held) > 0);
    assert_int_equal(now.full, rows * 16);
    assert_int_equal(now.read_full - before->read_full, now.full);
    assert_true(kv_ledger_sum(now.read) > kv_ledger_sum(before->read));
    assert_true(kv_ledger_sum(now.written) > kv_ledger_sum(before->written));
    for (int i = 0; i < KV_CLASSES;
         i++) // a step reads nothing twice; windows are read to be packed
        if (i != KV_RECENT)
            assert_true(now.read[i] - before->read[i] <= there(c, before, &now, i));
    *before = now;
}

/* A cache and the reference of its codec: equal rows, and equal attention, bit for bit. */
struct twins {
    struct kv_cache *packed, *floats;
    float *out; // of floats
};

static void rows_are_the_references(const struct twins *t, const struct kv_rows *rows, int layer,
                                    int slot, const struct kv_shape *s)
{
    struct kv_rows want = rows_of_slot(t->floats, s, layer, slot);
    struct kv_shape inside = slot_shape(t->floats, s);
    size_t bytes = (size_t)want.n * (size_t)s->head_dim * sizeof(float);
    assert_int_equal(rows->n, want.n);
    for (int h = 0; h < inside.n_kv_heads; h++) {
        assert_memory_equal(kv_rows_k(rows, s->head_dim, h, 0), kv_rows_k(&want, s->head_dim, h, 0),
                            bytes);
        assert_memory_equal(kv_rows_v(rows, s->head_dim, h, 0), kv_rows_v(&want, s->head_dim, h, 0),
                            bytes);
    }
    kv_rows_release(&want);
}

/* The rows of a slot are the reference's, and its heads attended to them. */
static void look_at_slot(const struct twins *t, const struct kv_shape *s, int layer, int slot,
                         const float *q, const float *out)
{
    struct kv_rows rows = rows_of_slot(t->packed, s, layer, slot);
    int heads = slot_shape(t->packed, s).n_heads;
    rows_are_the_references(t, &rows, layer, slot, s);
    for (int h = slot * heads; h < (slot + 1) * heads; h++) {
        size_t at = (size_t)h * (size_t)s->head_dim;
        output_is_attention_over_ranges(t->packed, &rows, s, h, q + at, out + at);
    }
    kv_rows_release(&rows);
}

/* One layer of a step with all that must hold; every eighth step rows are looked at. */
static void checked_layer(const struct sequence *s, const struct twins *t, struct rows_of_step *r,
                          int step, int layer, float *out)
{
    const struct kv_shape *shape = &s->shape;
    struct kv_cache *c = t->packed;
    sequence_attend(&s, &t->floats, 1, &floats, layer, r, t->out);
    sequence_attend(&s, &c, 1, &one, layer, r, out);
    no_nan(out, out_width(shape));
    assert_memory_equal(out, t->out, out_width(shape) * sizeof *out);
    for (int h = 0; h < shape->n_heads; h++)
        ranges_are_in_order(c, shape, layer, h);
    for (int i = 0; step % 8 == 0 && i < kv_cache_n_slots(c); i++)
        look_at_slot(t, shape, layer, i, r->q, out);
}

static void checked_step(const struct sequence *s, const struct twins *t, struct rows_of_step *r,
                         int step, float *out)
{
    for (int layer = 0; layer < s->shape.n_layers; layer++)
        checked_layer(s, t, r, step, layer, out + (size_t)layer * out_width(&s->shape));
    kv_cache_advance(t->packed);
    kv_cache_advance(t->floats);
}

/* out [steps][n_layers][n_heads * head_dim] */
static void checked_run(const struct sequence *s, const struct kv_chain *chain, int prompt,
                        int steps, float *out)
{
    size_t each = (size_t)s->shape.n_layers * out_width(&s->shape);
    float *prefill = xcalloc((size_t)prompt + 1, each * sizeof *prefill);
    float *again = xcalloc((size_t)prompt + 1, each * sizeof *again);
    struct twins t = {sequence_cache(s, &one, chain, prompt, prefill),
                      sequence_cache(s, &floats, chain, prompt, again),
                      xmalloc(out_width(&s->shape) * sizeof(float))};
    struct rows_of_step r = rows_of_step_new(&s->shape, 1);
    struct kv_ledger ledger;
    no_nan(prefill, (size_t)prompt * each);
    assert_memory_equal(prefill, again, (size_t)prompt * each * sizeof *again);
    kv_cache_ledger(t.packed, &ledger);
    for (int i = 0; i < steps; i++) {
        checked_step(s, &t, &r, i, out + (size_t)i * each);
        bytes_add_up(t.packed, &s->shape, &ledger);
    }
    assert_int_equal(kv_cache_length(t.packed), prompt + steps);
    kv_cache_free(t.packed), kv_cache_free(t.floats);
    rows_of_step_free(&r);
    free(t.out), free(prefill), free(again);
}

static float *outputs_new(const struct kv_shape *s, int steps)
{
    return xcalloc((size_t)steps, (size_t)s->n_layers * out_width(s) * sizeof(float));
}

/* Without the checks, so that it is also another way to the same numbers. */
static void plain_run(const struct sequence *s, const struct kv_engine *engine,
                      const struct kv_chain *chain, int prompt, int steps, float *out)
{
    struct kv_cache *c = sequence_cache(s, engine, chain, prompt, NULL);
    sequence_steps(&s, &c, 1, engine, steps, out);
    kv_cache_free(c);
}

/* ---- tests ---- */

/* The same bits a second time, without looking on. */
static void run_prompt(const struct sequence *s, const struct kv_chain *chain, int prompt)
{
    size_t bytes = (size_t)STEPS * (size_t)s->shape.n_layers * out_width(&s->shape) * sizeof(float);
    float *first = outputs_new(&s->shape, STEPS), *again = outputs_new(&s->shape, STEPS);
    checked_run(s, chain, prompt, STEPS, first);
    plain_run(s, &one, chain, prompt, STEPS, again);
    assert_memory_equal(first, again, bytes);
    free(first), free(again);
}

static void defaults_keep_the_rules_at_all_lengths(void **state)
{
    (void)state;
    for (int i = 0; kv_method_all[i]; i++) {
        struct settings s = {0};
        struct kv_chain chain;
        int prompts[6], n = prompts_of(kv_method_all[i], prompts);
        settings_default(&s, kv_method_all[i]);
        for (int j = 0; j < N_SHAPES; j++) {
            assert_true(opens(&chain, s.text[0], &shapes[j]));
            for (int k = 0; k < n; k++)
                run_prompt(&sequences[j][0], &chain, prompts[k]);
            run_prompt(&sequences[j][0], &chain, LONGEST_PROMPT);
            kv_chain_release(&chain);
        }
        settings_release(&s);
    }
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    for (int i = 0; kv_method_all[i]; i++) {
        struct settings s = {0};
        struct kv_chain chain;
        enum { PROMPT = 180, MORE = 24 };
        float *a = outputs_new(&shapes[0], PROMPT), *b = outputs_new(&shapes[0], PROMPT);
        settings_default(&s, kv_method_all[i]);
        assert_true(opens(&chain, s.text[0], &shapes[0]));
        size_t row = (size_t)shapes[0].n_layers * out_width(&shapes[0]) * sizeof *a;
        kv_cache_free(sequence_cache(&sequences[0][0], &one, &chain, PROMPT, a));
        kv_cache_free(sequence_cache(&sequences[0][0], &two, &chain, PROMPT, b));
        assert_memory_equal(a, b, PROMPT * row);
        plain_run(&sequences[0][0], &one, &chain, PROMPT, MORE, a);
        plain_run(&sequences[0][0], &two, &chain, PROMPT, MORE, b);
        assert_memory_equal(a, b, MORE * row);
        free(a), free(b);
        kv_chain_release(&chain);
        settings_release(&s);
    }
}

/* Returns how many are not refused. */
static int run_settings(const struct settings *s, int shape, int prompt, int steps)
{
    struct kv_chain chain;
    float *out = outputs_new(&shapes[shape], steps);
    int n = 0;
    for (int i = 0; i < s->n; i++)
        if (opens(&chain, s->text[i], &shapes[shape])) {
            checked_run(&sequences[shape][0], &chain, prompt, steps, out);
            kv_chain_release(&chain);
            n++;
        }
    free(out);
    return n;
}

static void options_work_at_both_ends(void **state)
{
    (void)state;
    for (int i = 0; kv_method_all[i]; i++) {
        struct settings s = {0};
        settings_ends(&s, kv_method_all[i]);
        for (int j = 0; j < 2 && s.n; j++) {
            assert_true(run_settings(&s, j, 1, 20) > 0);
            assert_true(run_settings(&s, j, 150, STEPS) > 0);
        }
        settings_release(&s);
    }
}

static void options_work_at_both_ends_in_pairs(void **state)
{
    (void)state;
    for (int i = 0; kv_method_all[i]; i++) {
        struct settings s = {0};
        settings_pairs(&s, kv_method_all[i]);
        if (s.n)
            assert_true(run_settings(&s, 0, 180, 16) > 0);
        settings_release(&s);
    }
}

enum { MANY = 512, TOGETHER = 40 };

/* All settings that the shape allows, but no pairs. Returns how many. */
static int open_many(struct kv_chain *chains, const struct kv_shape *shape)
{
    struct settings s = {0};
    int n = 0;
    for (int i = 0; kv_method_all[i]; i++) {
        settings_default(&s, kv_method_all[i]);
        settings_ends(&s, kv_method_all[i]);
    }
    assert_true(s.n <= MANY);
    for (int i = 0; i < s.n; i++)
        n += opens(&chains[n], s.text[i], shape);
    settings_release(&s);
    assert_true(n >= 2);
    return n;
}

/* All settings step as one batch at two lengths, and each gives what it gives alone. */
static void caches_do_not_see_each_other(void **state)
{
    (void)state;
    static struct kv_chain chains[MANY];
    static struct kv_cache *caches[MANY];
    static const struct sequence *s[MANY];
    int n = open_many(chains, &shapes[0]);
    size_t width = out_width(&shapes[0]), layers = (size_t)shapes[0].n_layers;
    float *batch = xcalloc((size_t)n, TOGETHER * layers * width * sizeof *batch);
    float *alone = outputs_new(&shapes[0], TOGETHER);
    for (int i = 0; i < n; i++) {
        s[i] = &sequences[0][i % 2];
        caches[i] = sequence_cache(s[i], &two, &chains[i], i % 2 ? 170 : 95, NULL);
    }
    sequence_steps(s, caches, n, &two, TOGETHER, batch);
    for (int i = 0; i < n; i++) {
        plain_run(s[i], &one, &chains[i], i % 2 ? 170 : 95, TOGETHER, alone);
        for (size_t j = 0; j < TOGETHER * layers; j++)
            assert_memory_equal(alone + j * width, batch + (j * (size_t)n + (size_t)i) * width,
                                width * sizeof *alone);
        kv_cache_free(caches[i]);
        kv_chain_release(&chains[i]);
    }
    free(batch), free(alone);
}

static char *class_dup(const struct kv_chain *c)
{
    struct buf b;
    buf_init(&b);
    kv_chain_class(c, &b);
    return b.s;
}

/* The chains of the same class as chain i, itself first, not taken before. */
static int class_of(struct kv_chain *chains, int n, int i, bool *taken,
                    const struct kv_chain **members)
{
    char *want = class_dup(&chains[i]);
    int k = 0;
    for (int j = i; j < n; j++) {
        char *class = class_dup(&chains[j]);
        if (!taken[j] && !strcmp(class, want)) {
            members[k++] = &chains[j];
            taken[j] = true;
        }
        free(class);
    }
    free(want);
    return k;
}

static void same_content(const struct kv_cache *a, const struct kv_cache *b,
                         const struct kv_shape *s)
{
    struct kv_ledger of_a, of_b;
    kv_cache_ledger(a, &of_a), kv_cache_ledger(b, &of_b);
    assert_memory_equal(&of_a, &of_b, sizeof of_a);
    int slots = kv_cache_n_slots(a);
    for (int i = 0; i < s->n_layers * slots; i++) {
        struct kv_rows rows = rows_of_slot(a, s, i / slots, i % slots);
        rows_are_the_references(&(struct twins){.floats = (struct kv_cache *)b}, &rows, i / slots,
                                i % slots, s);
        kv_rows_release(&rows);
    }
}

static void compare_shared(const struct kv_chain *const *members, int n, int prompt)
{
    static struct kv_cache *caches[MANY];
    const struct sequence *s = &sequences[0][0];
    size_t bytes = TOGETHER * (size_t)s->shape.n_layers * out_width(&s->shape) * sizeof(float);
    float *shared = outputs_new(&s->shape, TOGETHER), *alone = outputs_new(&s->shape, TOGETHER);
    for (int i = 0; i < n; i++)
        caches[i] = kv_cache_new(members[i], &s->shape, &two, s->n);
    sequence_prefill(s, &two, caches, n, prompt, NULL);
    for (int i = 0; i < n; i++) {
        struct kv_cache *own = sequence_cache(s, &one, members[i], prompt, NULL);
        same_content(caches[i], own, &s->shape);
        sequence_steps(&s, &caches[i], 1, &one, TOGETHER, shared);
        sequence_steps(&s, &own, 1, &one, TOGETHER, alone);
        assert_memory_equal(shared, alone, bytes);
        same_content(caches[i], own, &s->shape);
        kv_cache_free(own);
        kv_cache_free(caches[i]);
    }
    free(shared), free(alone);
}

/* One prefill for all settings of a class: each gets what it gets from one of its own. */
static void a_shared_prefill_is_as_good_as_an_own(void **state)
{
    (void)state;
    static struct kv_chain chains[MANY];
    const struct kv_chain *members[MANY];
    bool taken[MANY] = {false};
    int n = open_many(chains, &shapes[0]), largest = 0;
    for (int i = 0; i < n; i++) {
        int k = taken[i] ? 0 : class_of(chains, n, i, taken, members);
        if (k)
            compare_shared(members, k, 210);
        largest = k > largest ? k : largest;
    }
    assert_true(largest > 1);
    for (int i = 0; i < n; i++)
        kv_chain_release(&chains[i]);
}

static char *content_dup(const struct kv_chain *c)
{
    struct buf b;
    buf_init(&b);
    kv_chain_content(c, &b);
    return b.s;
}

/* Else nothing above has copied: some settings, and not all, hold the same of a prompt. */
static void some_settings_hold_the_same(void **state)
{
    (void)state;
    static struct kv_chain chains[MANY];
    int n = open_many(chains, &shapes[0]), equal = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++) {
            char *a = content_dup(&chains[i]), *b = content_dup(&chains[j]);
            equal += !strcmp(a, b);
            free(a), free(b);
        }
    assert_true(equal > 0 && equal < n * (n - 1) / 2);
    for (int i = 0; i < n; i++)
        kv_chain_release(&chains[i]);
}

/* Of a cache in a batch, whether it is an item or its heads are. */
static void a_cache_knows_its_seconds(void **state)
{
    (void)state;
    enum { BATCH = 9, FEW = 2, STEPS_EACH = 3 };
    struct kv_chain chain;
    struct kv_cache *caches[BATCH];
    const struct sequence *s[BATCH];
    float *out = outputs_new(&shapes[0], BATCH * STEPS_EACH);
    assert_true(opens(&chain, "[\"full\"]", &shapes[0]));
    for (int i = 0; i < BATCH; i++) {
        s[i] = &sequences[0][0];
        caches[i] = sequence_cache(s[i], &two, &chain, 60, NULL);
        assert_true(kv_cache_seconds(caches[i]) == 0);
    }
    for (int n = FEW; n <= BATCH; n += BATCH - FEW) {
        double start = clock_seconds(), before = 0, after = 0;
        for (int i = 0; i < BATCH; i++)
            before += kv_cache_seconds(caches[i]);
        sequence_steps(s, caches, n, &two, STEPS_EACH, out);
        double wall = clock_seconds() - start;
        for (int i = 0; i < BATCH; i++)
            after += kv_cache_seconds(caches[i]);
        assert_true(after > before && after - before <= 2 * wall);
    }
    for (int i = 0; i < BATCH; i++) {
        assert_true(kv_cache_seconds(caches[i]) > 0);
        kv_cache_free(caches[i]);
    }
    kv_chain_release(&chain);
    free(out);
}

/* From the sequence alone, not from the cache's rows. */
static void token_attention(const struct sequence *s, int token, int head, double *out)
{
    const struct kv_shape *sh = &s->shape;
    size_t d = (size_t)sh->head_dim, kv_head = (size_t)(head / (sh->n_heads / sh->n_kv_heads));
    const float *q = s->q + (size_t)token * out_width(sh) + (size_t)head * d;
    double total = 0;
    memset(out, 0, d * sizeof *out);
    for (size_t t = 0; t <= (size_t)token; t++) {
        const float *k = s->k + t * row_width(sh) + kv_head * d;
        const float *v = s->v + t * row_width(sh) + kv_head * d;
        double score = 0;
        for (size_t i = 0; i < d; i++)
            score += (double)q[i] * k[i];
        double weight = exp(score / sqrt(sh->head_dim));
        total += weight;
        for (size_t i = 0; i < d; i++)
            out[i] += weight * v[i];
    }
    for (size_t i = 0; i < d; i++)
        out[i] /= total;
}

static void compare_token(const struct sequence *s, int token, const float *got)
{
    double want[64];
    for (int h = 0; h < s->shape.n_heads; h++) {
        token_attention(s, token, h, want);
        for (int d = 0; d < s->shape.head_dim; d++)
            assert_true(fabs(got[h * s->shape.head_dim + d] - want[d]) <= 1e-5);
    }
}

static void f32_is_plain_attention(void **state)
{
    (void)state;
    struct kv_chain chain;
    enum { PROMPT = 130, MORE = 20 };
    for (int i = 0; i < N_SHAPES; i++) {
        const struct sequence *s = &sequences[i][0];
        size_t width = out_width(&s->shape), layers = (size_t)s->shape.n_layers;
        float *prefill = outputs_new(&s->shape, PROMPT), *steps = outputs_new(&s->shape, MORE);
        assert_true(opens(&chain, "[\"f32\"]", &s->shape));
        struct kv_cache *c = sequence_cache(s, &one, &chain, PROMPT, prefill);
        sequence_steps(&s, &c, 1, &one, MORE, steps);
        for (int t = 0; t < PROMPT; t++)
            compare_token(s, t, prefill + (size_t)t * width);
        for (int t = 0; t < MORE; t++)
            compare_token(s, PROMPT + t, steps + (size_t)t * layers * width);
        kv_cache_free(c);
        kv_chain_release(&chain);
        free(prefill), free(steps);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_keep_the_rules_at_all_lengths),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(options_work_at_both_ends),
        cmocka_unit_test(options_work_at_both_ends_in_pairs),
        cmocka_unit_test(caches_do_not_see_each_other),
        cmocka_unit_test(a_shared_prefill_is_as_good_as_an_own),
        cmocka_unit_test(some_settings_hold_the_same),
        cmocka_unit_test(a_cache_knows_its_seconds),
        cmocka_unit_test(f32_is_plain_attention),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
