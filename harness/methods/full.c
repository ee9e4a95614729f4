/* The full cache: every row is kept and read. What all other settings are compared with. */
#include "harness/kv/method.h"

const struct kv_method method_full = {
    .name = "full",
    .version = 2,
    .summary = "the full cache: every row is kept and read, in the codec of the chain (f16)",
    .cite = "Vaswani et al. 2017",
};
