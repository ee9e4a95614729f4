#include "harness/base/json.h"
#include "tests/fuzz/fuzz.h"

void fuzz_one(const unsigned char *data, size_t n)
{
    struct err e;
    struct json *j = json_read((struct text){(const char *)data, n}, &e);
    if (!j)
        return;
    struct buf b;
    buf_init(&b);
    json_put_canonical(&b, j);
    json_free(j);
    buf_release(&b);
}
