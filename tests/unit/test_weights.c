#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "harness/base/mem.h"
#include "harness/model/weights.h"
#include "tests/unit/scratch.h"

/* One layer, GQA, with sizes that all differ. */
static struct model_config small(void)
{
    return (struct model_config){.n_layers = 1,
                                 .hidden = 6,
                                 .mlp = 10,
                                 .n_heads = 4,
                                 .n_kv_heads = 2,
                                 .head_dim = 2,
                                 .vocab = 5};
}

struct row {
    const char *name;
    const char *dtype;
    int rows, cols; // cols 0: a vector
};

static const struct row whole[] = {
    {"model.embed_tokens.weight", "F32", 5, 6},
    {"model.layers.0.self_attn.q_proj.weight", "BF16", 8, 6},
    {"model.layers.0.self_attn.k_proj.weight", "BF16", 4, 6},
    {"model.layers.0.self_attn.v_proj.weight", "BF16", 4, 6},
    {"model.layers.0.self_attn.o_proj.weight", "F16", 6, 8},
    {"model.layers.0.mlp.gate_proj.weight", "BF16", 10, 6},
    {"model.layers.0.mlp.up_proj.weight", "BF16", 10, 6},
    {"model.layers.0.mlp.down_proj.weight", "BF16", 6, 10},
    {"model.layers.0.input_layernorm.weight", "BF16", 6, 0},
    {"model.layers.0.post_attention_layernorm.weight", "F16", 6, 0},
    {"model.norm.weight", "F32", 6, 0},
    {"lm_head.weight", "BF16", 5, 6},
};
enum { WHOLE = sizeof whole / sizeof *whole };

static size_t size_of(const char *dtype)
{
    return !strcmp(dtype, "F32") || !strcmp(dtype, "I32") ? 4 : 2;
}

/* model.safetensors of these tensors; every 16 bits are the code 0x3C00 (1 as F16). */
static void write_model(const struct row *rows, size_t n)
{
    struct buf header, file;
    size_t at = 0;
    buf_init(&header);
    buf_init(&file);
    for (size_t i = 0; i < n; i++) {
        size_t bytes = size_of(rows[i].dtype) * (size_t)rows[i].rows *
                       (size_t)(rows[i].cols ? rows[i].cols : 1);
        buf_printf(&header, "%c\"%s\":{\"dtype\":\"%s\",\"shape\":[%d", i ? ',' : '{', rows[i].name,
                   rows[i].dtype, rows[i].rows);
        if (rows[i].cols)
            buf_printf(&header, ",%d", rows[i].cols);
        buf_printf(&header, "],\"data_offsets\":[%zu,%zu]}", at, at + bytes);
        at += bytes;
    }
    buf_char(&header, '}');
    while (header.n % 8)
        buf_char(&header, ' ');
    uint16_t *data = xmalloc(at);
    for (size_t i = 0; i < at / 2; i++)
        data[i] = 0x3C00;
    scratch_safetensors(&file, header.s, data, at);
    scratch_write("model.safetensors", text_buf(&file));
    free(data);
    buf_release(&file);
    buf_release(&header);
}

static const char *verdict(const struct row *rows, size_t n, struct model_config c)
{
    static struct err e;
    e.msg[0] = 0;
    write_model(rows, n);
    struct weights *w = weights_open(".", &c, &e);
    assert_int_equal(w != NULL, !e.msg[0]);
    if (!w)
        assert_int_equal(e.class, ERR_USER);
    weights_close(w);
    return e.msg;
}

static void matrices_stay_as_they_are_stored(void **state)
{
    (void)state;
    struct err e;
    struct model_config c = small();
    write_model(whole, WHOLE);
    struct weights *w = weights_open(".", &c, &e);
    assert_non_null(w);
    assert_int_equal(w->n_layers, 1);
    assert_int_equal(w->layers[0].q.dtype, DT_BF16);
    assert_int_equal(w->layers[0].q.rows, 8);
    assert_int_equal(w->layers[0].k.rows, 4);
    assert_int_equal(w->layers[0].o.dtype, DT_F16);
    assert_int_equal(w->layers[0].o.cols, 8);
    assert_int_equal(w->layers[0].down.cols, 10);
    assert_int_equal(w->embed.dtype, DT_F32);
    assert_ptr_equal(w->layers[0].up.data,
                     safetensors_find(w->file, "model.layers.0.mlp.up_proj.weight")->data);
    assert_ptr_not_equal(w->head.data, w->embed.data);
    assert_int_equal(weights_parameters(w), 30 + 48 + 24 + 24 + 48 + 60 + 60 + 60 + 18 + 30);
    weights_close(w);
}

static void norms_are_f32(void **state)
{
    (void)state;
    struct err e;
    struct model_config c = small();
    write_model(whole, WHOLE);
    struct weights *w = weights_open(".", &c, &e);
    assert_non_null(w);
    for (int i = 0; i < c.hidden; i++) {
        assert_true(w->layers[0].attn_norm[i] == bf16_to_f32(0x3C00));
        assert_true(w->layers[0].mlp_norm[i] == 1);
        assert_true(w->final_norm[i] > 0.0078f && w->final_norm[i] < 0.0079f);
    }
    weights_close(w);
}

static void a_tied_head_is_the_embedding(void **state)
{
    (void)state;
    struct err e;
    struct model_config c = small();
    assert_string_equal(verdict(whole, WHOLE - 1, c),
                        "./model.safetensors: tensor 'lm_head.weight' is missing: config.json does "
                        "not fit or the file is not whole");
    c.tied_head = true;
    assert_string_equal(verdict(whole, WHOLE - 1, c), "");
    write_model(whole, WHOLE);
    struct weights *w = weights_open(".", &c, &e);
    assert_ptr_equal(w->head.data, w->embed.data);
    weights_close(w);
}

static void every_tensor_is_needed(void **state)
{
    (void)state;
    struct row rows[WHOLE];
    char want[256];
    for (size_t missing = 0; missing < WHOLE; missing++) {
        size_t n = 0;
        for (size_t i = 0; i < WHOLE; i++)
            if (i != missing)
                rows[n++] = whole[i];
        snprintf(want, sizeof want,
                 "./model.safetensors: tensor '%s' is missing: config.json does "
                 "not fit or the file is not whole",
                 whole[missing].name);
        assert_string_equal(verdict(rows, n, small()), want);
    }
}

static void wrong_shapes_and_types_are_named(void **state)
{
    (void)state;
    struct row rows[WHOLE];
    memcpy(rows, whole, sizeof whole);
    rows[2].rows = 8;
    assert_string_equal(verdict(rows, WHOLE, small()),
                        "./model.safetensors: tensor 'model.layers.0.self_attn.k_proj.weight' has "
                        "shape [8, 6], config.json asks for [4, 6]");
    memcpy(rows, whole, sizeof whole);
    rows[10].cols = 1;
    assert_string_equal(verdict(rows, WHOLE, small()),
                        "./model.safetensors: tensor 'model.norm.weight' has shape [6, 1], "
                        "config.json asks for [6]");
    memcpy(rows, whole, sizeof whole);
    rows[5].dtype = "I32";
    assert_string_equal(verdict(rows, WHOLE, small()),
                        "./model.safetensors: tensor 'model.layers.0.mlp.gate_proj.weight' is I32, "
                        "only F32, F16 and BF16 weights are supported");
    struct model_config c = small();
    c.n_layers = 2;
    assert_non_null(strstr(verdict(whole, WHOLE, c), "'model.layers.1.self_attn.q_proj.weight'"));
}

static void tensors_without_use_do_no_harm(void **state)
{
    (void)state;
    struct row rows[WHOLE + 2];
    memcpy(rows, whole, sizeof whole);
    rows[WHOLE] = (struct row){"model.layers.0.self_attn.rotary_emb.inv_freq", "F32", 1, 0};
    rows[WHOLE + 1] = (struct row){"model.layers.7.mlp.up_proj.weight", "F16", 2, 2};
    assert_string_equal(verdict(rows, WHOLE + 2, small()), "");
}

static void a_folder_without_weights(void **state)
{
    (void)state;
    struct err e;
    struct model_config c = small();
    unlink("model.safetensors");
    assert_null(weights_open(".", &c, &e));
    assert_string_equal(e.msg,
                        ".: holds neither model.safetensors nor model.safetensors.index.json");
    scratch_write("pytorch_model.bin", text_of("PK"));
    assert_null(weights_open(".", &c, &e));
    assert_non_null(strstr(e.msg, "safe_serialization=True"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matrices_stay_as_they_are_stored),
        cmocka_unit_test(norms_are_f32),
        cmocka_unit_test(a_tied_head_is_the_embedding),
        cmocka_unit_test(every_tensor_is_needed),
        cmocka_unit_test(wrong_shapes_and_types_are_named),
        cmocka_unit_test(tensors_without_use_do_no_harm),
        cmocka_unit_test(a_folder_without_weights),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
