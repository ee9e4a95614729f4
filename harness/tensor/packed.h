/*
 * Rows of a cache in packed form, as the kernels read them.
 *
 * Two forms. INT8 rows: a code a channel, then the row's pairs of scale and offset. Code rows:
 * codes of 1 to 16 bits without gaps, of the channels that a mask keeps, with pairs that lie
 * elsewhere. A decoded number is (code + lowest) * scale + zero, two roundings, so that a packed
 * row has exactly the bits of the float row it stands for; scores and mixtures of packed rows equal
 * those of the decoded rows bit for bit at each processor level.
 * Bits count from the lowest of the first byte. Reads may touch up to PACKED_SLACK bytes after the
 * last: whoever owns the memory leaves them room.
 */
#ifndef KVLAB_PACKED_H
#define KVLAB_PACKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PACKED_SLACK = 16 };

/* Row i: data + i * stride holds d codes and then d / group pairs (scale, zero), of f16 or f32. */
struct int8_rows {
    const uint8_t *data;
    size_t stride;
    int d, group; // d <= 1024, group divides d
    int lowest;   // what code 0 stands for: 0, or -128
    bool wide;    // pairs of f32
};

/* The codes of one row's kept channels, in order of channels. */
struct code_row {
    const uint8_t *codes;
    size_t bit;          // where in codes they begin
    const uint8_t *mask; // bit i: channel i is kept; NULL: all are
    int bits, lowest;
};

/* Pair i / group belongs to channel i; group 1: each channel has its own. */
struct code_pairs {
    const float *scale, *zero;
    int group;
};

#endif
