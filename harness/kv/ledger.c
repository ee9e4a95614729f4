#include "harness/kv/ledger.h"

#include <assert.h>

const char *kv_class_name(enum kv_class c)
{
    static const char *const names[KV_CLASSES] = {
        [KV_ROWS] = "rows",   [KV_RECENT] = "recent", [KV_BASES] = "bases",
        [KV_DIFFS] = "diffs", [KV_VALUES] = "values", [KV_PAIRS] = "pairs",
        [KV_MASKS] = "masks", [KV_INDEX] = "index",   [KV_SUMS] = "sums",
    };
    assert(c < KV_CLASSES);
    return names[c];
}

uint64_t kv_ledger_sum(const uint64_t bits[KV_CLASSES])
{
    uint64_t sum = 0;
    for (int c = 0; c < KV_CLASSES; c++)
        sum += bits[c];
    return sum;
}
