#include "harness/model/hf_config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"

/* Bounds of sense: the product of any two sizes fits in an int64_t, heads x head_dim in an int. */
enum { WIDTH_MAX = 1 << 20, POSITIONS_MAX = 1 << 28 };

/* A member that is there and not null. */
static const struct json *given(const struct json *j, const char *key)
{
    const struct json *m = json_get(j, key);
    return m && json_type(m) != JSON_NULL ? m : NULL;
}

/* A whole number in [1, max]; *out keeps its default when the key is absent. */
static int read_size(const struct json *j, const char *key, long max, int *out, struct err *e)
{
    long x;
    if (!given(j, key))
        return 0;
    if (json_need_int(j, key, 1, max, &x, e))
        return -1;
    *out = (int)x;
    return 0;
}

static int need_size(const struct json *j, const char *key, long max, int *out, struct err *e)
{
    if (!given(j, key))
        return err_user(e, "key '%s' is missing", key);
    return read_size(j, key, max, out, e);
}

/* A number in [min, max]; *out keeps its default when the key is absent. */
static int read_number(const struct json *j, const char *key, double min, double max, double *out,
                       struct err *e)
{
    if (!given(j, key))
        return 0;
    const struct json *m = json_need(j, key, JSON_NUMBER, e);
    if (!m)
        return -1;
    double x = json_number(m);
    if (!(x >= min && x <= max))
        return err_user(e, "key '%s' is %g, must be from %g to %g", key, x, min, max);
    *out = x;
    return 0;
}

/* A string member into text; *out stays empty when the key is absent. */
static int read_string(const struct json *j, const char *key, const char **out, struct err *e)
{
    *out = NULL;
    if (!given(j, key))
        return 0;
    const struct json *m = json_need(j, key, JSON_STRING, e);
    if (!m)
        return -1;
    *out = json_string(m).s;
    return 0;
}

/* A switch that must be off, because the forward pass has no such thing. */
static int refuse_switch(const struct json *j, const char *key, struct err *e)
{
    if (!given(j, key))
        return 0;
    const struct json *m = json_need(j, key, JSON_BOOL, e);
    if (!m)
        return -1;
    if (json_bool(m))
        return err_user(e, "key '%s' is true: projections with biases are not supported", key);
    return 0;
}

static bool names_llama(const struct json *architectures)
{
    for (const struct json *a = json_first(architectures); a; a = json_next(a))
        if (json_type(a) == JSON_STRING && text_is(json_string(a), "LlamaForCausalLM"))
            return true;
    return false;
}

static int read_family(const struct json *j, struct model_config *c, struct err *e)
{
    const struct json *type = json_need(j, "model_type", JSON_STRING, e);
    if (!type)
        return -1;
    if (!text_is(json_string(type), "llama"))
        return err_user(e, "model_type '%s' is not supported, only 'llama' is",
                        json_string(type).s);
    snprintf(c->family, sizeof c->family, "llama");
    const struct json *a = given(j, "architectures");
    if (!a)
        return 0;
    if (json_type(a) != JSON_ARRAY)
        return err_user(e, "key 'architectures' is %s, must be an array",
                        json_type_name(json_type(a)));
    if (names_llama(a))
        return 0;
    const struct json *first = json_first(a);
    return err_user(e, "architecture '%s' is not supported, only 'LlamaForCausalLM' is",
                    first && json_type(first) == JSON_STRING ? json_string(first).s : "(none)");
}

static int refuse_unsupported(const struct json *j, struct err *e)
{
    const char *act;
    if (refuse_switch(j, "attention_bias", e) || refuse_switch(j, "mlp_bias", e) ||
        read_string(j, "hidden_act", &act, e))
        return -1;
    if (act && strcmp(act, "silu") != 0)
        return err_user(e, "hidden_act '%s' is not supported, only 'silu' is", act);
    if (given(j, "quantization_config"))
        return err_user(e, "quantised checkpoints (quantization_config) are not supported: "
                           "take the F32, F16 or BF16 one");
    return 0;
}

static int read_sizes(const struct json *j, struct model_config *c, struct err *e)
{
    if (need_size(j, "num_hidden_layers", 4096, &c->n_layers, e) ||
        need_size(j, "hidden_size", WIDTH_MAX, &c->hidden, e) ||
        need_size(j, "intermediate_size", WIDTH_MAX, &c->mlp, e) ||
        need_size(j, "num_attention_heads", 4096, &c->n_heads, e) ||
        need_size(j, "vocab_size", 1 << 24, &c->vocab, e))
        return -1;
    if (c->vocab < 3)
        return err_user(e, "vocab_size %d is too small: unk, bos and eos make three", c->vocab);
    c->n_kv_heads = c->n_heads;
    if (read_size(j, "num_key_value_heads", 4096, &c->n_kv_heads, e))
        return -1;
    if (c->n_heads % c->n_kv_heads)
        return err_user(e, "num_attention_heads %d is not a multiple of num_key_value_heads %d",
                        c->n_heads, c->n_kv_heads);
    if (!given(j, "head_dim") && c->hidden % c->n_heads)
        return err_user(e, "hidden_size %d is not a multiple of num_attention_heads %d", c->hidden,
                        c->n_heads);
    c->head_dim = c->hidden / c->n_heads;
    if (read_size(j, "head_dim", 4096, &c->head_dim, e))
        return -1;
    if (c->head_dim % 2 || c->head_dim > 4096)
        return err_user(e, "head_dim %d must be even and at most 4096: rotation takes pairs",
                        c->head_dim);
    return 0;
}

/* rope_scaling as transformers 4.31 has it ("type"), or with its later name ("rope_type"). */
static int read_scaling(const struct json *s, const char *key, struct model_config *c,
                        struct err *e)
{
    const char *type;
    if (json_type(s) != JSON_OBJECT)
        return err_user(e, "key '%s' is %s, must be an object or null", key,
                        json_type_name(json_type(s)));
    if (read_string(s, given(s, "rope_type") ? "rope_type" : "type", &type, e))
        return err_in(e, "%s", key);
    if (!type)
        return err_user(e, "%s: key 'type' is missing", key);
    if (!strcmp(type, "default"))
        return 0;
    if (strcmp(type, "linear") != 0)
        return err_user(e, "%s type '%s' is not supported, only 'linear' is", key, type);
    if (!given(s, "factor"))
        return err_user(e, "%s: key 'factor' is missing", key);
    c->rope_scaling = ROPE_LINEAR;
    return read_number(s, "factor", 1, 65536, &c->rope_factor, e) ? err_in(e, "%s", key) : 0;
}

static int read_rope(const struct json *j, struct model_config *c, struct err *e)
{
    /* transformers 5 moved both into one object. */
    const struct json *both = given(j, "rope_parameters"), *scaling = given(j, "rope_scaling");
    if (both && read_scaling(both, "rope_parameters", c, e))
        return -1;
    if (!both && scaling && read_scaling(scaling, "rope_scaling", c, e))
        return -1;
    double part = 1;
    if (read_number(j, "partial_rotary_factor", 0, 1, &part, e))
        return -1;
    if (part != 1)
        return err_user(e, "partial_rotary_factor %g is not supported, only 1 is", part);
    return read_number(both ? both : j, "rope_theta", 1, 1e12, &c->rope_theta, e);
}

static int read_positions(const struct json *j, struct model_config *c, struct err *e)
{
    int trained = 2048, whole = 0;
    if (read_size(j, "max_position_embeddings", POSITIONS_MAX, &trained, e) ||
        read_size(j, "max_sequence_length", POSITIONS_MAX, &whole, e))
        return -1;
    double scaled = floor(trained * c->rope_factor);
    if (scaled > POSITIONS_MAX)
        return err_user(e, "max_position_embeddings %d times factor %g is more than %d", trained,
                        c->rope_factor, POSITIONS_MAX);
    c->max_positions = whole ? whole : (int)scaled;
    return 0;
}

static int read_id(const struct json *m, const struct model_config *c, const char *key, int *out,
                   struct err *e)
{
    if (json_type(m) != JSON_NUMBER)
        return err_user(e, "key '%s' holds %s, must be a token id", key,
                        json_type_name(json_type(m)));
    double x = json_number(m);
    if (!(x >= 0 && x < c->vocab) || x != floor(x))
        return err_user(e, "key '%s' is %g, must be a token id from 0 to %d", key, x, c->vocab - 1);
    *out = (int)x;
    return 0;
}

static int read_eos(const struct json *m, struct model_config *c, struct err *e)
{
    c->n_eos = 0;
    if (json_type(m) != JSON_ARRAY) {
        c->n_eos = 1;
        return read_id(m, c, "eos_token_id", &c->eos[0], e);
    }
    if (json_length(m) > MODEL_EOS_MAX)
        return err_user(e, "key 'eos_token_id' has %zu ids, at most %d are supported",
                        json_length(m), MODEL_EOS_MAX);
    for (const struct json *id = json_first(m); id; id = json_next(id))
        if (read_id(id, c, "eos_token_id", &c->eos[c->n_eos++], e))
            return -1;
    return 0;
}

/* Absent: 1 and 2, as LlamaConfig. null: none. */
static int read_ids(const struct json *j, struct model_config *c, struct err *e)
{
    const struct json *bos = json_get(j, "bos_token_id"), *eos = json_get(j, "eos_token_id");
    c->bos = bos ? -1 : 1;
    c->eos[0] = 2;
    c->n_eos = !eos;
    if (bos && json_type(bos) != JSON_NULL && read_id(bos, c, "bos_token_id", &c->bos, e))
        return -1;
    return eos && json_type(eos) != JSON_NULL ? read_eos(eos, c, e) : 0;
}

static int read_tied(const struct json *j, struct model_config *c, struct err *e)
{
    if (!given(j, "tie_word_embeddings"))
        return 0;
    const struct json *m = json_need(j, "tie_word_embeddings", JSON_BOOL, e);
    if (!m)
        return -1;
    c->tied_head = json_bool(m);
    return 0;
}

static int read_dtype(const struct json *j, struct model_config *c, struct err *e)
{
    static const struct {
        const char *name;
        enum dtype dtype;
    } names[] = {{"float32", DT_F32}, {"float16", DT_F16}, {"bfloat16", DT_BF16}};
    const char *key = given(j, "torch_dtype") ? "torch_dtype" : "dtype", *name;
    if (read_string(j, key, &name, e))
        return -1;
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++) {
        if (!strcmp(name, names[i].name)) {
            c->dtype = names[i].dtype;
            return 0;
        }
    }
    if (name)
        return err_user(e, "%s '%s' is not supported, only float32, float16 and bfloat16 are", key,
                        name);
    return 0;
}

int model_config_from_json(const struct json *j, struct model_config *c, struct err *e)
{
    if (json_type(j) != JSON_OBJECT)
        return err_user(e, "is %s, must be an object", json_type_name(json_type(j)));
    *c = (struct model_config){
        .rms_eps = 1e-6, .rope_theta = 10000, .rope_factor = 1, .dtype = DT_F32};
    if (read_family(j, c, e) || refuse_unsupported(j, e) || read_sizes(j, c, e) ||
        read_number(j, "rms_norm_eps", 0, 1, &c->rms_eps, e) || read_rope(j, c, e) ||
        read_positions(j, c, e) || read_ids(j, c, e) || read_tied(j, c, e))
        return -1;
    return read_dtype(j, c, e);
}

int model_config_read(const char *dir, struct model_config *c, struct err *e)
{
    char *path = file_join_dup(dir, "config.json");
    int rc = -1;
    struct json *j = json_read_file(path, e);
    if (j) {
        rc = model_config_from_json(j, c, e);
        if (rc)
            err_in(e, "%s", path);
    }
    json_free(j);
    free(path);
    return rc;
}
