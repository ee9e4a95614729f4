/*
 * The list "settings" of a configuration with its grids and ablations written out: what comes out
 * are ordinary settings {"name", "chain", "weights"} that are read as any other.
 *
 *   {"name": "kvo {key_bits} bit, read {token_budget}", "chain": ["kvo"],
 *    "grid": {"key_bits": [2, 3, 4], "token_budget": [128, 256, 384]},
 *    "zip": {"key_group": [16, 32], "value_group": [16, 32]},
 *    "exclude": [{"key_bits": 4, "token_budget": 128}]}
 *   {"ablation": "bits", "base": {"name": "kvo", "chain": ["kvo"]} or the name of a setting above,
 *    "vary": {"key_bits": [1, 3, 4], "order": [false]}}
 *
 * Works on JSON; the values themselves are checked when the settings are read.
 */
#ifndef KVLAB_SWEEP_H
#define KVLAB_SWEEP_H

#include "harness/base/opt.h"

struct sweep_item {
    struct json *entry; // owned
    int place;          // of its origin in "settings"
    bool made;          // by a grid or an ablation
    /* Of an ablation, else "": its name, and what this setting changes of the base, in full
     * ("kvo.key_bits"); "" is the base, which comes before its variations. */
    char ablation[OPT_STR_MAX], factor[OPT_STR_MAX];
};

struct sweep {
    struct sweep_item *list;
    int n;
};

/* At most max settings. All errors are ERR_USER and begin with path and place. */
int sweep_expand(struct sweep *s, const struct json *settings, int max, const char *path,
                 struct err *e);
void sweep_release(struct sweep *s);

#endif
