/* A model opened and closed, its weights, and what it tells of itself. */
#include "harness/model/model.h"

#include <math.h>
#include <stdlib.h>

#include "harness/base/hash.h"
#include "harness/base/mem.h"
#include "harness/model/model_int.h"
#include "harness/tensor/gemm_bf16.h"

/* The angles as transformers has them: inverse frequencies and products in f32. */
static void fill_rope(struct model *m, double factor)
{
    int half = m->shape.head_dim / 2;
    size_t n = mem_size((size_t)m->config.max_positions, (size_t)half);
    m->cos = mem_aligned(mem_size(n, sizeof(float)));
    m->sin = mem_aligned(mem_size(n, sizeof(float)));
    m->frequency = mem_aligned(mem_size((size_t)half, sizeof(float)));
    m->engine.rope.frequency = m->frequency;
    for (int i = 0; i < half; i++) {
        float share = (float)(2 * i) / (float)m->shape.head_dim;
        float inverse = 1.0f / powf((float)m->config.rope_theta, share);
        m->frequency[i] = inverse / (float)factor;
        for (int t = 0; t < m->config.max_positions; t++) {
            float angle = (float)t / (float)factor * inverse;
            m->cos[(size_t)t * (size_t)half + (size_t)i] = cosf(angle);
            m->sin[(size_t)t * (size_t)half + (size_t)i] = sinf(angle);
        }
    }
}

static float *rows_new(int width)
{
    return mem_aligned(mem_size((size_t)width * MODEL_BATCH_MAX, sizeof(float)));
}

static void open_buffers(struct model *m)
{
    const struct model_config *c = &m->config;
    int width = c->n_heads * c->head_dim;
    m->step_x = rows_new(c->hidden);
    m->normed = rows_new(c->hidden);
    m->q = rows_new(width);
    m->mixed = rows_new(width);
    m->k = rows_new(c->n_kv_heads * c->head_dim);
    m->v = rows_new(c->n_kv_heads * c->head_dim);
    m->gate = rows_new(c->mlp);
    m->up = rows_new(c->mlp);
    m->positions = xcalloc(MODEL_BATCH_MAX, sizeof *m->positions);
}

static void open_gemm(struct model *m)
{
    const struct model_config *c = &m->config;
    int width = c->n_heads * c->head_dim, widest = c->hidden;
    widest = width > widest ? width : widest;
    widest = c->mlp > widest ? c->mlp : widest;
    gemm_init(&m->gemm, m->engine.pool, m->engine.kernels, m->engine.plain, widest);
}

static int check_compute(const struct model_options *o, struct err *e)
{
    if (o->compute == COMPUTE_F32)
        return 0;
    if (o->reference)
        return err_user(e, "compute 'bf16' and the reference path contradict: plain loops are f32");
    return gemm_bf16_check(e);
}

static int open_engine(struct model *m, const struct model_options *o, struct err *e)
{
    const struct kernels *kn = o->reference ? &kernels_plain : kernels_best();
    if (o->kernels && !o->reference && !(kn = kernels_named(o->kernels)))
        return err_user(e, "kernels '%s': there are none, or this processor lacks them",
                        o->kernels);
    if (check_compute(o, e))
        return -1;
    m->engine = (struct kv_engine){.pool = pool_new(o->threads),
                                   .kernels = kn,
                                   .plain = o->reference,
                                   .floats = o->reference || o->floats};
    return 0;
}

void model_use_compute(struct model *m, int compute)
{
    gemm_use(&m->gemm, compute, MODEL_BATCH_MAX);
}

/* With config and engine there: what does not depend on where the weights are. */
static void open_rest(struct model *m, const struct model_options *o)
{
    struct model_config *c = &m->config;
    m->layers = m->weights->layers;
    m->shape = (struct kv_shape){c->n_layers, c->n_heads, c->n_kv_heads, c->head_dim};
    if (o->rope_factor > 0)
        c->rope_factor = o->rope_factor;
    if (o->max_positions > 0)
        c->max_positions = o->max_positions;
    fill_rope(m, c->rope_factor);
    open_buffers(m);
    open_gemm(m);
    model_use_compute(m, o->compute);
}

struct model *model_open_bare(const char *dir, const struct model_options *o, struct err *e)
{
    struct model *m = xcalloc(1, sizeof *m);
    if (model_config_read(dir, &m->config, e))
        goto fail;
    m->weights = weights_open(dir, &m->config, e);
    if (!m->weights || open_engine(m, o, e))
        goto fail;
    open_rest(m, o);
    return m;
fail:
    model_close(m);
    return NULL;
}

struct model *model_open_random(const struct model_config *c, uint64_t seed, enum dtype format,
                                const struct model_options *o, struct err *e)
{
    struct model *m = xcalloc(1, sizeof *m);
    m->config = *c;
    if (open_engine(m, o, e)) {
        model_close(m);
        return NULL;
    }
    m->weights = weights_random(c, seed, format, m->engine.pool);
    open_rest(m, o);
    return m;
}

struct model *model_open(const char *dir, const struct model_options *o, struct err *e)
{
    struct model *m = model_open_bare(dir, o, e);
    if (!m)
        return NULL;
    m->tokenizer = tokenizer_open(dir, e);
    if (m->tokenizer && !tokenizer_fits(m->tokenizer, &m->config, e))
        return m;
    model_close(m);
    return NULL;
}

void model_close(struct model *m)
{
    if (!m)
        return;
    float *const buffers[] = {m->frequency, m->cos, m->sin, m->step_x, m->normed, m->q,
                              m->mixed,     m->k,   m->v,   m->gate,   m->up};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        free(buffers[i]);
    free(m->positions);
    gemm_release(&m->gemm);
    pool_free(m->engine.pool);
    tokenizer_close(m->tokenizer);
    for (int i = 0; i < m->n_sets; i++)
        weight_set_free(m->sets[i]);
    free(m->sets);
    weights_close(m->weights);
    free(m);
}

void model_set_threads(struct model *m, int threads)
{
    uint64_t bits_read = m->gemm.bits_read;
    enum compute compute = m->gemm.bf16 ? COMPUTE_BF16 : COMPUTE_F32;
    gemm_release(&m->gemm);
    pool_free(m->engine.pool);
    m->engine.pool = pool_new(threads);
    open_gemm(m);
    model_use_compute(m, compute);
    m->gemm.bits_read = bits_read;
}

const struct model_config *model_get_config(const struct model *m)
{
    return &m->config;
}

const struct tokenizer *model_get_tokenizer(const struct model *m)
{
    return m->tokenizer;
}

const struct kv_shape *model_shape(const struct model *m)
{
    return &m->shape;
}

const struct kv_engine *model_engine(const struct model *m)
{
    return &m->engine;
}

const struct weights *model_get_weights(const struct model *m)
{
    return m->weights;
}

size_t model_parameters(const struct model *m)
{
    return weights_parameters(m->weights);
}

enum dtype model_weights_dtype(const struct model *m)
{
    return m->weights->layers[0].q.dtype;
}

int model_check_weights(const struct model *m, const struct quant_format *f, struct err *e)
{
    return weight_set_check(m->weights, f, e);
}

int model_use_weights(struct model *m, const struct quant_format *f, struct err *e)
{
    if (!quant_format_on(f)) {
        m->layers = m->weights->layers;
        return 0;
    }
    int i = 0;
    while (i < m->n_sets && !quant_format_equal(weight_set_format(m->sets[i]), f))
        i++;
    if (i == m->n_sets) {
        struct weight_set *s = weight_set_new(m->weights, f, m->engine.pool, e);
        if (!s)
            return -1;
        m->sets = xrealloc(m->sets, mem_size((size_t)i + 1, sizeof(struct weight_set *)));
        m->sets[m->n_sets++] = s;
    }
    m->layers = weight_set_layers(m->sets[i]);
    return 0;
}

uint64_t model_weight_bits(const struct model *m)
{
    return weights_bits(m->weights, m->layers);
}

uint64_t model_weight_bits_read(const struct model *m)
{
    return m->gemm.bits_read;
}

int model_hash_weights(const struct model *m, char out[65], struct err *e)
{
    const char *const *paths;
    if (!m->weights->file)
        return err_user(e, "made-up weights have no file to hash");
    size_t n = safetensors_files(m->weights->file, &paths);
    struct buf all;
    buf_init(&all);
    for (size_t i = 0; i < n; i++) {
        if (hash_sha256_file(paths[i], out, e)) {
            buf_release(&all);
            return -1;
        }
        buf_str(&all, out);
    }
    if (n > 1)
        hash_sha256(text_buf(&all), out);
    buf_release(&all);
    return 0;
}
double model_attention_seconds(const struct model *m)
{
    return m->attention;
}
