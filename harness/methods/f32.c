/* Rows as 32-bit floats. */
#include "harness/kv/method.h"

static const struct kv_codec *codec(const void *opt, int layer)
{
    (void)opt;
    (void)layer;
    return &kv_codec_f32;
}

const struct kv_method method_f32 = {
    .name = "f32",
    .version = 1,
    .summary = "keys and values as 32-bit floats, as they come",
    .cite = "IEEE 754",
    .hooks = 1u << KV_CODEC,
    .codec = codec,
};
