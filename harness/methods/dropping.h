/*
 * What methods share that drop rows while decoding: how many a slot may hold, when they go, which
 * one goes first.
 *
 * A budget in tokens is that number whatever the prompt; a share or bytes are of the prompt, so
 * that the cache keeps the size to which the prompt was cut.
 */
#ifndef KVLAB_DROPPING_H
#define KVLAB_DROPPING_H

#include "harness/kv/method.h"

enum { DROP_NOTHING = 0 }; // a size, as a zeroed state has it: no limit

/* For adopt(): n rows of the slot's prompt stayed. At least 1, or DROP_NOTHING in layers that keep
 * all. */
int drop_size_of(const struct kv_budget *b, int layer, const struct kv_kept *kept, int n);

/* In a step, with the size from adopt(), which is not called without a prompt: then it is the
 * budget's tokens, if it names any. */
int drop_size_now(const struct kv_budget *b, int layer, int adopted);

/* The row of n > 0 that is worth least, the last of equal ones: those that stay are the first. */
int drop_weakest(const float *worth, int n);

/* When rows are dropped, as an option. */
enum { WHEN_STEP, WHEN_PROMPT };
extern const char *const when_names[];

#endif
