/*
 * Prompts that are replayed (harness/model/reading.h), on the built-in model: against a prefill of
 * prompt and part in one piece, whose attention a method that is only here writes down; and that
 * nothing of it reaches the caches of other settings.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/model/reading.h"
#include "runner/command.h"
#include "tests/unit/kept_rows.h"

enum { N = 150, CHUNK = 60, SINKS = 4, LEAD = 8, LAYERS = 8, HEADS = 4, LONGEST = 300 };

static struct model *model;
static struct tokens prompt;
static struct kept_rows kept;

static struct model *open_model(struct model_options o)
{
    struct err e = {0};
    char *dir = command_path_dup("configs/models/mini");
    struct model *m = model_open(dir, &o, &e);
    if (!m)
        fail_msg("%s", e.msg);
    free(dir);
    return m;
}

static int enter(void **state)
{
    (void)state;
    struct rng r = {8};
    model = open_model((struct model_options){.threads = 2});
    tokens_init(&prompt);
    for (int i = 0; i < LONGEST; i++)
        tokens_add(&prompt, 3 + rng_below(&r, model_get_config(model)->vocab - 3));
    return 0;
}

static int leave(void **state)
{
    (void)state;
    tokens_release(&prompt);
    model_close(model);
    return 0;
}

/* ---- attention of one long prefill ---- */

struct book {
    float most[LAYERS][HEADS][LONGEST];
    int n, from, to, sinks; // of the prompt, of the part
};
struct page { // a layer's
    struct book *book;
    int layer;
};
static struct book book;
static int layer_at_work;

static void page_key(const void *opt, const struct kv_shape *shape, int layer, int n_prompt,
                     struct buf *out)
{
    (void)opt, (void)shape, (void)n_prompt;
    layer_at_work = layer;
    buf_str(out, "book");
}

static void *page_new(const void *opt, const struct kv_shape *shape, int n_prompt)
{
    (void)opt, (void)shape, (void)n_prompt;
    struct page *p = xcalloc(1, sizeof *p);
    *p = (struct page){&book, layer_at_work};
    return p;
}

/* The share of those of a row that count, in double. */
static void page_row(const struct page *page, int head, const float *p, int n)
{
    struct book *b = page->book;
    double total = 0;
    for (int j = 0; j < n; j++)
        if (j < b->sinks || j >= b->n || (j >= b->from && j < b->to))
            total += p[j];
    for (int j = b->from; j < b->to; j++) {
        float *most = &b->most[page->layer][head][j];
        if (p[j] * (float)(1 / total) > *most)
            *most = p[j] * (float)(1 / total);
    }
}

static void page_rows(void *seen, int head, int first_query, int n_queries, const float *probs,
                      int ld)
{
    for (int i = 0; i < n_queries; i++)
        if (first_query + i >= book.n)
            page_row(seen, head, probs + (size_t)i * (size_t)ld, first_query + i + 1);
}

static const struct kv_method writer = {.name = "writer",
                                        .version = 1,
                                        .hooks = 1u << KV_OBSERVE,
                                        .opt_size = 1,
                                        .observe_key = page_key,
                                        .observe_new = page_new,
                                        .observe_rows = page_rows,
                                        .observe_free = free};

static void encode(const char *text, struct tokens *out)
{
    struct err e;
    assert_int_equal(tokenizer_encode(model_get_tokenizer(model), text_of(text), false, out, &e),
                     0);
}

/* The prompt and what is fed for one part, as the method's file says it. */
static void whole_text(int from, int to, const char *end, struct tokens *out)
{
    tokens_reset(out);
    for (int i = 0; i < N; i++)
        tokens_add(out, prompt.v[i]);
    encode(from == SINKS ? "\n\nRepeat the previous context exactly."
                         : "\n\nRepeat the part of the previous context exactly, starting with ",
           out);
    for (int i = from == SINKS ? from : from - LEAD; i < from; i++)
        tokens_add(out, prompt.v[i]);
    encode(end, out);
    for (int i = from; i < to; i++)
        tokens_add(out, prompt.v[i]);
}

/* Returns how many tokens are fed. */
static int write_part(int from, int to, const char *end)
{
    struct tokens all;
    struct kv_chain c = {0};
    struct err e = {0};
    assert_int_equal(read_chain(&c, "[\"full\"]", &e), 0);
    c.links[c.n++] = (struct kv_link){&writer, xcalloc(1, 1), true};
    tokens_init(&all);
    whole_text(from, to, end, &all);
    book.n = N, book.from = from, book.to = to, book.sinks = SINKS;
    float *logits = xmalloc((size_t)model_get_config(model)->vocab * sizeof *logits);
    kv_cache_free(model_read(model, &c, all.v, (int)all.n, (int)all.n, logits));
    int fed = (int)all.n - N;
    free(logits);
    tokens_release(&all);
    kv_chain_release(&c);
    return fed;
}

static int write_book(const char *end)
{
    memset(&book, 0, sizeof book);
    int fed = 0;
    for (int from = SINKS; from < N; from += CHUNK)
        fed += write_part(from, from + CHUNK < N ? from + CHUNK : N, end);
    return fed;
}

/* ---- what a chain keeps of the prompt ---- */

static struct reading_replay read_kept(const char *text, const char *end)
{
    static const struct kv_method note = {
        .name = "note", .version = 1, .opt_size = sizeof(struct kept_options), .adopt = kept_note};
    struct kv_chain c = {0};
    struct err e = {0};
    struct reading_replay replay;
    if (read_chain(&c, text, &e))
        fail_msg("%s", e.msg);
    struct kept_options *o = xcalloc(1, sizeof *o);
    o->out = &kept;
    c.links[c.n++] = (struct kv_link){&note, o, true};
    struct reading r = {.ids = prompt.v, .n = N, .end = end};
    struct kv_cache *cache = kv_cache_new(&c, model_shape(model), model_engine(model), N + 1);
    float *logits = xmalloc((size_t)model_get_config(model)->vocab * sizeof *logits);
    assert_int_equal(reading_check(model, &r, &c, &e), 0);
    reading_run(model, &r, &cache, 1, logits, &replay);
    kv_cache_free(cache);
    kv_chain_release(&c);
    free(logits);
    return replay;
}

/* The k best of all layers and heads, one after the other. */
static void best(int k, bool stays[LAYERS][HEADS][N])
{
    memset(stays, 0, LAYERS * sizeof *stays);
    for (int i = 0; i < k; i++) {
        int at = -1;
        float most = -1;
        for (int c = 0; c < LAYERS * HEADS * N; c++) {
            int layer = c / (HEADS * N), head = c / N % HEADS, j = c % N;
            if (j >= SINKS && !stays[layer][head][j] && book.most[layer][head][j] > most) {
                most = book.most[layer][head][j];
                at = c;
            }
        }
        stays[at / (HEADS * N)][at / N % HEADS][at % N] = true;
    }
}

static void keeps_the_best(int k)
{
    static bool stays[LAYERS][HEADS][N];
    best(k, stays);
    for (int layer = 0; layer < LAYERS; layer++)
        for (int head = 0; head < HEADS; head++) {
            int at = 0;
            for (int j = 0; j < N; j++)
                if (j < SINKS || stays[layer][head][j])
                    assert_int_equal(kept.rows[layer][head][at++], j);
            assert_int_equal(kept.n[layer][head], at);
        }
}

static void a_replay_is_a_prefill_of_prompt_and_part(void **state)
{
    (void)state;
    const char *const ends[] = {NULL, "[/INST]"};
    for (int i = 0; i < 2; i++) {
        int fed = write_book(ends[i] ? ends[i] : "\n\nAnswer: ");
        struct reading_replay r = read_kept("[{\"kvzip\":{\"chunk\":60}}]", ends[i]);
        assert_int_equal(r.tokens, fed);
        assert_true(r.seconds > 0);
        keeps_the_best((int)(0.3 * N * LAYERS * HEADS) - LAYERS * HEADS * SINKS);
    }
    assert_int_equal(read_kept("[{\"kvzip\":{\"template\":\"none\"}}]", NULL).tokens, N - SINKS);
    assert_int_equal(read_kept("[\"recent\"]", NULL).tokens, 0);
}

/* ---- who is read beside it ---- */

enum { MEMBERS = 5, STEPS = 3 };

/* Steps of caches that have read the prompt together. */
struct outcome {
    float *logits; // [1 + STEPS * n][vocab]
    struct kv_ledger ledger[MEMBERS];
    struct reading_replay replay[MEMBERS];
};

static void step_all(struct model *m, struct kv_cache **c, int n, struct outcome *out)
{
    size_t vocab = (size_t)model_get_config(m)->vocab;
    int32_t next[MEMBERS];
    for (int t = 0; t < STEPS; t++) {
        for (int i = 0; i < n; i++)
            next[i] = prompt.v[t];
        model_step(m, next, c, n, out->logits + (size_t)(1 + t * n) * vocab);
    }
}

static void read_together(struct model *m, const char *const *texts, int n, struct reading r,
                          struct outcome *out)
{
    struct kv_chain chains[MEMBERS];
    struct kv_cache *c[MEMBERS];
    struct err e = {0};
    for (int i = 0; i < n; i++) {
        if (read_chain(&chains[i], texts[i], &e))
            fail_msg("%s", e.msg);
        c[i] = kv_cache_new(&chains[i], model_shape(m), model_engine(m), r.n + STEPS);
    }
    out->logits =
        xcalloc((size_t)(1 + STEPS * n), (size_t)model_get_config(m)->vocab * sizeof(float));
    reading_run(m, &r, c, n, out->logits, out->replay);
    step_all(m, c, n, out);
    for (int i = 0; i < n; i++) {
        kv_cache_ledger(c[i], &out->ledger[i]);
        kv_cache_free(c[i]);
        kv_chain_release(&chains[i]);
    }
}

/* Member i of all is what it is alone. */
static void same_alone(struct model *m, const char *const *texts, int n, const struct outcome *all,
                       int i)
{
    size_t vocab = (size_t)model_get_config(m)->vocab, bytes = vocab * sizeof(float);
    struct outcome own;
    read_together(m, &texts[i], 1, (struct reading){.ids = prompt.v, .n = N}, &own);
    assert_memory_equal(all->logits, own.logits, bytes);
    for (int t = 0; t < STEPS; t++)
        assert_memory_equal(all->logits + (size_t)(1 + t * n + i) * vocab,
                            own.logits + (size_t)(1 + t) * vocab, bytes);
    assert_memory_equal(&all->ledger[i], &own.ledger[0], sizeof own.ledger[0]);
    assert_int_equal(all->replay[i].tokens, own.replay[0].tokens);
    free(own.logits);
}

static void all_are_what_they_are_alone(struct model *m, const char *const *texts, int n,
                                        struct reading r)
{
    struct outcome all;
    read_together(m, texts, n, r, &all);
    for (int i = 0; i < n; i++)
        same_alone(m, texts, n, &all, i);
    free(all.logits);
}

static const char *const plain[MEMBERS] = {
    "[\"full\"]", "[{\"kvzip\":{\"chunk\":50}}]", "[{\"snapkv\":{\"window\":16}}]",
    "[\"kvzip\",\"q8\"]", "[{\"kvzip\":{\"chunk\":50,\"share\":\"head\",\"kept\":0.6}}]"};

static void settings_do_not_see_who_is_replayed(void **state)
{
    (void)state;
    struct reading r = {.ids = prompt.v, .n = N};
    all_are_what_they_are_alone(model, plain, MEMBERS, r);
    struct model *blas = open_model((struct model_options){.threads = 1, .kernels = "plain"});
    all_are_what_they_are_alone(blas, plain, MEMBERS, r);
    model_close(blas);
}

/* A prompt before left 70 tokens; 90 are for the next. */
static void what_prompts_share_stays(void **state)
{
    (void)state;
    struct kv_prefix *x = kv_prefix_new(model_shape(model), true);
    struct reading r = {.ids = prompt.v, .n = 80, .prefix = x, .keep = 70};
    struct outcome before;
    read_together(model, plain, 1, r, &before);
    free(before.logits);
    r = (struct reading){.ids = prompt.v, .n = N, .prefix = x, .have = 70, .keep = 90};
    all_are_what_they_are_alone(model, plain, MEMBERS, r);
    assert_int_equal(kv_prefix_tokens(x), 90);
    r = (struct reading){.ids = prompt.v, .n = N, .prefix = x, .have = 90};
    all_are_what_they_are_alone(model, plain, MEMBERS, r);
    assert_int_equal(kv_prefix_tokens(x), 90);
    kv_prefix_free(x);
}

static void a_budget_of_all_is_the_full_cache(void **state)
{
    (void)state;
    size_t vocab = (size_t)model_get_config(model)->vocab;
    const char *const texts[] = {"[\"full\"]", "[{\"kvzip\":{\"kept\":1}}]"};
    struct outcome all;
    read_together(model, texts, 2, (struct reading){.ids = prompt.v, .n = N}, &all);
    for (size_t t = 0; t < STEPS; t++)
        assert_memory_equal(all.logits + (1 + 2 * t) * vocab, all.logits + (2 + 2 * t) * vocab,
                            vocab * sizeof(float));
    free(all.logits);
}

/* ---- positions ---- */

static int checked(struct model *m, int n, int chunk, struct err *e)
{
    char text[64];
    struct kv_chain c = {0};
    snprintf(text, sizeof text, "[{\"kvzip\":{\"chunk\":%d}}]", chunk);
    assert_int_equal(read_chain(&c, text, e), 0);
    int rc = reading_check(m, &(struct reading){.ids = prompt.v, .n = n}, &c, e);
    kv_chain_release(&c);
    return rc;
}

static void positions_are_limited(void **state)
{
    (void)state;
    struct model *m = open_model((struct model_options){.threads = 1, .max_positions = N + 100});
    struct err e = {0};
    int most = 0;
    assert_int_equal(checked(m, N, 2000, &e), -1);
    assert_int_equal(e.class, ERR_ITEM);
    assert_non_null(strstr(e.msg, "kvzip"));
    assert_int_equal(sscanf(strstr(e.msg, "chunk "), "chunk %d at most", &most), 1);
    assert_true(most > 20 && most < 100);
    assert_int_equal(checked(m, N, most, &e), 0);
    assert_int_equal(checked(m, N, most + 1, &e), -1);
    assert_int_equal(checked(m, N, 5, &e), 0);
    assert_int_equal(checked(m, N + 98, 1, &e), -1);
    assert_non_null(strstr(e.msg, "no room"));
    model_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replay_is_a_prefill_of_prompt_and_part),
        cmocka_unit_test(settings_do_not_see_who_is_replayed),
        cmocka_unit_test(what_prompts_share_stays),
        cmocka_unit_test(a_budget_of_all_is_the_full_cache),
        cmocka_unit_test(positions_are_limited),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
