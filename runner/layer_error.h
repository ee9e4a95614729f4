/*
 * Where in the model a compressed cache goes wrong: for each layer what is left of the rows, and
 * how much attention is lost. Beside a teacher (teacher.h), whose tokens go through the setting's
 * cache and through the full one: f16, of a prompt that is read without rounding, with the same
 * weights.
 *
 * key_error   sqrt(sum |K^ - K|^2 / sum |K|^2) over the rows that the setting still holds after its
 *             last step, of tokens of the prompt that were read before it was compressed, in all
 *             slots and KV heads of the layer. K^ is what the codec gives back, K the full cache's
 *             row of the same token and KV head. Rows of steps do not count: they also differ
 *             because the layers below have seen a compressed cache. A method that rounds rows on
 *             arrival has rounded those of the layers below, too, and all of that does count;
 *             so do channels that were dropped (they are 0) and values that were merged.
 *             NaN: no such row is held, or they are zero.
 * value_error the same of values.
 * mass_lost   the mean over the steps that predict a token that counts (teacher.h), and over query
 *             heads, of the attention that the full cache pays at this step, with its own query, to
 *             tokens that the setting's head did not read in this layer: because they are gone, or
 *             were not chosen. 0..1; 0 exactly where all are read.
 *
 * Sums are in double; the full cache's attention is in float by the engine's kernels. Its rows and
 * queries stay for as long as a prompt's settings are at work; each of their steps computes its
 * attention anew, which is part of decode_seconds: such runs say nothing about speed.
 */
#ifndef KVLAB_LAYER_ERROR_H
#define KVLAB_LAYER_ERROR_H

#include "harness/kv/cache.h"
#include "harness/store/store.h"

/* ---- the full cache of a prompt, and what its steps ask ---- */

struct layer_full;

struct layer_span {
    int read;         // tokens of the prompt that are read at once
    int first, steps; // positions of the steps that count; 0 steps: none is remembered
    int room;         // tokens of prompt and answer
};

/* Its cache is empty and yet to be read into. engine is borrowed until free. */
struct layer_full *layer_full_new(const struct kv_shape *shape, const struct kv_engine *engine,
                                  struct layer_span span);
void layer_full_free(struct layer_full *f); // NULL is fine
struct kv_cache *layer_full_cache(const struct layer_full *f);
size_t layer_full_bytes(const struct kv_shape *shape, const struct kv_engine *engine,
                        struct layer_span span);

/* ---- a setting beside it ---- */

struct layer_sums;

/* Watches c, which is new and of the same prompt. f is borrowed until free. */
struct layer_sums *layer_sums_new(const struct layer_full *f, struct kv_cache *c);
void layer_sums_free(struct layer_sums *s); // NULL is fine
size_t layer_sums_bytes(const struct kv_shape *shape, const struct kv_chain *chain, int room);

/* After the last step, while c is there: of each layer into out[n_layers]. */
void layer_sums_put(const struct layer_sums *s, const struct kv_cache *c, struct store_layer *out);

#endif
