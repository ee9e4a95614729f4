/*
 * How many rows of a prompt stay, as a setting says it: in tokens, as a share of the prompt, or in
 * bytes a token, which are solved for the rows that the chain's codec fits into them. A method with
 * a score() has these options.
 */
#ifndef KVLAB_BUDGET_H
#define KVLAB_BUDGET_H

#include <stddef.h>

#include "harness/base/err.h"
#include "harness/base/opt.h"

struct kv_budget {
    int tokens;      // rows that stay of each slot, or 0
    double kept;     // else their share of the prompt,
    double bytes;    // or all layers' bytes for each token of the prompt, unless 0
    int first_layer; // layers before it keep all
};

/* The options of a struct kv_budget at `at`; share: the default of kept. */
#define KV_BUDGET_OPTIONS(at, share, layer)                                                        \
    {"budget",                                                                                     \
     OPT_INT,                                                                                      \
     (at) + offsetof(struct kv_budget, tokens),                                                    \
     0,                                                                                            \
     1e9,                                                                                          \
     0,                                                                                            \
     NULL,                                                                                         \
     NULL,                                                                                         \
     NULL,                                                                                         \
     "tokens of the prompt that stay, of each head; 0: as `kept` or `bytes` say"},                 \
        {"kept",                                                                                   \
         OPT_NUM,                                                                                  \
         (at) + offsetof(struct kv_budget, kept),                                                  \
         0,                                                                                        \
         1,                                                                                        \
         share,                                                                                    \
         NULL,                                                                                     \
         NULL,                                                                                     \
         NULL,                                                                                     \
         "share of the prompt's tokens that stay, when neither `budget` nor `bytes` is given"},    \
        {"bytes",                                                                                  \
         OPT_NUM,                                                                                  \
         (at) + offsetof(struct kv_budget, bytes),                                                 \
         0,                                                                                        \
         1e9,                                                                                      \
         0,                                                                                        \
         NULL,                                                                                     \
         NULL,                                                                                     \
         NULL,                                                                                     \
         "bytes of all layers for each token of the prompt; 0: as `budget` or `kept` say"},        \
    {                                                                                              \
        "first_layer", OPT_INT, (at) + offsetof(struct kv_budget, first_layer), 0, 1000, layer,    \
            NULL, NULL, NULL, "layers before it keep all their tokens"                             \
    }

/* ERR_USER: two ways at once; no layer is left. */
int kv_budget_check(const struct kv_budget *b, int n_layers, struct err *e);

/* Rows that a slot keeps, 0 to n, before they are made a whole number. row_bytes: of one token in
 * one layer, as the chain keeps it. */
double kv_budget_rows(const struct kv_budget *b, int n_prompt, int n_layers, double row_bytes);

#endif
