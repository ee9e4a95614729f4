#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "harness/model/hf_config.h"
#include "tests/unit/scratch.h"

#define LEAST                                                                                      \
    "\"model_type\":\"llama\",\"num_hidden_layers\":2,\"hidden_size\":64,\"intermediate_size\":"   \
    "96,"                                                                                          \
    "\"num_attention_heads\":4,\"vocab_size\":100"

static struct model_config config;

/* Reads {LEAST more} into `config`; what is said of it, "" when it is good. */
static const char *verdict(const char *whole)
{
    static struct err e;
    struct json *j = json_read(text_of(whole), &e);
    assert_non_null(j);
    e.msg[0] = 0;
    int rc = model_config_from_json(j, &config, &e);
    json_free(j);
    assert_int_equal(rc, e.msg[0] ? -1 : 0);
    if (rc)
        assert_int_equal(e.class, ERR_USER);
    return e.msg;
}

#define WITH(more) verdict("{" LEAST "," more "}")

static void absent_keys_have_llama_defaults(void **state)
{
    (void)state;
    assert_string_equal(verdict("{" LEAST "}"), "");
    assert_string_equal(config.family, "llama");
    assert_int_equal(config.n_layers, 2);
    assert_int_equal(config.n_kv_heads, 4);
    assert_int_equal(config.head_dim, 16);
    assert_int_equal(config.max_positions, 2048);
    assert_true(config.rms_eps == 1e-6 && config.rope_theta == 10000);
    assert_int_equal(config.rope_scaling, ROPE_NONE);
    assert_true(config.rope_factor == 1);
    assert_false(config.tied_head);
    assert_int_equal(config.bos, 1);
    assert_int_equal(config.n_eos, 1);
    assert_int_equal(config.eos[0], 2);
}

static void keys_that_are_there_are_read(void **state)
{
    (void)state;
    assert_string_equal(
        WITH("\"architectures\":[\"LlamaForCausalLM\"],\"num_key_value_heads\":2,\"head_dim\":24,"
             "\"max_position_embeddings\":512,\"rms_norm_eps\":1e-5,\"rope_theta\":5e5,"
             "\"tie_word_embeddings\":true,\"bos_token_id\":null,\"eos_token_id\":[7,9],"
             "\"torch_dtype\":\"bfloat16\",\"rope_scaling\":null,\"attention_bias\":false"),
        "");
    assert_int_equal(config.n_kv_heads, 2);
    assert_int_equal(config.head_dim, 24);
    assert_int_equal(config.max_positions, 512);
    assert_true(config.rms_eps == 1e-5 && config.rope_theta == 5e5);
    assert_true(config.tied_head);
    assert_int_equal(config.bos, -1);
    assert_int_equal(config.n_eos, 2);
    assert_int_equal(config.eos[1], 9);
    assert_int_equal(config.dtype, DT_BF16);
}

static void linear_scaling_stretches_positions(void **state)
{
    (void)state;
    assert_string_equal(WITH("\"max_position_embeddings\":4096,"
                             "\"rope_scaling\":{\"type\":\"linear\",\"factor\":4.0}"),
                        "");
    assert_int_equal(config.rope_scaling, ROPE_LINEAR);
    assert_true(config.rope_factor == 4);
    assert_int_equal(config.max_positions, 16384);
    assert_string_equal(WITH("\"max_position_embeddings\":4096,\"max_sequence_length\":10000,"
                             "\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":4}"),
                        "");
    assert_int_equal(config.max_positions, 10000);
    assert_string_equal(WITH("\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":777}"),
                        "");
    assert_true(config.rope_theta == 777);
    assert_int_equal(config.rope_scaling, ROPE_NONE);
}

static void what_is_not_supported_is_named(void **state)
{
    (void)state;
    assert_string_equal(verdict("{\"model_type\":\"qwen2\"}"),
                        "model_type 'qwen2' is not supported, only 'llama' is");
    assert_string_equal(WITH("\"architectures\":[\"LlamaForSequenceClassification\"]"),
                        "architecture 'LlamaForSequenceClassification' is not supported, only "
                        "'LlamaForCausalLM' is");
    assert_string_equal(WITH("\"attention_bias\":true"),
                        "key 'attention_bias' is true: projections with biases are not supported");
    assert_string_equal(WITH("\"mlp_bias\":true"),
                        "key 'mlp_bias' is true: projections with biases are not supported");
    assert_string_equal(WITH("\"hidden_act\":\"gelu\""),
                        "hidden_act 'gelu' is not supported, only 'silu' is");
    assert_string_equal(WITH("\"torch_dtype\":\"float8_e4m3fn\""),
                        "torch_dtype 'float8_e4m3fn' is not supported, only float32, float16 and "
                        "bfloat16 are");
    assert_non_null(strstr(WITH("\"quantization_config\":{}"), "quantised checkpoints"));
    assert_string_equal(WITH("\"partial_rotary_factor\":0.5"),
                        "partial_rotary_factor 0.5 is not supported, only 1 is");
}

static void other_scalings_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const types[] = {"dynamic", "yarn", "llama3", "longrope"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct buf json, want;
        buf_init(&json);
        buf_init(&want);
        buf_printf(&json, "{%s,\"rope_scaling\":{\"type\":\"%s\",\"factor\":2}}", LEAST, types[i]);
        buf_printf(&want, "rope_scaling type '%s' is not supported, only 'linear' is", types[i]);
        assert_string_equal(verdict(json.s), want.s);
        buf_release(&json);
        buf_release(&want);
    }
    assert_string_equal(WITH("\"rope_scaling\":{\"type\":\"linear\"}"),
                        "rope_scaling: key 'factor' is missing");
    assert_string_equal(WITH("\"rope_scaling\":{\"type\":\"linear\",\"factor\":0.5}"),
                        "rope_scaling: key 'factor' is 0.5, must be from 1 to 65536");
    assert_string_equal(WITH("\"rope_scaling\":{\"factor\":2}"),
                        "rope_scaling: key 'type' is missing");
    assert_string_equal(WITH("\"rope_scaling\":2"),
                        "key 'rope_scaling' is a number, must be an object or null");
}

static void values_out_of_range(void **state)
{
    (void)state;
    assert_string_equal(verdict("[]"), "is an array, must be an object");
    assert_string_equal(verdict("{}"), "key 'model_type' is missing");
    assert_string_equal(verdict("{\"model_type\":\"llama\"}"),
                        "key 'num_hidden_layers' is missing");
    assert_string_equal(verdict("{\"model_type\":\"llama\",\"num_hidden_layers\":0}"),
                        "key 'num_hidden_layers' is 0, must be a whole number from 1 to 4096");
    assert_string_equal(verdict("{\"model_type\":\"llama\",\"num_hidden_layers\":2.5}"),
                        "key 'num_hidden_layers' is 2.5, must be a whole number from 1 to 4096");
    assert_string_equal(WITH("\"num_key_value_heads\":3"),
                        "num_attention_heads 4 is not a multiple of num_key_value_heads 3");
    assert_string_equal(WITH("\"head_dim\":15"),
                        "head_dim 15 must be even and at most 4096: rotation takes pairs");
    assert_string_equal(WITH("\"rms_norm_eps\":-1"),
                        "key 'rms_norm_eps' is -1, must be from 0 to 1");
    assert_string_equal(WITH("\"rope_theta\":\"10000\""),
                        "key 'rope_theta' is a string, must be a number");
    assert_string_equal(WITH("\"bos_token_id\":100"),
                        "key 'bos_token_id' is 100, must be a token id from 0 to 99");
    assert_string_equal(WITH("\"eos_token_id\":[2,\"x\"]"),
                        "key 'eos_token_id' holds a string, must be a token id");
    assert_string_equal(WITH("\"eos_token_id\":[1,2,3,4,5,6,7,8,9]"),
                        "key 'eos_token_id' has 9 ids, at most 8 are supported");
    assert_string_equal(WITH("\"tie_word_embeddings\":1"),
                        "key 'tie_word_embeddings' is a number, must be true or false");
}

static void the_file_is_named(void **state)
{
    (void)state;
    struct err e;
    assert_int_equal(model_config_read(".", &config, &e), -1);
    assert_string_equal(e.msg, "./config.json: No such file or directory");
    scratch_write("config.json", text_of("{\"model_type\":"));
    assert_int_equal(model_config_read(".", &config, &e), -1);
    assert_string_equal(e.msg, "./config.json: line 1, column 15: not valid JSON");
    scratch_write("config.json", text_of("{\"model_type\":\"gpt2\"}"));
    assert_int_equal(model_config_read(".", &config, &e), -1);
    assert_string_equal(e.msg,
                        "./config.json: model_type 'gpt2' is not supported, only 'llama' is");
    scratch_write("config.json", text_of("{" LEAST "}"));
    assert_int_equal(model_config_read(".", &config, &e), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_keys_have_llama_defaults),
        cmocka_unit_test(keys_that_are_there_are_read),
        cmocka_unit_test(linear_scaling_stretches_positions),
        cmocka_unit_test(what_is_not_supported_is_named),
        cmocka_unit_test(other_scalings_are_refused_by_name),
        cmocka_unit_test(values_out_of_range),
        cmocka_unit_test(the_file_is_named),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
