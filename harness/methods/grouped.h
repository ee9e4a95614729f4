/*
 * Rows rounded to codes of 1 to 8 bits by groups that share a scale and an offset, for the codecs
 * kivi and rtn: of some channels of one token, or of one channel of some tokens.
 *
 * KIVI's arithmetic: min and scale = (max - min) / (2^bits - 1) are rounded to f16 first, then code
 * = round(clamp((x - min) / scale)), ties to even, and a number reads back as code * scale + min;
 * f32, each operation by itself. Where all of a group are equal its code is 0 (theirs is 0 / 0).
 */
#ifndef KVLAB_GROUPED_H
#define KVLAB_GROUPED_H

#include "harness/kv/tile_store.h"

enum grouped_axis { GROUPED_TOKEN, GROUPED_CHANNEL };

/* How keys or values are packed. */
struct grouped {
    int bits; // 1..8
    int group;
    enum grouped_axis axis; // TOKEN: channels of a token, CHANNEL: tokens of a channel
    enum kv_tile_when when;
    int wait;
};

void grouped_tiles(const struct kv_part *part, const struct grouped *g, struct kv_tiles *out);
void grouped_pack(const struct kv_tile *t, const struct grouped *g, const float *x);
void grouped_unpack(const struct kv_tile *t, const struct grouped *g, float *out);

/* The reference: rows from..to-1 of x [n_kv_heads][cap][head_dim] become what they are kept as. */
void grouped_rows(const struct kv_part *part, float *x, int cap, int from, int to,
                  const struct grouped *g);

/* ERR_USER: what `name` (key_group, ...) must be for a head of so many channels. */
int grouped_check(const struct grouped *g, int head_dim, const char *name, struct err *e);

#endif
