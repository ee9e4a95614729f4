#include "harness/kv/rope.h"

#include <math.h>

void kv_rope_turn(const struct kv_rope *r, float *x, int head_dim, int by)
{
    int half = head_dim / 2;
    for (int i = 0; i < half; i++) {
        float angle = (float)by * r->frequency[i], c = cosf(angle), s = sinf(angle);
        float a = x[i], b = x[i + half];
        x[i] = a * c - b * s;
        x[i + half] = b * c + a * s;
    }
}
