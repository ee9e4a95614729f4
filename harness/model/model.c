/*
 * Llama's forward pass: RMSNorm, rotary positions, attention, SwiGLU (Touvron et al. 2023), as
 * transformers' LlamaForCausalLM computes it.
 */
#include "harness/model/model.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/hash.h"
#include "harness/base/mem.h"
#include "harness/model/weight_set.h"
#include "harness/tensor/gemm_bf16.h"

enum { ROWS_BLOCK = 16 }; // rows of one task of the row-wise loops

struct model {
    struct model_config config;
    struct weights *weights;
    const struct layer_weights *layers; // those in use: the checkpoint's, or of a set
    struct weight_set **sets;
    int n_sets;
    struct tokenizer *tokenizer;
    struct kv_shape shape;
    struct kv_engine engine;
    struct gemm gemm;
    float *cos, *sin; // [max_positions][head_dim / 2]
    /* Activations of up to MODEL_BATCH_MAX tokens. */
    float *x;         // [][hidden]: of a step, or where a prefill has come to
    float *step_x;    // [][hidden]
    float *normed;    // [][hidden]
    float *q, *mixed; // [][n_heads * head_dim]
    float *k, *v;     // [][n_kv_heads * head_dim]
    float *gate, *up; // [][mlp]
    int *positions;   // []
    double attention; // seconds that steps have waited for it
};

/* The angles as transformers has them: inverse frequencies and products in f32. */
static void fill_rope(struct model *m, double factor)
{
    int half = m->shape.head_dim / 2;
    size_t n = mem_size((size_t)m->config.max_positions, (size_t)half);
    m->cos = mem_aligned(mem_size(n, sizeof(float)));
    m->sin = mem_aligned(mem_size(n, sizeof(float)));
    for (int i = 0; i < half; i++) {
        float share = (float)(2 * i) / (float)m->shape.head_dim;
        float inverse = 1.0f / powf((float)m->config.rope_theta, share);
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
    m->engine =
        (struct kv_engine){pool_new(o->threads), kn, o->reference, o->reference || o->floats};
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
    float *const buffers[] = {m->cos,   m->sin, m->step_x, m->normed, m->q,
                              m->mixed, m->k,   m->v,      m->gate,   m->up};
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

/* ---- row-wise loops, shared out in blocks of rows ---- */

struct rows_job {
    struct model *m;
    int n;
    const float *weight;
    float *out;
    const float *in;
    void (*row)(struct rows_job *j, int i);
};

static void rows_block(void *arg, int item, int worker)
{
    struct rows_job *j = arg;
    int end = (item + 1) * ROWS_BLOCK < j->n ? (item + 1) * ROWS_BLOCK : j->n;
    (void)worker;
    for (int i = item * ROWS_BLOCK; i < end; i++)
        j->row(j, i);
}

static void for_rows(struct model *m, int n, void (*row)(struct rows_job *, int), float *out,
                     const float *in, const float *weight)
{
    struct rows_job j = {m, n, weight, out, in, row};
    pool_run(m->engine.pool, (n + ROWS_BLOCK - 1) / ROWS_BLOCK, rows_block, &j);
}

static void norm_row(struct rows_job *j, int i)
{
    size_t hidden = (size_t)j->m->config.hidden, at = (size_t)i * hidden;
    j->m->engine.kernels->rmsnorm(j->out + at, j->in + at, j->weight, (int)hidden,
                                  (float)j->m->config.rms_eps);
}

static void rope_row(struct rows_job *j, int i)
{
    struct model *m = j->m;
    int d = m->shape.head_dim, half = d / 2;
    size_t angle = (size_t)m->positions[i] * (size_t)half;
    for (int h = 0; h < m->shape.n_heads; h++)
        m->engine.kernels->rope(m->q +
                                    ((size_t)i * (size_t)m->shape.n_heads + (size_t)h) * (size_t)d,
                                m->cos + angle, m->sin + angle, half);
    for (int h = 0; h < m->shape.n_kv_heads; h++)
        m->engine.kernels->rope(m->k + ((size_t)i * (size_t)m->shape.n_kv_heads + (size_t)h) *
                                           (size_t)d,
                                m->cos + angle, m->sin + angle, half);
}

static void add_row(struct rows_job *j, int i)
{
    size_t hidden = (size_t)j->m->config.hidden, at = (size_t)i * hidden;
    j->m->engine.kernels->add(j->out + at, j->in + at, (int)hidden);
}

static void silu_row(struct rows_job *j, int i)
{
    size_t mlp = (size_t)j->m->config.mlp, at = (size_t)i * mlp;
    j->m->engine.kernels->silu_mul(j->out + at, j->in + at, (int)mlp);
}

/* ---- the layers ---- */

/* Prefill multiplies by panels, a step by the decode kernels: no row depends on the others. */
typedef void multiply(struct gemm *g, const struct product *p, int n, const float *x, int m);

static void embed(struct model *m, const int32_t *ids, int n)
{
    const struct matrix *w = &m->weights->embed;
    for (int i = 0; i < n; i++) {
        float *row = m->x + (size_t)i * (size_t)w->cols;
        assert(ids[i] >= 0 && ids[i] < w->rows);
        if (w->dtype == DT_F32)
            memcpy(row, matrix_row(w, ids[i]), (size_t)w->cols * sizeof *row);
        else if (w->dtype == DT_F16)
            m->engine.kernels->widen_f16(row, matrix_row(w, ids[i]), w->cols);
        else
            m->engine.kernels->widen_bf16(row, matrix_row(w, ids[i]), w->cols);
    }
}

static void project_qkv(struct model *m, multiply *mul, int layer, int n)
{
    const struct layer_weights *w = &m->layers[layer];
    for_rows(m, n, norm_row, m->normed, m->x, w->attn_norm);
    const struct product qkv[] = {{m->q, &w->q}, {m->k, &w->k}, {m->v, &w->v}};
    mul(&m->gemm, qkv, 3, m->normed, n);
    for_rows(m, n, rope_row, NULL, NULL, NULL);
}

/* From the attention of n tokens (m->mixed) to the end of the layer. */
static void finish_layer(struct model *m, multiply *mul, int layer, int n)
{
    const struct layer_weights *w = &m->layers[layer];
    const struct product o = {m->normed, &w->o}, down = {m->normed, &w->down};
    const struct product both[] = {{m->gate, &w->gate}, {m->up, &w->up}};
    mul(&m->gemm, &o, 1, m->mixed, n);
    for_rows(m, n, add_row, m->x, m->normed, NULL);
    for_rows(m, n, norm_row, m->normed, m->x, w->mlp_norm);
    mul(&m->gemm, both, 2, m->normed, n);
    for_rows(m, n, silu_row, m->gate, m->up, NULL);
    mul(&m->gemm, &down, 1, m->gate, n);
    for_rows(m, n, add_row, m->x, m->normed, NULL);
}

static void head(struct model *m, int n, float *logits)
{
    for_rows(m, n, norm_row, m->normed, m->x, m->weights->final_norm);
    gemm_decode(&m->gemm, &(struct product){logits, &m->weights->head}, 1, m->normed, n);
}

/* The chunk of n tokens that begins at `start`, through one layer. */
static void prefill_chunk(struct model *m, struct kv_prefill *p, int layer, int start, int n)
{
    for (int i = 0; i < n; i++)
        m->positions[i] = start + i;
    project_qkv(m, gemm_weights, layer, n);
    kv_prefill_attend(p, m->q, m->k, m->v, n, m->mixed);
    finish_layer(m, gemm_weights, layer, n);
}

/* Only the prompt's last token goes on from here: of the others just keys and values are left, and
 * what their queries look at where a method observes it. */
static void prefill_last(struct model *m, struct kv_prefill *p, int start, int n, bool last_chunk)
{
    size_t width = (size_t)m->shape.n_heads * (size_t)m->shape.head_dim, last = (size_t)(n - 1);
    int layer = m->config.n_layers - 1;
    for (int i = 0; i < n; i++)
        m->positions[i] = start + i;
    project_qkv(m, gemm_weights, layer, n);
    if (!last_chunk && !kv_prefill_watched(p)) {
        kv_prefill_push(p, m->q, m->k, m->v, n);
        return;
    }
    kv_prefill_attend(p, m->q, m->k, m->v, n, m->mixed);
    if (!last_chunk)
        return;
    m->x += last * (size_t)m->config.hidden;
    memmove(m->mixed, m->mixed + last * width, width * sizeof *m->mixed);
    finish_layer(m, gemm_weights, layer, 1);
}

/* Tokens first..n-1, of which x has the activations. */
static void prefill_layer(struct model *m, struct kv_prefill *p, int layer, float *x, int first,
                          int n)
{
    for (int at = first; at < n; at += MODEL_BATCH_MAX) {
        int chunk = n - at < MODEL_BATCH_MAX ? n - at : MODEL_BATCH_MAX;
        m->x = x + (size_t)(at - first) * (size_t)m->config.hidden;
        if (layer == m->config.n_layers - 1)
            prefill_last(m, p, at, chunk, at + chunk == n);
        else
            prefill_chunk(m, p, layer, at, chunk);
    }
    kv_prefill_end_layer(p);
}

void model_prefill(struct model *m, const int32_t *ids, int n, struct kv_prefill *p, float *logits)
{
    assert(n > 0 && n <= m->config.max_positions);
    size_t hidden = (size_t)m->config.hidden;
    int first = kv_prefill_shared(p);
    float *x = mem_aligned(mem_size((size_t)(n - first), hidden * sizeof *x));
    m->x = x;
    embed(m, ids + first, n - first);
    for (int layer = 0; layer < m->config.n_layers; layer++)
        prefill_layer(m, p, layer, x, first, n);
    head(m, 1, logits);
    free(x);
}

int model_share_unit(const struct model *m)
{
    bool by_rows = gemm_has_panels(m->engine.kernels, m->engine.plain) && !m->gemm.bf16;
    return by_rows ? 1 : MODEL_BATCH_MAX;
}

struct kv_cache *model_read(struct model *m, const struct kv_chain *chain, const int32_t *ids,
                            int n, int max_tokens, float *logits)
{
    struct kv_cache *c = kv_cache_new(chain, &m->shape, &m->engine, max_tokens);
    struct kv_prefill *p = kv_prefill_new(&m->engine, &m->shape, &c, 1, n);
    model_prefill(m, ids, n, p, logits);
    kv_prefill_free(p);
    return c;
}

void model_step(struct model *m, const int32_t *ids, struct kv_cache *const *caches, int n,
                float *logits)
{
    assert(n > 0 && n <= MODEL_BATCH_MAX);
    for (int i = 0; i < n; i++) {
        m->positions[i] = kv_cache_length(caches[i]);
        assert(m->positions[i] < m->config.max_positions);
    }
    m->x = m->step_x;
    embed(m, ids, n);
    for (int layer = 0; layer < m->config.n_layers; layer++) {
        project_qkv(m, gemm_decode, layer, n);
        double start = clock_seconds();
        kv_cache_attend(caches, n, &m->engine, layer, m->q, m->k, m->v, m->mixed);
        m->attention += clock_seconds() - start;
        finish_layer(m, gemm_decode, layer, n);
    }
    for (int i = 0; i < n; i++)
        kv_cache_advance(caches[i]);
    head(m, n, logits);
}

double model_attention_seconds(const struct model *m)
{
    return m->attention;
}

/* Lane by lane: a loop of one comparison after the other takes ten times as long. */
static float largest(const float *x, int n)
{
    enum { LANES = 16 };
    float lane[LANES], all = -INFINITY;
    int i = 0;
    for (int j = 0; j < LANES; j++)
        lane[j] = -INFINITY;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
    for (; i < n; i++)
        all = x[i] > all ? x[i] : all;
    for (int j = 0; j < LANES; j++)
        all = lane[j] > all ? lane[j] : all;
    return all;
}

static bool is_banned(int32_t id, const int32_t *banned, int n)
{
    for (int i = 0; i < n; i++)
        if (banned[i] == id)
            return true;
    return false;
}

/* Some ids do not count. */
static int32_t argmax_without(const float *logits, int vocab, const int32_t *banned, int n)
{
    int32_t best = -1;
    for (int32_t i = 0; i < vocab; i++)
        if ((best < 0 || logits[i] > logits[best]) && !is_banned(i, banned, n))
            best = i;
    return best;
}

int32_t model_argmax(const float *logits, int vocab, const int32_t *banned, int n_banned)
{
    if (n_banned)
        return argmax_without(logits, vocab, banned, n_banned);
    float most = largest(logits, vocab);
    int32_t i = 0;
    while (i < vocab - 1 && logits[i] != most)
        i++;
    return i;
}
