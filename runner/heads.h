/*
 * Which prompts begin alike: several questions about one document, a common set of examples. They
 * are claimed one after the other, and what they begin with is read once.
 */
#ifndef KVLAB_HEADS_H
#define KVLAB_HEADS_H

#include "harness/base/hash.h"
#include "harness/base/text.h"

/* A head in bytes at least: shorter ones (the words of a template) are not worth it, as whole
 * chunks of the prefill are shared. */
enum { HEAD_MIN = 2048 };

struct head {
    char hash[SHA256_HEX]; // "" where no other text begins alike
};

/* out[i]: of texts[i]. Texts that share HEAD_MIN bytes and more, directly or by others between them
 * in the order of bytes, have the same head. */
void heads_find(const struct text *texts, int n, struct head *out);

#endif
