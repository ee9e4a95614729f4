/*
 * config.json of a Hugging Face checkpoint, as a struct that has been checked.
 *
 * Family "llama" (LlamaForCausalLM) only; a key that is absent has the value that transformers'
 * LlamaConfig gives it. What the forward pass cannot do (other families, biases, other activations,
 * quantised weights, other rope scalings) is refused here by name, never ignored.
 * Knows nothing of the other files of the folder. A struct model_config is plain data.
 */
#ifndef KVLAB_HF_CONFIG_H
#define KVLAB_HF_CONFIG_H

#include "harness/base/json.h"
#include "harness/tensor/dtype.h"

enum { MODEL_EOS_MAX = 8 };
enum rope_scaling { ROPE_NONE, ROPE_LINEAR };

struct model_config {
    char family[32]; // model_type: "llama"
    int n_layers, hidden, mlp;
    int n_heads, n_kv_heads, head_dim; // n_heads is a multiple of n_kv_heads; head_dim is even
    int vocab;                         // rows of the embedding
    int max_positions; // what the model was made for: max_sequence_length where the file has it,
                       // else max_position_embeddings times the factor of linear scaling
    double rms_eps, rope_theta;
    enum rope_scaling rope_scaling;
    double rope_factor; // positions are divided by it; 1 for ROPE_NONE
    bool tied_head;     // the head is the embedding
    int bos;            // -1: none
    int eos[MODEL_EOS_MAX], n_eos;
    enum dtype dtype; // what torch_dtype says; the tensors' own types decide
};

/* dir/config.json. ERR_USER, names the file, the key, its value and what is allowed. */
int model_config_read(const char *dir, struct model_config *c, struct err *e);

/* The same from JSON in memory (tests, fuzzing); the message has no file name. */
int model_config_from_json(const struct json *j, struct model_config *c, struct err *e);

#endif
