/*
 * The salient keys of one KV head, in tiles (struct int8_tiles of packed.h), and the best of them
 * for a query. Every step looks at all of them to choose some 50: a look with whole numbers says
 * which may be among the best, and only these get the scores of the float kernels. The choice is
 * exactly the one that the float scores of all make.
 *
 * Has room to work; one thread at a time. Where 4 does not divide the group rows
 * lie one after the other in a tile, and all get float scores.
 */
#ifndef KVLAB_KVO_SCAN_H
#define KVLAB_KVO_SCAN_H

#include "harness/kv/codec.h"
#include "harness/methods/kvo_quant.h"

struct kvo_scan {
    struct int8_tiles tiles;
    uint8_t *data; // of the tiles
    struct kvo_quant quant;
    size_t record; // bytes of a key as INT8 record (int8_record.h)
    int unit;      // channels of a row that lie together
    double most;   // no key's sum of magnitudes is larger; Inf: who knows
    /* Room. */
    struct int8_query *queries; // [n_q], and their numbers
    double *bounds;             // [n_q]: how far from float scores theirs may be
    int8_t *numbers;
    float *sums;
    uint8_t *records; // [TILE_ROWS][record]
};

/* For n_q queries at a time. data: kvo_scan_bytes() of the keys for the tiles, borrowed. */
size_t kvo_scan_bytes(int d, const struct kvo_quant *quant, int n);
void kvo_scan_init(struct kvo_scan *s, int d, const struct kvo_quant *quant, int n_q,
                   uint8_t *data);
void kvo_scan_release(struct kvo_scan *s);

/* Key i from its record, in order; and as floats. */
void kvo_scan_put(struct kvo_scan *s, int i, const uint8_t *record);
void kvo_scan_copy(struct kvo_scan *to, const struct kvo_scan *from, int n); // the first n
void kvo_scan_key(const struct kvo_scan *s, const struct kernels *kn, int i, float *out);

/* top() of codec.h over the first n keys. */
void kvo_scan_top(const struct kvo_scan *s, const struct kernels *kn, const float *q, int n_q,
                  int n, int k, int *out, int ld, const struct kv_top_room *room);

#endif
