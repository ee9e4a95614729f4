#include "harness/methods/kvo_few.h"

#include <string.h>

enum { CODES = 1 << KVO_FEW_BITS, LARGEST = 0x7F7FFFFF }; // as a float: the largest

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

/* The two codes, one on each side of 0, whose entries go next; magnitudes grow away from there. */
struct front {
    uint32_t size[CODES];
    int below, above, codes;
};

/* What codes decode to ascends with them, unless something is infinite or NaN. */
static bool front_init(struct front *f, struct kvo_pair pair, const struct kvo_quant *q)
{
    float low = (float)kvo_lowest(q->bits, q->symmetric);
    bool finite = pair.scale - pair.scale == 0 && pair.zero - pair.zero == 0;
    f->codes = 1 << q->bits;
    f->above = 0;
    for (int i = 0; i < f->codes; i++) {
        f->size[i] = magnitude(i, pair, low);
        f->above += ((float)i + low) * pair.scale + pair.zero < 0;
    }
    f->below = f->above - 1;
    return finite && pair.scale > 0 && f->size[0] <= LARGEST && f->size[f->codes - 1] <= LARGEST;
}

/* The entries of least magnitude that are left. */
static uint32_t front_take(struct front *f, const uint32_t planes[KVO_FEW_BITS], int bits,
                           uint32_t all)
{
    uint32_t below = f->below >= 0 ? f->size[f->below] : UINT32_MAX, equal = 0;
    uint32_t above = f->above < f->codes ? f->size[f->above] : UINT32_MAX;
    uint32_t least = below < above ? below : above;
    for (; f->below >= 0 && f->size[f->below] == least; f->below--)
        equal |= with_code(planes, bits, all, f->below);
    for (; f->above < f->codes && f->size[f->above] == least; f->above++)
        equal |= with_code(planes, bits, all, f->above);
    return equal;
}

/* The same in any order. */
static uint32_t take_any(struct front *f, const uint32_t planes[KVO_FEW_BITS], int bits,
                         uint32_t all)
{
    uint32_t least = UINT32_MAX, equal = 0;
    for (int i = 0; i < f->codes; i++)
        least = f->size[i] < least ? f->size[i] : least;
    for (int i = 0; i < f->codes; i++)
        if (f->size[i] == least) {
            equal |= with_code(planes, bits, all, i);
            f->size[i] = UINT32_MAX;
        }
    return equal;
}

uint32_t kvo_few_kept(const uint32_t planes[KVO_FEW_BITS], uint32_t all, int n_drop,
                      struct kvo_pair pair, const struct kvo_quant *q)
{
    struct front f;
    bool ascends = front_init(&f, pair, q);
    for (uint32_t kept = all;;) {
        if (n_drop <= 0 || !kept)
            return kept;
        uint32_t equal =
            ascends ? front_take(&f, planes, q->bits, all) : take_any(&f, planes, q->bits, all);
        int n = count_of(equal);
        kept &= n > n_drop ? ~(equal & ~without_lowest(equal, n_drop)) : ~equal;
        n_drop -= n;
    }
}
