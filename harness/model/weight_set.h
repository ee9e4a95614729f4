/*
 * The matrices of a checkpoint's layers packed at few bits: q, k, v, o, gate, up and down of every
 * layer. The embedding, the head and the norms stay as they are stored, as in KVO's experiments.
 *
 * Made once from the map, by all threads; read-only until it is freed. The checkpoint must outlive
 * it: norms are borrowed.
 */
#ifndef KVLAB_WEIGHT_SET_H
#define KVLAB_WEIGHT_SET_H

#include "harness/base/pool.h"
#include "harness/model/weights.h"
#include "harness/tensor/quant.h"

struct weight_set;

/* Does the format fit every matrix of a layer? ERR_USER: key, value, rule and the nearest. */
int weight_set_check(const struct weights *w, const struct quant_format *f, struct err *e);
/* ERR_ITEM when the memory is not there. f was checked. */
struct weight_set *weight_set_new(const struct weights *w, const struct quant_format *f,
                                  struct pool *pool, struct err *e);
void weight_set_free(struct weight_set *s); // NULL is fine

const struct quant_format *weight_set_format(const struct weight_set *s);
const struct layer_weights *weight_set_layers(const struct weight_set *s); // [n_layers]

#endif
