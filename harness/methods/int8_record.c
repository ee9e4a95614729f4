#include "harness/methods/int8_record.h"

#include <assert.h>
#include <string.h>

#include "harness/tensor/dtype.h"

enum { BITS = 8 };

static size_t number_size(const struct kvo_quant *q)
{
    return q->half_pairs ? sizeof(uint16_t) : sizeof(float);
}

/* f16: the pair was rounded before codes were made of it, so nothing is lost here. */
static uint8_t *put_number(uint8_t *to, float x, const struct kvo_quant *q)
{
    uint16_t half = f16_from_f32(x);
    memcpy(to, q->half_pairs ? (const void *)&half : &x, number_size(q));
    return to + number_size(q);
}

size_t int8_record_size(int d, const struct kvo_quant *q)
{
    assert(d % q->group == 0);
    return (size_t)d + (size_t)(d / q->group) * 2 * number_size(q);
}

struct int8_rows int8_record_rows(const uint8_t *first, size_t stride, int d,
                                  const struct kvo_quant *q)
{
    return (struct int8_rows){first,         stride, d, q->group, kvo_lowest(BITS, q->symmetric),
                              !q->half_pairs};
}

void int8_record_put(const struct kernels *kn, uint8_t *record, float *x, int d,
                     const struct kvo_quant *q)
{
    uint8_t *pairs = record + d;
    for (int i = 0; i < d; i += q->group) {
        struct kvo_pair p = kvo_encode(kn, record + i, x + i, q->group, BITS, q);
        kvo_decode(x + i, record + i, p, q->group, BITS, q);
        pairs = put_number(pairs, p.scale, q);
        pairs = put_number(pairs, p.zero, q);
    }
}

size_t kvo_pairs_size(int n, const struct kvo_quant *q)
{
    return (size_t)n * 2 * number_size(q);
}

uint8_t *kvo_pairs_put(uint8_t *to, const struct kvo_pair *pairs, int n, const struct kvo_quant *q)
{
    for (int i = 0; i < n; i++)
        to = put_number(to, pairs[i].scale, q);
    for (int i = 0; i < n; i++)
        to = put_number(to, pairs[i].zero, q);
    return to;
}
