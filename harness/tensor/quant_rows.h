/*
 * Rows of a weight matrix packed at 2 to 8 bits a weight, as the kernels read them.
 *
 * A row is its codes, then its pairs: f16 or f32, scale and offset side by side, or scales only
 * when symmetric. A weight is (code + lowest) * scale + offset, two roundings.
 *
 * Codes lie in spans of 128 weights, that is 8 vectors of 16. The bits of a code are cut into parts
 * of 8, 4, 2 and 1 bits, those that its number of bits is the sum of, the widest part lowest; a
 * span holds the widest part of all its weights, then the next. A part of p bits is stored in units
 * of 16 bytes for 8 / p vectors: byte l holds lane l of each, the first vector lowest. So one
 * load and a shift give 16 codes, and a span is 16 * bits bytes without a gap. The last span of a
 * row has only the units it needs.
 */
#ifndef KVLAB_QUANT_ROWS_H
#define KVLAB_QUANT_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "harness/tensor/dtype.h"

enum {
    QUANT_LANES = 16,
    QUANT_SPAN = 8,   // vectors
    QUANT_SLACK = 64, // bytes after the last row that may be read: whoever owns it leaves room
};

struct quant_rows {
    const uint8_t *data;   // row i: data + i * stride
    size_t stride, codes;  // bytes of a row, and of its codes
    int cols, bits, group; // group divides cols
    int lowest;            // what code 0 stands for
    bool symmetric;        // no offsets are stored
    bool wide;             // pairs of f32, not f16
};

static inline int quant_units(int vectors, int part)
{
    return (vectors * part + 7) / 8;
}

/* Bytes of the codes of so many vectors, at most a span. */
static inline size_t quant_span_bytes(int vectors, int bits)
{
    size_t units = 0;
    for (int part = 8; part; part /= 2)
        units += bits & part ? (size_t)quant_units(vectors, part) : 0;
    return units * QUANT_LANES;
}

static inline size_t quant_code_bytes(int cols, int bits)
{
    int vectors = (cols + QUANT_LANES - 1) / QUANT_LANES;
    return (size_t)(vectors / QUANT_SPAN) * quant_span_bytes(QUANT_SPAN, bits) +
           quant_span_bytes(vectors % QUANT_SPAN, bits);
}

static inline size_t quant_pair_bytes(int cols, int group, bool symmetric, bool wide)
{
    return (size_t)(cols / group) * (symmetric ? 1 : 2) * (wide ? sizeof(float) : 2);
}

static inline const uint8_t *quant_row(const struct quant_rows *q, long row)
{
    return q->data + (size_t)row * q->stride;
}

/* Where part `part` of weight i lies: byte and shift within a row. */
struct quant_place {
    size_t byte;
    int shift;
};

static inline struct quant_place quant_place(int cols, int bits, int part, int i)
{
    int vectors = (cols + QUANT_LANES - 1) / QUANT_LANES;
    int vector = i / QUANT_LANES, span = vector / QUANT_SPAN, in_span = vector % QUANT_SPAN;
    int left = vectors - span * QUANT_SPAN;
    size_t byte = (size_t)span * quant_span_bytes(QUANT_SPAN, bits);
    for (int wider = 8; wider > part; wider /= 2)
        if (bits & wider)
            byte += (size_t)quant_units(left < QUANT_SPAN ? left : QUANT_SPAN, wider) * QUANT_LANES;
    byte += (size_t)(in_span * part / 8) * QUANT_LANES + (size_t)(i % QUANT_LANES);
    return (struct quant_place){byte, part * (in_span % (8 / part))};
}

/* The stored code of weight i, counting from the lowest. */
static inline int quant_code(const struct quant_rows *q, const uint8_t *row, int i)
{
    int code = 0, have = 0;
    for (int part = 8; part; part /= 2)
        if (q->bits & part) {
            struct quant_place p = quant_place(q->cols, q->bits, part, i);
            code |= (row[p.byte] >> p.shift & ((1 << part) - 1)) << have;
            have += part;
        }
    return code;
}

/* Number `index` of a row's pairs as f32. */
static inline float quant_pair(const struct quant_rows *q, const uint8_t *row, int index)
{
    const uint8_t *pairs = row + q->codes;
    float wide;
    uint16_t half;
    if (q->wide) {
        memcpy(&wide, pairs + (size_t)index * sizeof wide, sizeof wide);
        return wide;
    }
    memcpy(&half, pairs + (size_t)index * sizeof half, sizeof half);
    return f16_to_f32(half);
}

/* One weight: what the kernels are compared with. */
static inline float quant_weight(const struct quant_rows *q, const uint8_t *row, int i)
{
    int pair = i / q->group * (q->symmetric ? 1 : 2);
    float zero = q->symmetric ? 0 : quant_pair(q, row, pair + 1);
    return (float)(quant_code(q, row, i) + q->lowest) * quant_pair(q, row, pair) + zero;
}

#endif
