/*
 * A loaded checkpoint and its forward pass.
 *
 * The model reads a prompt into a struct kv_prefill and steps any number of struct kv_cache at
 * once; what these keep and read is decided by their methods, which the model does not know.
 * Weights stay mapped in their stored format. A struct model is not to be used by two threads at
 * the same time: its buffers are shared by all calls.
 */
#ifndef KVLAB_MODEL_H
#define KVLAB_MODEL_H

#include "harness/kv/prefill.h"
#include "harness/model/hf_config.h"
#include "harness/model/tokenizer.h"
#include "harness/tensor/gemm.h"
#include "harness/tensor/quant.h"

enum { MODEL_BATCH_MAX = 512 }; // caches of one step; also the tokens of a prefill chunk

struct model_options {
    int threads;         // at least 1
    bool reference;      // plain loops only: no BLAS, no SIMD; caches of floats
    bool floats;         // caches of floats that are rounded as their codecs say
    const char *kernels; // a level by name, or NULL for the best
    double rope_factor;  // divides positions instead of the checkpoint's own scaling; 0: as it says
    int max_positions;   // instead of the checkpoint's own; 0: as it says
    int compute;         // enum compute, of a prompt's products; steps are computed in f32
};

struct model;
struct weights;

/* A folder in Hugging Face layout. ERR_USER, names the file. */
struct model *model_open(const char *dir, const struct model_options *o, struct err *e);
/* As above without a tokenizer (golden checkpoints have none). */
struct model *model_open_bare(const char *dir, const struct model_options *o, struct err *e);
/* Made-up weights of that shape in memory (weights_random), without a tokenizer: for measuring
 * speed. */
struct model *model_open_random(const struct model_config *c, uint64_t seed, enum dtype format,
                                const struct model_options *o, struct err *e);
void model_close(struct model *m);

/* Threads of all that follows. With one there are no threads but the caller: then the process may
 * fork, and both sides go on with the same mapped weights. */
void model_set_threads(struct model *m, int threads);

const struct model_config *model_get_config(const struct model *m);
const struct tokenizer *model_get_tokenizer(const struct model *m); // NULL when bare
const struct kv_shape *model_shape(const struct model *m);
const struct kv_engine *model_engine(const struct model *m);
const struct weights *model_get_weights(const struct model *m);
size_t model_parameters(const struct model *m);
enum dtype model_weights_dtype(const struct model *m);

/* All prompts that follow: enum compute; for bf16 gemm_bf16_check was asked. */
void model_use_compute(struct model *m, int compute);

/* ---- weights of few bits ---- */

/* Does the format fit this model? ERR_USER: key, value, rule and the nearest that does. */
int model_check_weights(const struct model *m, const struct quant_format *f, struct err *e);
/* All that follows computes with the layers' matrices in this format: packed once, by all threads,
 * and kept until model_close. f was checked. ERR_ITEM: no memory; the weights stay what they were.
 */
int model_use_weights(struct model *m, const struct quant_format *f, struct err *e);
/* Of the weights in use: what holds them, the head and embedding included; and what the products
 * of all steps so far (with each prefill's head) have read. */
uint64_t model_weight_bits(const struct model *m);
uint64_t model_weight_bits_read(const struct model *m);

/* Hashes of what decides the numbers: all weight files, in order. */
int model_hash_weights(const struct model *m, char out[65], struct err *e);

/* Reads n tokens into p (new, for n tokens), layer by layer; logits of the last one (NULL: not
 * wanted). What p shares with an earlier prompt, not all of them, is not computed again. */
void model_prefill(struct model *m, const int32_t *ids, int n, struct kv_prefill *p, float *logits);
/* Prompts share a multiple of so many tokens: then every number is what it would have been. 1 where
 * our kernels multiply, whose rows do not depend on each other; elsewhere chunks of the prompt stay
 * what they are. */
int model_share_unit(const struct model *m);

/* A cache of one setting that has read the prompt, in no chat wrapper, with room for max_tokens in
 * all. See reading.h. */
struct kv_cache *model_read(struct model *m, const struct kv_chain *chain, const int32_t *ids,
                            int n, int max_tokens, float *logits);

/* One decode step: token ids[i] goes into caches[i]; logits [n][vocab]. A row's logits do not
 * depend on its neighbours. */
void model_step(struct model *m, const int32_t *ids, struct kv_cache *const *caches, int n,
                float *logits);

/* Wall seconds of steps that went into attention, so far; the rest is the same for each row. */
double model_attention_seconds(const struct model *m);

/* The id of the largest logit, the lowest on a tie; banned ids (may be none) do not count. */
int32_t model_argmax(const float *logits, int vocab, const int32_t *banned, int n_banned);

#endif
