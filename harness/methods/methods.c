/* The registry: what methods.def lists. */
#include "harness/kv/method.h"

#define METHOD(name) extern const struct kv_method method_##name;
#include "harness/methods/methods.def"
#undef METHOD

#define METHOD(name) &method_##name,
const struct kv_method *const kv_method_all[] = {
#include "harness/methods/methods.def"
    NULL};
#undef METHOD
