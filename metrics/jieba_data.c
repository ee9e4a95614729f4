#include "metrics/jieba_data.h"

#include <assert.h>
#include <string.h>

/* jieba_blob.S */
extern const unsigned char jieba_blob[], jieba_blob_end[];

void jieba_data_get(struct jieba_data *d)
{
    struct jieba_header h;
    memcpy(&h, jieba_blob, sizeof h);
    assert(!memcmp(h.magic, JIEBA_MAGIC, sizeof h.magic) && h.version == JIEBA_VERSION);
    assert(h.n_symbols == JIEBA_SYMBOLS && h.size == (size_t)(jieba_blob_end - jieba_blob));
    /* Through void: the block is aligned and its parts are in order of falling alignment. */
    d->start = (const void *)(jieba_blob + sizeof h);
    d->trans = d->start + JIEBA_STATES;
    d->emit = d->trans + JIEBA_STATES * JIEBA_STATES;
    d->weight = d->emit + (size_t)JIEBA_HAN * JIEBA_STATES;
    d->first_child = (const void *)(d->weight + h.n_weights);
    d->symbol = (const void *)(d->first_child + h.n_nodes + 1);
    d->weight_index = d->symbol + h.n_nodes;
}

uint32_t jieba_child(const struct jieba_data *d, uint32_t node, uint32_t symbol)
{
    if (node == 0)
        return 1 + symbol;
    uint32_t lo = d->first_child[node], end = d->first_child[node + 1], hi = end;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (d->symbol[mid] < symbol)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < end && d->symbol[lo] == symbol ? lo : 0;
}
