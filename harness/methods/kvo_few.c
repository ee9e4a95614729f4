#include "harness/methods/kvo_few.h"

#include <string.h>

enum { CODES = 1 << KVO_FEW_BITS };

/* A product gathers the lowest bits of 8 bytes in its highest byte; no two meet below it. */
uint8_t kvo_few_bits(const uint8_t codes[8], int plane)
{
    uint64_t x;
    memcpy(&x, codes, sizeof x);
    return (uint8_t)(((x >> plane & 0x0101010101010101) * 0x0102040810204080) >> 56);
}

static int count_of(uint32_t x)
{
    x -= x >> 1 & 0x55555555;
    x = (x & 0x33333333) + (x >> 2 & 0x33333333);
    return (int)(((x + (x >> 4)) & 0x0F0F0F0F) * 0x01010101 >> 24);
}

static uint32_t without_lowest(uint32_t x, int n)
{
    while (n-- > 0)
        x &= x - 1;
    return x;
}

/* What a code decodes to, without its sign; NaN is above everything. */
static uint32_t magnitude(int code, struct kvo_pair p, float low)
{
    float x = ((float)code + low) * p.scale + p.zero;
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u & 0x7FFFFFFF;
}

static uint32_t with_code(const uint32_t planes[KVO_FEW_BITS], int bits, uint32_t all, int code)
{
    for (int p = 0; p < bits; p++)
        all &= code >> p & 1 ? planes[p] : ~planes[p];
    return all;
}

uint32_t kvo_few_kept(const uint32_t planes[KVO_FEW_BITS], uint32_t all, int n_drop,
                      struct kvo_pair pair, const struct kvo_quant *q)
{
    uint32_t size[CODES], kept = all;
    int codes = 1 << q->bits;
    float low = (float)kvo_lowest(q->bits, q->symmetric);
    for (int i = 0; i < codes; i++)
        size[i] = magnitude(i, pair, low);
    while (n_drop > 0 && kept) {
        uint32_t least = UINT32_MAX, equal = 0;
        for (int i = 0; i < codes; i++)
            least = size[i] < least ? size[i] : least;
        for (int i = 0; i < codes; i++)
            if (size[i] == least) {
                equal |= with_code(planes, q->bits, all, i);
                size[i] = UINT32_MAX;
            }
        int n = count_of(equal);
        kept &= n > n_drop ? ~(equal & ~without_lowest(equal, n_drop)) : ~equal;
        n_drop -= n;
    }
    return kept;
}
