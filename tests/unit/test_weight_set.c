/*
 * A model whose weights are packed against one whose checkpoint holds the decoded values as F32:
 * the same logits, bit for bit, of prefill and steps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "harness/model/model.h"
#include "harness/model/weights.h"
#include "runner/command.h"
#include "tests/unit/scratch.h"
#include "tests/unit/sequence.h"

enum { PROMPT = 90, STEPS = 3 };

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

/* ---- the checkpoint of decoded values ---- */

static void put_decoded(struct buf *out, const struct tensor *t, const struct quant_format *f,
                        struct pool *pool)
{
    struct matrix m = {t->data, t->dtype, (int)t->shape[0], (int)t->shape[1], NULL};
    struct quant_rows rows;
    uint8_t *data = mem_aligned(quant_bytes(f, m.rows, m.cols));
    quant_pack(&rows, data, &m, f, pool);
    for (int j = 0; j < m.rows; j++)
        for (int i = 0; i < m.cols; i++) {
            float x = quant_weight(&rows, quant_row(&rows, j), i);
            buf_add(out, &x, sizeof x);
        }
    free(data);
}

static void put_tensor(struct buf *header, struct buf *data, const struct tensor *t,
                       const struct quant_format *f, struct pool *pool)
{
    bool packed = strstr(t->name, "_proj") != NULL;
    size_t at = data->n;
    if (packed)
        put_decoded(data, t, f, pool);
    else
        buf_add(data, t->data, t->bytes);
    buf_printf(header, "%c\"%s\":{\"dtype\":\"%s\",\"shape\":[", at ? ',' : '{', t->name,
               dtype_name(packed ? DT_F32 : t->dtype));
    for (int i = 0; i < t->n_dims; i++)
        buf_printf(header, "%s%d", i ? "," : "", (int)t->shape[i]);
    buf_printf(header, "],\"data_offsets\":[%zu,%zu]}", at, data->n);
}

static void write_decoded(const struct quant_format *f)
{
    struct err e;
    struct buf header, data, out;
    struct pool *pool = pool_new(2);
    char *path = file_join_dup(mini_dir, "model.safetensors");
    char *config = file_join_dup(mini_dir, "config.json");
    struct safetensors *s = safetensors_open(path, &e);
    struct text t;
    buf_init(&header), buf_init(&data), buf_init(&out);
    assert_non_null(s);
    for (size_t i = 0; i < safetensors_count(s); i++)
        put_tensor(&header, &data, safetensors_at(s, i), f, pool);
    buf_char(&header, '}');
    while (header.n % 8)
        buf_char(&header, ' ');
    scratch_safetensors(&out, header.s, data.s, data.n);
    scratch_write("model.safetensors", text_buf(&out));
    assert_int_equal(file_read(config, &t, &e), 0);
    scratch_write("config.json", t);
    free((void *)t.s), free(path), free(config);
    buf_release(&header), buf_release(&data), buf_release(&out);
    safetensors_close(s);
    pool_free(pool);
}

/* ---- logits ---- */

static struct model *open_model(const char *dir, struct model_options o)
{
    struct err e = {0};
    struct model *m = model_open_bare(dir, &o, &e);
    if (!m)
        fail_msg("%s", e.msg);
    return m;
}

static void use(struct model *m, const struct quant_format *f)
{
    struct err e;
    assert_int_equal(model_check_weights(m, f, &e), 0);
    assert_int_equal(model_use_weights(m, f, &e), 0);
}

/* Of the prompt's last token and of the steps; the caller frees. */
static float *logits_dup(struct model *m)
{
    size_t vocab = (size_t)model_get_config(m)->vocab;
    float *out = xcalloc(1 + STEPS, vocab * sizeof *out);
    struct rng r = {3};
    int32_t ids[PROMPT + STEPS];
    struct kv_chain chain;
    struct err e;
    for (int i = 0; i < PROMPT + STEPS; i++)
        ids[i] = rng_below(&r, model_get_config(m)->vocab);
    assert_int_equal(read_chain(&chain, "[\"full\"]", &e), 0);
    struct kv_cache *c = model_read(m, &chain, ids, PROMPT, PROMPT + STEPS, out);
    for (int i = 0; i < STEPS; i++)
        model_step(m, ids + PROMPT + i, &c, 1, out + (size_t)(i + 1) * vocab);
    kv_cache_free(c);
    kv_chain_release(&chain);
    return out;
}

static size_t logits_size(const struct model *m)
{
    return (1 + STEPS) * (size_t)model_get_config(m)->vocab * sizeof(float);
}

static void check_equal(const struct quant_format *f, struct model_options o)
{
    struct model *packed = open_model(mini_dir, o), *decoded = open_model(".", o);
    use(packed, f);
    float *a = logits_dup(packed), *b = logits_dup(decoded);
    assert_memory_equal(a, b, logits_size(packed));
    free(a), free(b);
    model_close(packed), model_close(decoded);
}

static void packed_weights_are_their_decoded_values(void **state)
{
    static const struct quant_format formats[] = {
        {4, 128, 0, 1, 0}, {8, 256, 1, 1, 0}, {3, 32, 0, 0.9, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        write_decoded(&formats[i]);
        check_equal(&formats[i], (struct model_options){.threads = 2});
        check_equal(&formats[i], (struct model_options){.threads = 1, .kernels = "avx2"});
        if (i == 0)
            check_equal(&formats[i], (struct model_options){.threads = 2, .reference = true});
    }
}

static void formats_take_turns(void **state)
{
    static const struct quant_format off = {16, 64, 0, 1, 0}, four = {4, 64, 0, 1, 0},
                                     two = {2, 64, 0, 1, 0};
    (void)state;
    struct model *m = open_model(mini_dir, (struct model_options){.threads = 2});
    float *plain = logits_dup(m);
    uint64_t all = model_weight_bits(m);
    use(m, &four);
    float *a = logits_dup(m);
    uint64_t held = model_weight_bits(m);
    use(m, &two);
    float *b = logits_dup(m);
    assert_memory_not_equal(a, b, logits_size(m));
    use(m, &four);
    float *c = logits_dup(m);
    assert_memory_equal(a, c, logits_size(m));
    assert_int_equal(model_weight_bits(m), held);
    assert_true(model_weight_bits(m) < all / 2);
    use(m, &off);
    float *d = logits_dup(m);
    assert_memory_equal(plain, d, logits_size(m));
    assert_int_equal(model_weight_bits(m), all);
    free(plain), free(a), free(b), free(c), free(d);
    model_close(m);
}

/* A step reads each matrix of each layer once, and the head; packed ones at their packed size. */
static void what_a_step_reads_is_counted(void **state)
{
    static const struct quant_format formats[] = {{16, 0, 0, 1, 0}, {4, 128, 0, 1, 0}};
    (void)state;
    struct model *m = open_model(mini_dir, (struct model_options){.threads = 1});
    const struct model_config *c = model_get_config(m);
    uint64_t layers = (uint64_t)(model_parameters(m) - (size_t)c->vocab * (size_t)c->hidden -
                                 (2 * (size_t)c->n_layers + 1) * (size_t)c->hidden);
    for (int i = 0; i < 2; i++) {
        use(m, &formats[i]);
        uint64_t before = model_weight_bits_read(m), head = 16u * (uint64_t)(c->vocab * c->hidden);
        free(logits_dup(m));
        /* Four bits, and a pair of two f16 for 128 weights. */
        uint64_t step = i ? layers * 4 + layers / 128 * 32 : layers * 16;
        assert_int_equal(model_weight_bits_read(m) - before, STEPS * (step + head) + head);
    }
    model_close(m);
}

static void groups_that_do_not_fit_are_refused(void **state)
{
    struct quant_format f = {4, 512, 0, 1, 0};
    struct err e;
    (void)state;
    struct model *m = open_model(mini_dir, (struct model_options){.threads = 1});
    assert_int_equal(model_check_weights(m, &f, &e), -1);
    assert_int_equal(e.class, ERR_USER);
    assert_string_equal(e.msg,
                        "key 'group' is 512, must divide the 256 columns of self_attn.q_proj: the "
                        "nearest that does is 256; 0 takes whole rows");
    f.group = 96;
    assert_int_equal(model_check_weights(m, &f, &e), -1);
    f.group = 0;
    assert_int_equal(model_check_weights(m, &f, &e), 0);
    model_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_weights_are_their_decoded_values),
        cmocka_unit_test(formats_take_turns),
        cmocka_unit_test(what_a_step_reads_is_counted),
        cmocka_unit_test(groups_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
