/*
 * The tensors of a Llama checkpoint under names of ours.
 *
 * Matrices stay in the map in their stored type (F32, F16, BF16), as PyTorch has them: row-major,
 * [out][in], y = W x. Norm vectors are converted to f32 and owned here. Every tensor that the model
 * needs is there with the right shape, or weights_open fails and names it.
 * Everything lives until weights_close; read-only, so threads and processes share it.
 */
#ifndef KVLAB_WEIGHTS_H
#define KVLAB_WEIGHTS_H

#include "harness/base/pool.h"
#include "harness/model/hf_config.h"
#include "harness/model/safetensors.h"
#include "harness/tensor/matrix.h"

struct layer_weights {
    const float *attn_norm; // [hidden]: input_layernorm
    const float *mlp_norm;  // [hidden]: post_attention_layernorm
    struct matrix q;        // [n_heads * head_dim][hidden]
    struct matrix k, v;     // [n_kv_heads * head_dim][hidden]
    struct matrix o;        // [hidden][n_heads * head_dim]
    struct matrix gate, up; // [mlp][hidden]
    struct matrix down;     // [hidden][mlp]
};

struct weights {
    struct safetensors *file; // NULL: the weights are made up
    int n_layers;
    struct layer_weights *layers;
    struct matrix embed;     // [vocab][hidden]
    struct matrix head;      // [vocab][hidden]; equal to embed when the head is tied
    const float *final_norm; // [hidden]
    float *norms;            // what the norm pointers point into
    void *made;              // what the matrices of made-up weights point into, else NULL
};

/* dir/model.safetensors, else dir/model.safetensors.index.json. NULL on error (ERR_USER). */
struct weights *weights_open(const char *dir, const struct model_config *c, struct err *e);
/* Made-up weights of that size in F32, F16 or BF16, owned: uniform, scaled so that activations stay
 * near 1. They depend on the seed alone; the pool shares out the making. */
struct weights *weights_random(const struct model_config *c, uint64_t seed, enum dtype format,
                               struct pool *pool);
void weights_close(struct weights *w);

/* Number of elements in the matrices and vectors: a tied head counts once. */
size_t weights_parameters(const struct weights *w);
/* What holds them, the layers being these (the checkpoint's own, or packed). */
uint64_t weights_bits(const struct weights *w, const struct layer_weights *layers);

#endif
