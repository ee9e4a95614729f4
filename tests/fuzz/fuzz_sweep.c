#include <assert.h>

#include "runner/sweep.h"
#include "tests/fuzz/fuzz.h"

void fuzz_one(const unsigned char *data, size_t n)
{
    struct sweep s;
    struct err e;
    struct json *j = json_read((struct text){(const char *)data, n}, &e);
    if (!j)
        return;
    if (!sweep_expand(&s, j, 256, "fuzz", &e)) {
        for (int i = 0; i < s.n; i++) {
            assert(json_type(json_get(s.list[i].entry, "name")) == JSON_STRING);
            assert(json_get(s.list[i].entry, "chain"));
        }
        sweep_release(&s);
    }
    json_free(j);
}
