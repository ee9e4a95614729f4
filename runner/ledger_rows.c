#include "runner/ledger_rows.h"

static int64_t bytes(uint64_t bits)
{
    return (int64_t)(bits / 8 + (bits % 8 != 0));
}

int ledger_rows(const struct kv_ledger *l, uint64_t weights_held_bytes, uint64_t weights_read_bytes,
                struct store_ledger out[LEDGER_ROWS_MAX])
{
    int n = 0;
    for (int c = 0; c < KV_CLASSES; c++)
        if (l->held[c] || l->read[c] || l->written[c])
            out[n++] = (struct store_ledger){kv_class_name((enum kv_class)c), bytes(l->held[c]),
                                             bytes(l->read[c]), bytes(l->written[c])};
    if (weights_held_bytes || weights_read_bytes)
        out[n++] = (struct store_ledger){"weights", (int64_t)weights_held_bytes,
                                         (int64_t)weights_read_bytes, 0};
    return n;
}
