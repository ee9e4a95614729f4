/* Number formats of stored tensors, and their conversion to f32. */
#ifndef KVLAB_DTYPE_H
#define KVLAB_DTYPE_H

#include <stddef.h>
#include <stdint.h>

enum dtype {
    DT_F32,
    DT_F16,
    DT_BF16,
    DT_F64,
    DT_I64,
    DT_I32,
    DT_I16,
    DT_I8,
    DT_U8,
    DT_BOOL,
    DT_COUNT
};

const char *dtype_name(enum dtype d); // as safetensors spells it: "F32", "BF16", ...
size_t dtype_size(enum dtype d);      // bytes

float f16_to_f32(uint16_t h);
uint16_t f16_from_f32(float f); // round to nearest even; beyond the range: infinity
float bf16_to_f32(uint16_t h);
uint16_t bf16_from_f32(float f); // round to nearest even

#endif
