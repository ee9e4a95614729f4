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

enum { PACKED_SLACK = 64 }; // what one load takes

/* Row i: data + i * stride holds d codes and then d / group pairs (scale, zero), of f16 or f32. */
struct int8_rows {
    const uint8_t *data;
    size_t stride;
    int d, group; // d <= 1024, group divides d
    int lowest;   // what code 0 stands for: 0, or -128
    bool wide;    // pairs of f32
};

/*
 * The same rows in tiles of 16, for a look at all of them with whole numbers. A tile: codes of
 * channels 0 to 3 of rows 0, 1, ... 15, then of channels 4 to 7 and so on; then for each group the
 * 16 rows' scales and their offsets. A tile has 16 times the bytes of a row.
 */
enum { TILE_ROWS = 16 };
struct int8_tiles {
    const uint8_t *data;
    int d, group; // d <= 1024, group divides d, 4 divides group, group <= 512
    int lowest;
    bool wide;
};

/* A query of about unit * w, w whole numbers within +-(2^14 - 1), in two forms. */
struct int8_query {
    float unit;
    int16_t *words;     // [d] of each 4 channels 0, 2, 1, 3
    int8_t *high, *low; // [d] w = 128 * high + low, low >= 0
    float *sums;        // [d / group] of a group's whole numbers
};

/* The codes of one row's kept channels, in order of channels. */
struct code_row {
    const uint8_t *codes;
    size_t bit;          // where in codes they begin
    const uint8_t *mask; // bit i: channel i is kept; NULL: all are
    int bits, lowest;
};

/* Rows whose codes follow each other without gaps. */
struct code_rows {
    struct code_row first;
    int n;
    size_t mask_stride; // bytes from a row's mask to the next one's
    int scales_per_row; // from a row's first scale to the next one's, zeros alike; 0: shared
};

/* Pair i / group belongs to channel i; group 1: each channel has its own. */
struct code_pairs {
    const float *scale, *zero;
    int group;
};

#endif
