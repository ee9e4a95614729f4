#include "harness/kv/chain.h"
#include "tests/fuzz/fuzz.h"

void fuzz_one(const unsigned char *data, size_t n)
{
    struct kv_shape shape = {8, 4, 4, 64};
    struct kv_chain chain;
    struct err e;
    struct json *j = json_read((struct text){(const char *)data, n}, &e);
    if (!j)
        return;
    if (!kv_chain_read(&chain, j, "fuzz", &e)) {
        struct buf b;
        buf_init(&b);
        kv_chain_check(&chain, &shape, true, "fuzz", &e);
        kv_chain_canonical(&chain, &b);
        kv_chain_describe(&chain, &b);
        buf_release(&b);
        kv_chain_release(&chain);
    }
    json_free(j);
}
