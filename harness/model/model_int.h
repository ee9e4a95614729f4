/* What the files of the model share: its state. */
#ifndef KVLAB_MODEL_INT_H
#define KVLAB_MODEL_INT_H

#include "harness/model/model.h"
#include "harness/model/weight_set.h"
#include "harness/tensor/gemm.h"

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
    float *frequency; // [head_dim / 2]: what methods turn by
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

#endif
