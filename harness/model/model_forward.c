/*
 * Llama's forward pass: RMSNorm, rotary positions, attention, SwiGLU (Touvron et al. 2023), as
 * transformers' LlamaForCausalLM computes it.
 */
#include "harness/model/model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"
#include "harness/model/model_int.h"
#include "harness/model/reading.h"

enum { ROWS_BLOCK = 16 }; // rows of one task of the row-wise loops

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
    assert(first < n);
    float *x = mem_aligned(mem_size((size_t)(n - first), hidden * sizeof *x));
    m->x = x;
    embed(m, ids + first, n - first);
    for (int layer = 0; layer < m->config.n_layers; layer++)
        prefill_layer(m, p, layer, x, first, n);
    if (logits)
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
    struct reading_replay replay;
    reading_run(m, &(struct reading){.ids = ids, .n = n}, &c, 1, logits, &replay);
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
