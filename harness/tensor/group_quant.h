/*
 * The group quantizer: numbers that share a scale and an offset, rounded to codes of few bits.
 * Keys, values and weights all go through this one arithmetic.
 *
 * f32, each operation rounded by itself, division true, ties to even. No allocation, no state.
 */
#ifndef KVLAB_GROUP_QUANT_H
#define KVLAB_GROUP_QUANT_H

#include <stdbool.h>
#include <stdint.h>

#define GROUP_LEAST 1e-5f // no scale is smaller

struct group_pair {
    float scale, zero; // value = code * scale + zero
};

/* Signed codes low..high, whole numbers; stored ones count from low. */
struct group_grid {
    float low, high;
};

struct group_grid group_grid(int bits, bool symmetric);

/* How a group becomes codes. half: its pair is rounded to f16 before. */
struct group_form {
    struct group_grid grid;
    bool symmetric, half;
    float clip;
};

/* A scale that can be divided by: max(s, GROUP_LEAST), and NaN stays. */
float group_scale(float s);

/* From the range of n > 0 numbers. clip below 1: both ends of the range are multiplied by it.
 * Symmetric: no offset, scale by the signed maximum, as KVO's authors have it. */
struct group_pair group_pair(const float *x, int n, struct group_grid g, bool symmetric,
                             float clip);

/* The same from a range that is known; its max is NaN where a number is. */
struct group_pair group_pair_of(float min, float max, struct group_grid g, bool symmetric,
                                float clip);

/* As f16 keeps it; beyond its range the largest that it has. */
float group_half(float x);

/* Codes of at most 16 bits. A number beyond the range saturates; NaN gives the lowest code. */
uint16_t group_code(float x, struct group_pair p, struct group_grid g);
void group_encode(uint8_t *codes, const float *x, int n, struct group_pair p, struct group_grid g);
/* Of at most 8 bits, each number by a pair of its own. */
void group_encode_each(uint8_t *restrict codes, const float *restrict x, int n,
                       const float *restrict scale, const float *restrict zero,
                       struct group_grid g);
/* x = (code + low) * scale + zero, two roundings. */
void group_decode(float *x, const uint8_t *codes, int n, struct group_pair p, float low);

#endif
