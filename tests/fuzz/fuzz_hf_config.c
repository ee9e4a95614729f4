#include "harness/model/hf_config.h"

#include <assert.h>

#include "tests/fuzz/fuzz.h"

/* What is accepted must be fit to compute with. */
static void check(const struct model_config *c)
{
    assert(c->n_layers > 0 && c->hidden > 0 && c->mlp > 0 && c->vocab > 0 && c->max_positions > 0);
    assert(c->n_heads % c->n_kv_heads == 0 && c->head_dim > 0 && c->head_dim % 2 == 0);
    assert(c->bos >= -1 && c->bos < c->vocab && c->n_eos >= 0 && c->n_eos <= MODEL_EOS_MAX);
    assert(c->rope_factor >= 1 && c->rope_theta >= 1 && c->rms_eps >= 0);
}

void fuzz_one(const unsigned char *data, size_t n)
{
    struct err e;
    struct model_config c;
    struct json *j = json_read((struct text){(const char *)data, n}, &e);
    if (j && !model_config_from_json(j, &c, &e))
        check(&c);
    json_free(j);
}
