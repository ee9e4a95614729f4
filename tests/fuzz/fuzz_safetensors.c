#include "harness/model/safetensors.h"
#include "tests/fuzz/fuzz.h"

void fuzz_one(const unsigned char *data, size_t n)
{
    struct err e;
    safetensors_check(data, n, &e);
}
