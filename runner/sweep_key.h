/*
 * What a key of "grid", "zip" or "vary" names in a setting: "chain", "weights.OPTION", an option
 * of one of the chain's methods ("kvo.key_bits", or "key_bits" where one method alone has it).
 */
#ifndef KVLAB_SWEEP_KEY_H
#define KVLAB_SWEEP_KEY_H

#include "harness/kv/chain.h"

struct sweep_key {
    char factor[OPT_STR_MAX]; // the key in full: "kvo.key_bits"
    int link;                 // in the chain, or -1
};

/* ERR_USER: unknown (the nearest is named), the authors' name, an option of several methods. */
int sweep_key_find(struct sweep_key *k, const char *key, const struct kv_chain *chain,
                   const char *where, struct err *e);

/* Puts a copy of value into a setting's JSON; k as above. The value is not checked. */
int sweep_key_put(struct json *entry, const char *key, const struct json *value, const char *where,
                  struct sweep_key *k, struct err *e);

/* The value as a name shows it: 2, false, f16; of a chain its methods. */
int sweep_value_put(const struct json *value, const char *where, struct buf *out, struct err *e);

#endif
