/*
 * The reference values of KVO (computed by the authors' own code): DIR/kvo/index.json lists cases,
 * each with a part, a name and a safetensors file in which its tensors are "name/tensor".
 */
#ifndef KVLAB_GOLDEN_KVO_H
#define KVLAB_GOLDEN_KVO_H

#include <stdbool.h>

#include "harness/base/json.h"
#include "harness/kv/chain.h"
#include "harness/methods/kvo_quant.h"
#include "harness/model/safetensors.h"
#include "tests/golden/golden.h"

enum { GOLDEN_KVO_FILES = 8 };

struct golden_kvo {
    const char *dir;
    struct json *index;
    struct {
        const char *name; // borrowed from the index
        struct safetensors *file;
    } open[GOLDEN_KVO_FILES];
    int n_open;
    struct err *err; // where a case's errors go
};

/* All cases of one part; fn returns 0, or -1 with g->err. GOLDEN_ABSENT when there are none. */
int golden_kvo_run(const char *dir, const char *part,
                   int (*fn)(struct golden_kvo *g, const struct json *c, struct tally *t),
                   struct tally *t, struct err *e);

const char *golden_kvo_name(const struct json *c);
const char *golden_kvo_text(const struct json *c, const char *key); // "" where it is absent
int golden_kvo_int(const struct json *c, const char *key);          // 0 where it is absent
bool golden_kvo_has(const struct json *c, const char *tensor);
/* The key or value quantizer's settings, with the names that the authors have for them. */
struct kvo_quant golden_kvo_quant(const struct json *config);

/* The whole method with the settings of a case's member "kv", at work from first_layer on. */
int golden_kvo_chain(struct golden_kvo *g, const struct json *kv, int first_layer,
                     struct kv_chain *out);

/* Its data, or NULL with g->err: absent, another type, or not of n entries (n < 0: any). */
const void *golden_kvo_data(struct golden_kvo *g, const struct json *c, const char *tensor,
                            enum dtype type, long n);
const struct tensor *golden_kvo_tensor(struct golden_kvo *g, const struct json *c,
                                       const char *tensor, enum dtype type);
/* A tensor of the case's file by its full name, such as "shared/v". */
const struct tensor *golden_kvo_shared(struct golden_kvo *g, const struct json *c, const char *full,
                                       enum dtype type);
/* The case's own tensor `in`, or the shared one that it names. */
const float *golden_kvo_input(struct golden_kvo *g, const struct json *c, long n);

/* Equal by value, NaN to NaN, 0.0 to -0.0: one comparison in the tally. */
void golden_kvo_equal_f32(struct tally *t, const struct json *c, const char *tensor,
                          const float *got, const float *want, long n);
/* Within atol + rtol * |want|; the deviation tallied is |got - want|. */
void golden_kvo_near_f32(struct tally *t, const struct json *c, const char *tensor,
                         const float *got, const float *want, long n, double rtol, double atol);
void golden_kvo_equal_int(struct tally *t, const struct json *c, const char *tensor, const int *got,
                          const int *want, long n);
/* As ints, whatever integer type it is stored in; the caller frees. NULL with g->err. */
int *golden_kvo_ints_dup(struct golden_kvo *g, const struct json *c, const char *tensor, long n);

#endif
