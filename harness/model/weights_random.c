#include "harness/model/weights.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "harness/base/mem.h"
#include "harness/base/rng.h"

enum { BLOCK = 64 }; // rows of one task

struct maker {
    struct weights *w;
    struct pool *pool;
    enum dtype format;
    uint64_t seed;
    char *next; // free part of w->made
};

struct fill {
    void *to;
    enum dtype format;
    int rows, cols;
    float scale;
    uint64_t seed;
};

static void put(const struct fill *f, size_t i, float x)
{
    if (f->format == DT_F32)
        ((float *)f->to)[i] = x;
    else
        ((uint16_t *)f->to)[i] = f->format == DT_F16 ? f16_from_f32(x) : bf16_from_f32(x);
}

/* Four numbers of 16 bits from each of the generator's. A row begins a sequence of its own. */
static void fill_row(const struct fill *f, int row)
{
    struct rng r = {f->seed + (uint64_t)row};
    size_t at = (size_t)row * (size_t)f->cols;
    struct rng own = {rng_next(&r)};
    uint64_t bits = 0;
    for (int i = 0; i < f->cols; i++, bits >>= 16) {
        if (i % 4 == 0)
            bits = rng_next(&own);
        put(f, at + (size_t)i, ((float)(bits & 0xffff) - 32767.5f) * f->scale);
    }
}

static void fill_block(void *arg, int item, int worker)
{
    const struct fill *f = arg;
    (void)worker;
    for (int row = item * BLOCK; row < (item + 1) * BLOCK && row < f->rows; row++)
        fill_row(f, row);
}

/* gain: the deviation of a product with a vector of deviation 1. */
static void make_matrix(struct maker *k, struct matrix *m, int rows, int cols, double gain)
{
    struct rng r = {k->seed++};
    struct fill f = {k->next, k->format, rows, cols, (float)(gain * sqrt(3.0 / cols) / 32768), 0};
    f.seed = rng_next(&r);
    pool_run(k->pool, (rows + BLOCK - 1) / BLOCK, fill_block, &f);
    *m = (struct matrix){.data = k->next, .dtype = k->format, .rows = rows, .cols = cols};
    k->next += (size_t)rows * (size_t)cols * dtype_size(k->format);
}

static void make_layer(struct maker *k, const struct model_config *c, struct layer_weights *l)
{
    int q = c->n_heads * c->head_dim, kv = c->n_kv_heads * c->head_dim;
    double back = 1 / sqrt(2.0 * c->n_layers); // what is added to the residual stream
    make_matrix(k, &l->q, q, c->hidden, 1);
    make_matrix(k, &l->k, kv, c->hidden, 1);
    make_matrix(k, &l->v, kv, c->hidden, 1);
    make_matrix(k, &l->o, c->hidden, q, back);
    make_matrix(k, &l->gate, c->mlp, c->hidden, 1);
    make_matrix(k, &l->up, c->mlp, c->hidden, 1);
    make_matrix(k, &l->down, c->hidden, c->mlp, back);
}

/* Around 1, each another, so that no norm can be taken for its neighbour. */
static void make_norms(struct weights *w, const struct model_config *c, uint64_t seed)
{
    struct rng r = {seed};
    size_t n = (size_t)c->hidden * (2 * (size_t)c->n_layers + 1);
    w->norms = xmalloc(mem_size(n, sizeof *w->norms));
    for (size_t i = 0; i < n; i++)
        w->norms[i] = (float)(0.75 + 0.5 * rng_uniform(&r));
    for (int l = 0; l < c->n_layers; l++) {
        w->layers[l].attn_norm = w->norms + 2 * (size_t)l * (size_t)c->hidden;
        w->layers[l].mlp_norm = w->layers[l].attn_norm + c->hidden;
    }
    w->final_norm = w->norms + 2 * (size_t)c->n_layers * (size_t)c->hidden;
}

static size_t matrix_elements(const struct model_config *c)
{
    size_t hidden = (size_t)c->hidden, q = (size_t)c->n_heads * (size_t)c->head_dim;
    size_t kv = (size_t)c->n_kv_heads * (size_t)c->head_dim, mlp = (size_t)c->mlp;
    return hidden * ((c->tied_head ? 1 : 2) * (size_t)c->vocab +
                     (size_t)c->n_layers * (2 * q + 2 * kv + 3 * mlp));
}

struct weights *weights_random(const struct model_config *c, uint64_t seed, enum dtype format,
                               struct pool *pool)
{
    assert(format == DT_F32 || format == DT_F16 || format == DT_BF16);
    struct weights *w = xcalloc(1, sizeof *w);
    w->n_layers = c->n_layers;
    w->layers = xcalloc((size_t)c->n_layers, sizeof *w->layers);
    w->made = mem_aligned(mem_size(matrix_elements(c), dtype_size(format)));
    struct maker k = {w, pool, format, seed, w->made};
    make_norms(w, c, k.seed++);
    make_matrix(&k, &w->embed, c->vocab, c->hidden, 1);
    for (int l = 0; l < c->n_layers; l++)
        make_layer(&k, c, &w->layers[l]);
    if (c->tied_head)
        w->head = w->embed;
    else
        make_matrix(&k, &w->head, c->vocab, c->hidden, 1);
    return w;
}
