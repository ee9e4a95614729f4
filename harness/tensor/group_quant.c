#include "harness/tensor/group_quant.h"

#include <math.h>
#include <string.h>

#include "harness/tensor/dtype.h"

struct group_grid group_grid(int bits, bool symmetric)
{
    float half = (float)(1 << (bits - 1));
    if (symmetric)
        return (struct group_grid){-half, half - 1};
    return (struct group_grid){0, 2 * half - 1};
}

/* NaN stays: 0 / 0 of a symmetric 1-bit grid does, as in the authors' code. */
float group_scale(float s)
{
    return s < GROUP_LEAST ? GROUP_LEAST : s;
}

/* In independent lanes, for speed; NaN anywhere makes max NaN, so it is not hidden by a code. */
static void range_of(float *min, float *max, const float *x, int n)
{
    enum { LANES = 8 };
    float lo[LANES], hi[LANES];
    int nan[LANES] = {0}, i = 0, any = 0;
    for (int j = 0; j < LANES; j++)
        lo[j] = hi[j] = x[j < n ? j : 0];
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) {
            float v = x[i + j];
            hi[j] = v > hi[j] ? v : hi[j];
            lo[j] = v < lo[j] ? v : lo[j];
            nan[j] |= v != v;
        }
    for (; i < n; i++) {
        hi[0] = x[i] > hi[0] ? x[i] : hi[0];
        lo[0] = x[i] < lo[0] ? x[i] : lo[0];
        any |= x[i] != x[i];
    }
    *max = hi[0], *min = lo[0];
    for (int j = 0; j < LANES; j++) {
        *max = hi[j] > *max ? hi[j] : *max;
        *min = lo[j] < *min ? lo[j] : *min;
        any |= nan[j];
    }
    *max = any ? NAN : *max;
}

struct group_pair group_pair(const float *x, int n, struct group_grid g, bool symmetric, float clip)
{
    float max, min;
    range_of(&min, &max, x, n);
    return group_pair_of(min, max, g, symmetric, clip);
}

/* Clipping multiplies both ends, so it widens a range that lies above or below zero. */
struct group_pair group_pair_of(float min, float max, struct group_grid g, bool symmetric,
                                float clip)
{
    if (clip < 1) {
        max *= clip;
        min *= clip;
    }
    if (symmetric) // by the signed maximum, not by max |x|
        return (struct group_pair){group_scale(max / g.high), 0};
    return (struct group_pair){group_scale((max - min) / g.high), min + 0.0f}; // one zero of two
}

float group_half(float x)
{
    const float most = 65504;
    if (x > most || x < -most)
        x = x > 0 ? most : -most;
    uint32_t u, sign, magnitude;
    memcpy(&u, &x, sizeof u);
    sign = u & 0x80000000, magnitude = u ^ sign;
    if (magnitude >= 0x38800000 && magnitude <= 0x477FE000) { // 2^-14 to the largest: 10 bits stay
        u = sign | ((magnitude + 0xFFF + (magnitude >> 13 & 1)) & ~(uint32_t)0x1FFF);
        memcpy(&x, &u, sizeof x);
        return x;
    }
    return f16_to_f32(f16_from_f32(x));
}

/* Clamping first gives the same as rounding first, the ends being whole; then adding 1.5 * 2^23
 * rounds to even, as rintf does but inline. */
static inline int code_of(float x, struct group_pair p, struct group_grid g)
{
    const float whole = 0x1.8p23f;
    float q = (x - p.zero) / p.scale;
    q = q > g.low ? q : g.low;
    q = q < g.high ? q : g.high;
    return (int)((q + whole) - whole - g.low);
}

uint16_t group_code(float x, struct group_pair p, struct group_grid g)
{
    return (uint16_t)code_of(x, p, g);
}

void group_encode(uint8_t *codes, const float *x, int n, struct group_pair p, struct group_grid g)
{
    for (int i = 0; i < n; i++)
        codes[i] = (uint8_t)code_of(x[i], p, g);
}

void group_encode_each(uint8_t *restrict codes, const float *restrict x, int n,
                       const float *restrict scale, const float *restrict zero, struct group_grid g)
{
    for (int i = 0; i < n; i++)
        codes[i] = (uint8_t)code_of(x[i], (struct group_pair){scale[i], zero[i]}, g);
}

void group_decode(float *x, const uint8_t *codes, int n, struct group_pair p, float low)
{
    for (int i = 0; i < n; i++)
        x[i] = ((float)codes[i] + low) * p.scale + p.zero;
}
