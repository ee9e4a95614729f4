/* Rows as 16-bit floats. */
#include "harness/kv/method.h"

static const struct kv_codec *codec(const void *opt, int layer)
{
    (void)opt;
    (void)layer;
    return &kv_codec_f16;
}

const struct kv_method method_f16 = {
    .name = "f16",
    .version = 1,
    .summary = "keys and values as 16-bit floats, rounded to 16 bits on arrival",
    .cite = "IEEE 754",
    .hooks = 1u << KV_CODEC,
    .codec = codec,
};
