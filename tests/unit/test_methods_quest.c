/*
 * Quest against loops written from its definition: which pages each query head reads at each step,
 * by both rules, and what that counts. Queries and keys are small whole numbers, so that sums are
 * exact, and some pages are copies of others, so that many are worth the same.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/unit/sequence.h"

enum { WIDTH = 32, PLACES = 420, PAGES = PLACES, SHAPES = 3, BLOCK = 48 };

static const struct kv_shape shapes[SHAPES] = {
    {3, 4, 2, WIDTH}, {3, 2, 2, WIDTH}, {3, 4, 1, WIDTH}};
static struct kv_engine engine;
static struct sequence made[SHAPES];

/* Every third block of keys is the one before it. */
static void make(struct sequence *s, int shape)
{
    struct rng r = {(uint64_t)shape + 5};
    size_t width = row_width(&shapes[shape]);
    *s = sequence_new(shapes[shape], PLACES, (uint64_t)shape);
    for (size_t i = 0; i < PLACES * out_width(&shapes[shape]); i++)
        s->q[i] = (float)(rng_below(&r, 5) - 2);
    for (size_t i = 0; i < PLACES * width; i++)
        s->k[i] = (float)(rng_below(&r, 9) - 4) / 2;
    for (size_t t = 2 * BLOCK; t + BLOCK <= PLACES; t += 3 * BLOCK)
        memcpy(s->k + t * width, s->k + (t - BLOCK) * width, BLOCK * width * sizeof *s->k);
}

static int open_all(void **state)
{
    (void)state;
    engine = engine_new(2);
    for (int i = 0; i < SHAPES; i++)
        make(&made[i], i);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    pool_free(engine.pool);
    for (int i = 0; i < SHAPES; i++)
        sequence_release(&made[i]);
    return 0;
}

/* ---- the definition ---- */

struct rule {
    int budget, page;
    bool kernel;
};

/* keys [n][WIDTH] */
static void worth_of_pages(const float *q, const float *keys, int n, int page, double *out)
{
    for (int p = 0; p * page < n; p++) {
        out[p] = 0;
        for (int c = 0; c < WIDTH; c++) {
            double best = -1e300;
            for (int t = p * page; t < (p + 1) * page && t < n; t++) {
                double low = keys[t * WIDTH + c], high = low;
                for (int u = p * page; u < (p + 1) * page && u < n; u++) {
                    low = keys[u * WIDTH + c] < low ? keys[u * WIDTH + c] : low;
                    high = keys[u * WIDTH + c] > high ? keys[u * WIDTH + c] : high;
                }
                double x = q[c] * low > q[c] * high ? q[c] * low : q[c] * high;
                best = x > best ? x : best;
            }
            out[p] += best;
        }
    }
}

/* The best page again and again, of equal ones the first. Returns how many. */
static int pages_read(const struct rule *r, const double *worth, int n, char taken[PAGES])
{
    int pages = (n + r->page - 1) / r->page, budget = r->budget, want, have = 0;
    if (!r->kernel && n < budget)
        budget = n;
    want = budget / r->page < 3 ? 3 : budget / r->page;
    want = want < pages ? want : pages;
    memset(taken, 0, PAGES);
    if (r->kernel) {
        taken[pages - 1] = 1;
        have = 1;
    }
    for (; have < want; have++) {
        int best = -1;
        for (int p = 0; p < pages; p++)
            if (!taken[p] && (best < 0 || worth[p] > worth[best]))
                best = p;
        taken[best] = 1;
    }
    return want;
}

/* ---- what the cache read ---- */

static void rows_read(const struct kv_cache *c, int head, char out[PLACES])
{
    const struct kv_range *r;
    int n = kv_cache_ranges(c, head, &r);
    memset(out, 0, PLACES);
    for (int i = 0; i < n; i++)
        memset(out + r[i].start, 1, (size_t)r[i].n);
}

static void reads_the_pages(const struct kv_cache *c, int head, const struct rule *r,
                            const float *q, const float *keys, int n)
{
    double worth[PAGES];
    char taken[PAGES], got[PLACES];
    worth_of_pages(q, keys, n, r->page, worth);
    pages_read(r, worth, n, taken);
    rows_read(c, head, got);
    for (int t = 0; t < PLACES; t++)
        assert_int_equal(got[t], t < n && taken[t / r->page]);
}

static struct kv_cache *cache_of(struct kv_chain *chain, const char *text, int shape, int prompt)
{
    struct err e = {0};
    if (read_chain(chain, text, &e) || kv_chain_check(chain, &shapes[shape], true, "test", &e))
        fail_msg("%s: %s", text, e.msg);
    return sequence_cache(&made[shape], &engine, chain, prompt, NULL);
}

/* The keys of a KV head as they are before the step, and the one that it brings. */
static void keys_at_step(const struct kv_cache *c, int shape, int layer, int kv_head, float *out)
{
    struct kv_rows rows = rows_of_layer(c, &shapes[shape], layer);
    size_t d = WIDTH, t = (size_t)kv_cache_length(c);
    memcpy(out, kv_rows_k(&rows, WIDTH, kv_head, 0), (size_t)rows.n * d * sizeof *out);
    memcpy(out + (size_t)rows.n * d,
           made[shape].k + t * row_width(&shapes[shape]) + (size_t)kv_head * d, d * sizeof *out);
    kv_rows_release(&rows);
}

/* One step; layers from the first that chooses on read the pages of the definition. */
static void checked_step(struct kv_cache *c, int shape, const struct rule *r, int first_layer)
{
    static float keys[2][PLACES * WIDTH], out[4 * WIDTH];
    const struct kv_shape *s = &shapes[shape];
    const struct sequence *seq = &made[shape];
    struct rows_of_step rows = rows_of_step_new(s, 1);
    for (int layer = 0; layer < s->n_layers; layer++) {
        int n = kv_cache_layer(c, layer)->n + 1;
        struct rule mine = layer < first_layer ? (struct rule){n, 1, true} : *r;
        for (int h = 0; h < s->n_kv_heads; h++)
            keys_at_step(c, shape, layer, h, keys[h]);
        sequence_attend(&seq, &c, 1, &engine, layer, &rows, out);
        for (int h = 0; h < s->n_heads; h++)
            reads_the_pages(c, h, &mine, rows.q + h * WIDTH, keys[h / (s->n_heads / s->n_kv_heads)],
                            n);
    }
    kv_cache_advance(c);
    rows_of_step_free(&rows);
}

static void check_case(const char *codec, int shape, const struct rule *r, int prompt, int steps)
{
    char text[200];
    struct kv_chain chain;
    snprintf(text, sizeof text,
             "[\"%s\",{\"quest\":{\"token_budget\":%d,\"page\":%d,\"rule\":\"%s\","
             "\"first_layer\":1}}]",
             codec, r->budget, r->page, r->kernel ? "kernel" : "accuracy");
    struct kv_cache *c = cache_of(&chain, text, shape, prompt);
    for (int i = 0; i < steps; i++)
        checked_step(c, shape, r, 1);
    kv_cache_free(c);
    kv_chain_release(&chain);
}

static void both_rules_read_the_pages_of_the_definition(void **state)
{
    (void)state;
    for (int kernel = 0; kernel < 2; kernel++)
        for (int i = 0; i < SHAPES; i++) {
            check_case("f32", i, &(struct rule){64, 16, kernel}, 200, 40);
            check_case("f16", i, &(struct rule){128, 16, kernel}, 311, 20);
            check_case("f16", i, &(struct rule){1, 16, kernel}, 150, 20); // three pages
            check_case("f16", i, &(struct rule){100, 16, kernel}, 80, 40);
            check_case("f16", i, &(struct rule){60, 12, kernel}, 200, 15);
            check_case("f16", i, &(struct rule){200, 40, kernel}, 390, 12);
            check_case("f16", i, &(struct rule){20, 1, kernel}, 40, 10);
            check_case("f16", i, &(struct rule){64, 16, kernel}, 0, 120);
        }
}

/* The last token is its own only neighbour in a new page: the accuracy rule may leave it out. */
static void only_the_kernel_rule_sees_the_last_page_always(void **state)
{
    (void)state;
    int seen[2] = {0}, asked = 0;
    for (int kernel = 0; kernel < 2; kernel++) {
        struct kv_chain chain;
        struct kv_cache *c =
            cache_of(&chain,
                     kernel ? "[{\"quest\":{\"token_budget\":48,\"rule\":\"kernel\"}}]"
                            : "[{\"quest\":{\"token_budget\":48,\"rule\":\"accuracy\"}}]",
                     0, 320);
        char got[PLACES];
        checked_step(c, 0, &(struct rule){48, 16, kernel}, 2);
        for (int h = 0; h < shapes[0].n_heads; h++) {
            rows_read(c, h, got);
            seen[kernel] += got[320];
        }
        asked = shapes[0].n_heads;
        kv_cache_free(c);
        kv_chain_release(&chain);
    }
    assert_int_equal(seen[1], asked);
    assert_true(seen[0] < asked);
}

/* ---- rows that move ---- */

/* Stands for any method that drops tokens while decoding: row 7, and after it row 50. */
static int drop_two(const struct kv_part *part, const struct kv_layer *layer)
{
    int *dropped = part->state;
    if ((*dropped == 0 && layer->n < 150) || *dropped == 2) {
        *dropped = 0;
        return -1;
    }
    return ++*dropped == 1 ? 7 : 50;
}

/* And this for one that orders them: rows 20 and 60 change places. */
static int swap_two(const struct kv_part *part, const struct kv_layer *layer)
{
    int order[41];
    for (int i = 0; i < 41; i++)
        order[i] = i == 0 ? 40 : i == 40 ? 0 : i;
    for (int h = 0; h < part->shape.n_kv_heads; h++)
        layer->codec->permute(layer->store, h, 20, 41, order);
    return 20;
}

static size_t one_int(const void *opt, const struct kv_shape *shape, int cap)
{
    (void)opt, (void)shape, (void)cap;
    return sizeof(int);
}

static void pages_follow_rows_that_move(void **state)
{
    (void)state;
    static const struct kv_method dropper = {.name = "dropper",
                                             .state_size = one_int,
                                             .evict = drop_two},
                                  swapper = {.name = "swapper", .step_end = swap_two};
    for (int i = 0; i < 2; i++) {
        struct kv_chain chain = {0};
        struct err e = {0};
        struct rule r = {64, 16, false};
        const char *text = "[\"f32\",{\"quest\":{\"token_budget\":64,\"first_layer\":0}}]";
        assert_int_equal(read_chain(&chain, text, &e), 0);
        chain.owner[i ? KV_EVICT : KV_ORDER] = chain.n;
        chain.links[chain.n++] = (struct kv_link){i ? &dropper : &swapper, NULL, true};
        struct kv_cache *c = sequence_cache(&made[0], &engine, &chain, 140, NULL);
        for (int step = 0; step < 30; step++)
            checked_step(c, 0, &r, 0);
        assert_int_equal(kv_cache_layer(c, 0)->n, i ? 148 : 170);
        kv_cache_free(c);
        kv_chain_release(&chain);
    }
}

/* ---- codecs ---- */

/* Rows that are packed on arrival: the pages read are worth no less than those left, but for what
 * f16 leaves of their ends. */
static void other_codecs_have_pages_of_the_rows_they_keep(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "[\"q8\",{\"quest\":{\"token_budget\":80}}]",
        "[{\"kivi\":{\"key_bits\":4,\"residual\":32}},{\"quest\":{\"token_budget\":80}}]"};
    enum { N = 257, LAYER = 2 };
    for (int i = 0; i < 2; i++) {
        static float out[4 * WIDTH];
        struct kv_chain chain;
        const struct sequence *s = &made[0];
        struct kv_cache *c = cache_of(&chain, texts[i], 0, N - 1);
        struct rows_of_step step = rows_of_step_new(&shapes[0], 1);
        sequence_attend(&s, &c, 1, &engine, LAYER, &step, out);
        struct kv_rows rows = rows_of_layer(c, &shapes[0], LAYER);
        for (int h = 0; h < 4; h++) {
            double worth[PAGES], least = 1e300, most = -1e300;
            char got[PLACES];
            int n = 0;
            worth_of_pages(step.q + h * WIDTH, kv_rows_k(&rows, WIDTH, h / 2, 0), N, 16, worth);
            rows_read(c, h, got);
            for (int p = 0; p * 16 < N; p++) {
                n += got[p * 16];
                least = got[p * 16] && worth[p] < least ? worth[p] : least;
                most = !got[p * 16] && worth[p] > most ? worth[p] : most;
            }
            assert_int_equal(n, 5);
            assert_true(least > most - 0.05);
        }
        kv_rows_release(&rows);
        rows_of_step_free(&step);
        kv_cache_free(c);
        kv_chain_release(&chain);
    }
}

/* ---- bytes ---- */

/* Rows that any of a KV head's queries read in this layer. */
static uint64_t rows_of_group(const struct kv_cache *c, int kv_head)
{
    char one[PLACES], any[PLACES] = {0};
    uint64_t n = 0;
    for (int h = 2 * kv_head; h < 2 * kv_head + 2; h++) {
        rows_read(c, h, one);
        for (int t = 0; t < PLACES; t++)
            any[t] |= one[t];
    }
    for (int t = 0; t < PLACES; t++)
        n += (uint64_t)any[t];
    return n;
}

static void a_step_reads_pages_ends_and_chosen_rows(void **state)
{
    (void)state;
    enum { PROMPT = 200, STEPS = 30 };
    struct kv_chain chain;
    struct kv_ledger l;
    static float out[4 * WIDTH];
    const struct sequence *s = &made[0];
    struct kv_cache *c = cache_of(&chain, "[{\"quest\":{\"token_budget\":64}}]", 0, PROMPT);
    struct rows_of_step rows = rows_of_step_new(&shapes[0], 1);
    uint64_t chosen = 0, pages = 0, ends = 2 * WIDTH * 16, row = 2 * WIDTH * 16;
    kv_cache_ledger(c, &l);
    assert_int_equal(l.held[KV_INDEX], 2 * 13 * ends); // of one layer of three
    for (int i = 0; i < STEPS; i++) {
        for (int layer = 0; layer < 3; layer++) {
            sequence_attend(&s, &c, 1, &engine, layer, &rows, out);
            for (int h = 0; h < 2; h++)
                chosen += rows_of_group(c, h);
        }
        pages += 2 * (uint64_t)((PROMPT + i + 16) / 16);
        kv_cache_advance(c);
    }
    kv_cache_ledger(c, &l);
    assert_int_equal(l.held[KV_INDEX], 2 * 15 * ends);
    assert_int_equal(l.read[KV_INDEX], pages * ends);
    assert_int_equal(l.written[KV_INDEX], 2 * STEPS * ends);
    assert_int_equal(l.read[KV_ROWS], chosen * row);
    rows_of_step_free(&rows);
    kv_cache_free(c);
    kv_chain_release(&chain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_rules_read_the_pages_of_the_definition),
        cmocka_unit_test(only_the_kernel_rule_sees_the_last_page_always),
        cmocka_unit_test(pages_follow_rows_that_move),
        cmocka_unit_test(other_codecs_have_pages_of_the_rows_they_keep),
        cmocka_unit_test(a_step_reads_pages_ends_and_chosen_rows),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
