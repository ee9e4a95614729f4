/*
 * What tests and golden comparisons may look at in KVO's memory of one layer: `state` is what
 * kv_cache_state() gives for any hook of KVO.
 */
#ifndef KVLAB_KVO_H
#define KVLAB_KVO_H

int kvo_state_ordered(const void *state); // rows before it are ordered, or due for compression
int kvo_state_packed(const void *state);  // rows before it are compressed
/* [n_kv_heads][2 * window]: attention that the rows from `ordered` on have received. */
const float *kvo_state_sums(const void *state);

#endif
