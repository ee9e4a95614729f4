/*
 * The forward pass: batches, threads and the plain loops on the built-in model; positions and the
 * head on a checkpoint of two small layers written here.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "harness/model/model.h"
#include "runner/command.h"
#include "tests/unit/scratch.h"
#include "tests/unit/sequence.h"

static char *mini_dir; // absolute: the tests work in a scratch folder

static int enter(void **state)
{
    char here[4096], *dir = command_path_dup("configs/models/mini");
    if (*dir == '/') {
        mini_dir = dir;
    } else {
        mini_dir = getcwd(here, sizeof here) ? file_join_dup(here, dir) : NULL;
        free(dir);
    }
    return !mini_dir || scratch_enter(state);
}

static int leave(void **state)
{
    free(mini_dir);
    return scratch_leave(state);
}

static struct model *open_model(const char *dir, struct model_options o)
{
    struct err e = {0};
    struct model *m = model_open_bare(dir, &o, &e);
    if (!m)
        fail_msg("%s", e.msg);
    return m;
}

static size_t vocab_of(const struct model *m)
{
    return (size_t)model_get_config(m)->vocab;
}

static void fill_ids(int32_t *ids, int n, const struct model *m, uint64_t seed)
{
    struct rng r = {seed};
    for (int i = 0; i < n; i++)
        ids[i] = rng_below(&r, model_get_config(m)->vocab);
}

static void open_chain(struct kv_chain *c, const struct model *m, const char *text)
{
    struct err e = {0};
    assert_int_equal(read_chain(c, text, &e), 0);
    assert_int_equal(kv_chain_check(c, model_shape(m), true, "test", &e), 0);
}

/* One sequence: a prompt, then the ids that follow. */
struct text_ids {
    const int32_t *ids;
    int n_prompt;
};

static struct kv_cache *read_prompt(struct model *m, const struct kv_chain *chain,
                                    struct text_ids t, int cap, float *logits)
{
    return model_read(m, chain, t.ids, t.n_prompt, cap, logits);
}

/* Logits of the prompt's last token and of `steps` more: out [1 + steps][vocab]. */
static void run(struct model *m, const struct kv_chain *chain, struct text_ids t, int steps,
                float *out)
{
    struct kv_cache *c = read_prompt(m, chain, t, t.n_prompt + steps, out);
    for (int i = 0; i < steps; i++)
        model_step(m, t.ids + t.n_prompt + i, &c, 1, out + (size_t)(i + 1) * vocab_of(m));
    kv_cache_free(c);
}

static float *logits_new(const struct model *m, int n)
{
    return xcalloc((size_t)n, vocab_of(m) * sizeof(float));
}

/* ---- the built-in model ---- */

enum { LONG = 140, STEPS = 4, BATCH = 3 };

/* Three prompts of different lengths, each under another method as far as there are so many. */
static void a_batch_is_as_good_as_each_alone(void **state)
{
    (void)state;
    const int prompts[BATCH] = {LONG, 57, 1};
    struct model *m = open_model(mini_dir, (struct model_options){.threads = 1});
    size_t vocab = vocab_of(m);
    struct kv_chain chains[BATCH];
    struct kv_cache *caches[BATCH];
    int32_t ids[BATCH][LONG + STEPS], step_ids[BATCH];
    float *batch = logits_new(m, BATCH * STEPS), *alone = logits_new(m, 1 + STEPS);
    int n_methods = 1; // there is one at least: full
    while (kv_method_all[n_methods])
        n_methods++;
    assert(n_methods > 0);
    for (int i = 0; i < BATCH; i++) {
        struct settings s = {0};
        settings_default(&s, kv_method_all[(i + 1) % n_methods]);
        open_chain(&chains[i], m, s.text[0]);
        settings_release(&s);
        fill_ids(ids[i], LONG + STEPS, m, (uint64_t)i + 1);
        caches[i] =
            read_prompt(m, &chains[i], (struct text_ids){ids[i], prompts[i]}, LONG + STEPS, alone);
    }
    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < BATCH; i++)
            step_ids[i] = ids[i][prompts[i] + step];
        model_step(m, step_ids, caches, BATCH, batch + (size_t)step * BATCH * vocab);
    }
    for (int i = 0; i < BATCH; i++) {
        run(m, &chains[i], (struct text_ids){ids[i], prompts[i]}, STEPS, alone);
        for (size_t step = 0; step < STEPS; step++)
            assert_memory_equal(batch + (step * BATCH + (size_t)i) * vocab,
                                alone + (step + 1) * vocab, vocab * sizeof *alone);
        kv_cache_free(caches[i]);
        kv_chain_release(&chains[i]);
    }
    free(batch), free(alone);
    model_close(m);
}

/* Caches of unlike settings and lengths, one seed each. */
static struct kv_cache *many_cache(struct model *m, const struct kv_chain *chains, int i,
                                   float *logits)
{
    int32_t ids[LONG];
    fill_ids(ids, LONG, m, (uint64_t)i + 50);
    return read_prompt(m, &chains[i % 3], (struct text_ids){ids, i % 5 ? 3 + i : LONG}, 2 * LONG,
                       logits);
}

/* Every batch up to 33 rows, on one thread and on two, which share it out by heads or by caches. */
static void a_row_does_not_depend_on_its_batch(void **state)
{
    enum { MANY = 33 };
    static const char *const settings[] = {
        "[\"full\"]", "[{\"kvo\":{\"first_layer\":0,\"window\":16,\"value_group\":16}}]",
        "[\"q8\"]"};
    static const int sizes[] = {1, 2, 3, 5, 8, 9, 16, MANY};
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        struct model *m = open_model(mini_dir, (struct model_options){.threads = threads});
        struct kv_chain chains[3];
        struct kv_cache *caches[MANY];
        float *alone = logits_new(m, MANY), *batch = logits_new(m, MANY);
        int32_t ids[MANY];
        fill_ids(ids, MANY, m, 9);
        for (int i = 0; i < 3; i++)
            open_chain(&chains[i], m, settings[i]);
        for (int i = 0; i < MANY; i++) {
            caches[i] = many_cache(m, chains, i, batch);
            model_step(m, &ids[i], &caches[i], 1, alone + (size_t)i * vocab_of(m));
            kv_cache_free(caches[i]);
        }
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            for (int i = 0; i < sizes[s]; i++)
                caches[i] = many_cache(m, chains, i, batch);
            double before = model_attention_seconds(m);
            model_step(m, ids, caches, sizes[s], batch);
            assert_true(model_attention_seconds(m) > before);
            assert_memory_equal(batch, alone, (size_t)sizes[s] * vocab_of(m) * sizeof *alone);
            for (int i = 0; i < sizes[s]; i++)
                kv_cache_free(caches[i]);
        }
        free(alone), free(batch);
        for (int i = 0; i < 3; i++)
            kv_chain_release(&chains[i]);
        model_close(m);
    }
}

static void run_all(struct model_options o, const char *chain_text, int prompt, float **out)
{
    struct model *m = open_model(mini_dir, o);
    struct kv_chain chain;
    int32_t ids[200 + STEPS];
    assert_true(prompt <= 200);
    fill_ids(ids, prompt + STEPS, m, 11);
    open_chain(&chain, m, chain_text);
    *out = logits_new(m, 1 + STEPS);
    run(m, &chain, (struct text_ids){ids, prompt}, STEPS, *out);
    kv_chain_release(&chain);
    model_close(m);
}

static size_t mini_logits(void)
{
    struct model_config c;
    struct err e;
    assert_int_equal(model_config_read(mini_dir, &c, &e), 0);
    return (size_t)c.vocab * (1 + STEPS);
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    for (int i = 0; kv_method_all[i]; i++) {
        struct settings s = {0};
        float *one, *two;
        settings_default(&s, kv_method_all[i]);
        run_all((struct model_options){.threads = 1}, s.text[0], 150, &one);
        run_all((struct model_options){.threads = 2}, s.text[0], 150, &two);
        assert_memory_equal(one, two, mini_logits() * sizeof *one);
        free(one), free(two);
        settings_release(&s);
    }
}

static void plain_loops_agree(void **state)
{
    (void)state;
    float *fast, *plain;
    double worst = 0;
    run_all((struct model_options){.threads = 2}, "[\"full\"]", 200, &fast);
    run_all((struct model_options){.threads = 2, .reference = true}, "[\"full\"]", 200, &plain);
    for (size_t i = 0; i < mini_logits(); i++)
        worst = fmax(worst, fabs((double)fast[i] - plain[i]));
    assert_true(worst > 0 && worst <= 1e-3);
    for (size_t i = 0; i < mini_logits(); i++)
        assert_false(isnan(fast[i]) || isnan(plain[i]));
    free(fast), free(plain);
}

/* ---- a checkpoint written here ---- */

/* The heads are wider than the hidden state. */
enum { HIDDEN = 16, HEAD = 6, MLP = 26, VOCAB = 13, LAYERS = 2, POSITIONS = 32 };

struct file {
    struct buf header, data;
    struct rng rng;
    float embed[VOCAB * HIDDEN];
};

static void put_tensor(struct file *f, const char *name, int rows, int cols, const float *x)
{
    size_t n = (size_t)rows * (size_t)(cols ? cols : 1), at = f->data.n;
    for (size_t i = 0; i < n; i++) {
        float value = x ? x[i] : (float)(cols ? 0.3 * rng_normal(&f->rng) : 1);
        buf_add(&f->data, &value, sizeof value);
    }
    buf_printf(&f->header, "%c\"%s\":{\"dtype\":\"F32\",\"shape\":[%d", at ? ',' : '{', name, rows);
    if (cols)
        buf_printf(&f->header, ",%d", cols);
    buf_printf(&f->header, "],\"data_offsets\":[%zu,%zu]}", at, f->data.n);
}

static void put_layer(struct file *f, int layer)
{
    static const struct {
        const char *name;
        int rows, cols;
    } tensors[] = {{"self_attn.q_proj", 4 * HEAD, HIDDEN}, {"self_attn.k_proj", 2 * HEAD, HIDDEN},
                   {"self_attn.v_proj", 2 * HEAD, HIDDEN}, {"self_attn.o_proj", HIDDEN, 4 * HEAD},
                   {"mlp.gate_proj", MLP, HIDDEN},         {"mlp.up_proj", MLP, HIDDEN},
                   {"mlp.down_proj", HIDDEN, MLP},         {"input_layernorm", HIDDEN, 0},
                   {"post_attention_layernorm", HIDDEN, 0}};
    char name[128];
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        snprintf(name, sizeof name, "model.layers.%d.%s.weight", layer, tensors[i].name);
        put_tensor(f, name, tensors[i].rows, tensors[i].cols, NULL);
    }
}

enum head { NO_HEAD, COPIED_HEAD, OWN_HEAD };

static void write_weights(enum head head)
{
    struct file f = {.rng = {5}};
    struct rng r = {6};
    struct buf out;
    buf_init(&f.header), buf_init(&f.data), buf_init(&out);
    for (int i = 0; i < VOCAB * HIDDEN; i++)
        f.embed[i] = (float)rng_normal(&r);
    put_tensor(&f, "model.embed_tokens.weight", VOCAB, HIDDEN, f.embed);
    for (int layer = 0; layer < LAYERS; layer++)
        put_layer(&f, layer);
    put_tensor(&f, "model.norm.weight", HIDDEN, 0, NULL);
    if (head != NO_HEAD)
        put_tensor(&f, "lm_head.weight", VOCAB, HIDDEN, head == COPIED_HEAD ? f.embed : NULL);
    buf_char(&f.header, '}');
    while (f.header.n % 8)
        buf_char(&f.header, ' ');
    scratch_safetensors(&out, f.header.s, f.data.s, f.data.n);
    scratch_write("model.safetensors", text_buf(&out));
    buf_release(&f.header), buf_release(&f.data), buf_release(&out);
}

static void write_config(bool tied, const char *more)
{
    struct buf b;
    buf_init(&b);
    buf_printf(&b,
               "{\"model_type\":\"llama\",\"hidden_size\":%d,\"intermediate_size\":%d,"
               "\"num_hidden_layers\":%d,\"num_attention_heads\":4,\"num_key_value_heads\":2,"
               "\"head_dim\":%d,"
               "\"vocab_size\":%d,\"max_position_embeddings\":%d,\"rms_norm_eps\":1e-5,"
               "\"hidden_act\":\"silu\",\"tie_word_embeddings\":%s%s}",
               HIDDEN, MLP, LAYERS, HEAD, VOCAB, POSITIONS, tied ? "true" : "false", more);
    scratch_write("config.json", text_buf(&b));
    buf_release(&b);
}

static const struct model_options plain_one = {.threads = 1, .reference = true};

/* Rotated keys of layer 0 depend on the token and its position alone. */
static struct kv_cache *same_token(struct model *m, const struct kv_chain *chain, int n)
{
    int32_t ids[4 * POSITIONS];
    float logits[VOCAB];
    for (int i = 0; i < n; i++)
        ids[i] = 7;
    return model_read(m, chain, ids, n, n, logits);
}

/* Scaled by 2, position 2t turns by the angle that t has unscaled. */
static void rope_factor_stretches_positions(void **state)
{
    (void)state;
    struct model_options o = plain_one;
    struct kv_chain chain;
    write_weights(NO_HEAD);
    write_config(true, "");
    struct model *m = open_model(".", o);
    o.rope_factor = 2;
    struct model *scaled = open_model(".", o);
    open_chain(&chain, m, "[\"f32\"]");
    struct kv_cache *a = same_token(m, &chain, POSITIONS),
                    *b = same_token(scaled, &chain, POSITIONS);
    const struct kv_rows *rows = kv_reference_rows(kv_cache_layer(a, 0)->store);
    const struct kv_rows *stretched = kv_reference_rows(kv_cache_layer(b, 0)->store);
    size_t d = (size_t)model_shape(m)->head_dim;
    for (int h = 0; h < model_shape(m)->n_kv_heads; h++)
        for (int t = 0; t < POSITIONS / 2; t++) {
            size_t head = (size_t)h * POSITIONS;
            const float *k = rows->k + (head + (size_t)t) * d;
            assert_memory_equal(k, stretched->k + (head + 2 * (size_t)t) * d, d * sizeof *k);
            if (t)
                assert_memory_not_equal(k, stretched->k + (head + (size_t)t) * d, d * sizeof *k);
        }
    kv_cache_free(a), kv_cache_free(b);
    kv_chain_release(&chain);
    model_close(m), model_close(scaled);
}

static void tiny_logits(const struct model_options *o, float out[(1 + STEPS) * VOCAB])
{
    struct kv_chain chain;
    int32_t ids[12 + STEPS];
    struct model *m = open_model(".", *o);
    fill_ids(ids, 12 + STEPS, m, 3);
    open_chain(&chain, m, "[\"full\"]");
    run(m, &chain, (struct text_ids){ids, 12}, STEPS, out);
    kv_chain_release(&chain);
    model_close(m);
}

/* It stands in for the checkpoint's own scaling, whatever that is. */
static void rope_factor_replaces_the_checkpoints(void **state)
{
    (void)state;
    struct model_options o = plain_one;
    float by_option[(1 + STEPS) * VOCAB], by_file[(1 + STEPS) * VOCAB], other[(1 + STEPS) * VOCAB];
    write_weights(NO_HEAD);
    write_config(true, ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":4.0}");
    tiny_logits(&o, by_file);
    o.rope_factor = 3;
    tiny_logits(&o, other);
    assert_memory_not_equal(other, by_file, sizeof by_file);
    write_config(true, "");
    o.rope_factor = 4;
    tiny_logits(&o, by_option);
    assert_memory_equal(by_option, by_file, sizeof by_file);
}

static void max_positions_can_be_raised_and_lowered(void **state)
{
    (void)state;
    struct model_options o = plain_one;
    struct kv_chain chain;
    write_weights(NO_HEAD);
    write_config(true, "");
    struct model *m = open_model(".", o);
    assert_int_equal(model_get_config(m)->max_positions, POSITIONS);
    model_close(m);
    o.max_positions = 8;
    m = open_model(".", o);
    assert_int_equal(model_get_config(m)->max_positions, 8);
    model_close(m);
    o.max_positions = 4 * POSITIONS;
    m = open_model(".", o);
    open_chain(&chain, m, "[\"full\"]");
    struct kv_cache *c = same_token(m, &chain, 4 * POSITIONS);
    assert_int_equal(kv_cache_length(c), 4 * POSITIONS);
    kv_cache_free(c);
    kv_chain_release(&chain);
    model_close(m);
}

/* Tied, with a copy of the embedding as head, and with a head of its own. */
static void a_tied_head_is_the_embedding(void **state)
{
    (void)state;
    float tied[(1 + STEPS) * VOCAB], copied[(1 + STEPS) * VOCAB], other[(1 + STEPS) * VOCAB];
    write_weights(NO_HEAD);
    write_config(true, "");
    tiny_logits(&plain_one, tied);
    write_weights(COPIED_HEAD);
    write_config(false, "");
    tiny_logits(&plain_one, copied);
    assert_memory_equal(tied, copied, sizeof tied);
    write_weights(OWN_HEAD);
    tiny_logits(&plain_one, other);
    assert_memory_not_equal(tied, other, sizeof tied);
    for (int i = 0; i < (1 + STEPS) * VOCAB; i++)
        assert_false(isnan(tied[i]));
}

/* Chunks of a prompt are an affair of speed: a long prompt read as a prompt and read step by step
 * end in the same logits. */
static void a_prompt_and_steps_agree(void **state)
{
    (void)state;
    enum { N = MODEL_BATCH_MAX + 40, STEPWISE = 60 };
    struct model_options o = {.threads = 1, .max_positions = N + 1};
    struct kv_chain chain;
    static int32_t ids[N];
    float whole[VOCAB], parts[(1 + STEPWISE) * VOCAB];
    write_weights(NO_HEAD);
    write_config(true, "");
    struct model *m = open_model(".", o);
    fill_ids(ids, N, m, 4);
    open_chain(&chain, m, "[\"f32\"]");
    run(m, &chain, (struct text_ids){ids, N}, 0, whole);
    run(m, &chain, (struct text_ids){ids, N - STEPWISE}, STEPWISE, parts);
    for (int i = 0; i < VOCAB; i++)
        assert_true(fabs((double)whole[i] - parts[STEPWISE * VOCAB + i]) <= 1e-4);
    kv_chain_release(&chain);
    model_close(m);
}

static void argmax_finds_it_anywhere(void **state)
{
    (void)state;
    float logits[50];
    for (int n = 1; n <= 50; n++)
        for (int at = 0; at < n; at++) {
            for (int i = 0; i < n; i++)
                logits[i] = i < at ? -3.0f - (float)(i % 5) : -2.5f;
            logits[at] = -2.0f;
            if (at + 7 < n)
                logits[at + 7] = -2.0f; // the lowest id of equals
            assert_int_equal(model_argmax(logits, n, NULL, 0), at);
            assert_int_equal(model_argmax(logits, n, &(int32_t){n}, 1), at);
        }
}

static void argmax_takes_the_first_and_skips_the_banned(void **state)
{
    (void)state;
    const float logits[] = {1, 3, 3, 2};
    const int32_t banned[] = {1, 2};
    assert_int_equal(model_argmax(logits, 4, NULL, 0), 1);
    assert_int_equal(model_argmax(logits, 4, banned, 1), 2);
    assert_int_equal(model_argmax(logits, 4, banned, 2), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_as_good_as_each_alone),
        cmocka_unit_test(a_row_does_not_depend_on_its_batch),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(plain_loops_agree),
        cmocka_unit_test(rope_factor_stretches_positions),
        cmocka_unit_test(rope_factor_replaces_the_checkpoints),
        cmocka_unit_test(max_positions_can_be_raised_and_lowered),
        cmocka_unit_test(a_tied_head_is_the_embedding),
        cmocka_unit_test(a_prompt_and_steps_agree),
        cmocka_unit_test(argmax_finds_it_anywhere),
        cmocka_unit_test(argmax_takes_the_first_and_skips_the_banned),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
