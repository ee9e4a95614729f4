/* The plain twins: what the fast kernels compute, in the most obvious way. */
#include "harness/tensor/kernels.h"

#include <math.h>

static float dot(const float *a, const float *b, int n)
{
    float sum = 0;
    for (int i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void matmul_f32(float *out, int ld_out, const float *x, int ld_x, int m, const void *w,
                       int n, int k)
{
    const float *rows = w;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            out[(long)i * ld_out + j] = dot(x + (long)i * ld_x, rows + (long)j * k, k);
}

static void matmul_half(float *out, int ld_out, const float *x, int ld_x, int m, const uint16_t *w,
                        int n, int k, float (*widen)(uint16_t))
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float sum = 0;
            for (int l = 0; l < k; l++)
                sum += x[(long)i * ld_x + l] * widen(w[(long)j * k + l]);
            out[(long)i * ld_out + j] = sum;
        }
}

static void matmul_f16(float *out, int ld_out, const float *x, int ld_x, int m, const void *w,
                       int n, int k)
{
    matmul_half(out, ld_out, x, ld_x, m, w, n, k, f16_to_f32);
}

static void matmul_bf16(float *out, int ld_out, const float *x, int ld_x, int m, const void *w,
                        int n, int k)
{
    matmul_half(out, ld_out, x, ld_x, m, w, n, k, bf16_to_f32);
}

static void scores(float *out, const float *q, const float *rows, int n, int d, float divisor)
{
    for (int i = 0; i < n; i++)
        out[i] = dot(q, rows + (long)i * d, d) / divisor;
}

static void mix(float *out, const float *w, const float *rows, int n, int d)
{
    for (int i = 0; i < n; i++)
        for (int l = 0; l < d; l++)
            out[l] += w[i] * rows[(long)i * d + l];
}

static void scores_f16(float *out, const float *q, const uint16_t *rows, int n, int d,
                       float divisor)
{
    matmul_half(out, n, q, d, 1, rows, n, d, f16_to_f32);
    for (int i = 0; i < n; i++)
        out[i] /= divisor;
}

static void mix_f16(float *out, const float *w, const uint16_t *rows, int n, int d)
{
    for (int i = 0; i < n; i++)
        for (int l = 0; l < d; l++)
            out[l] += w[i] * f16_to_f32(rows[(long)i * d + l]);
}

static void softmax(float *x, int n)
{
    float max = x[0], sum = 0;
    for (int i = 1; i < n; i++)
        max = x[i] > max ? x[i] : max;
    for (int i = 0; i < n; i++)
        sum += x[i] = expf(x[i] - max);
    for (int i = 0; i < n; i++)
        x[i] /= sum;
}

static void rmsnorm(float *out, const float *x, const float *weight, int n, float eps)
{
    float scale = 1.0f / sqrtf(dot(x, x, n) / (float)n + eps);
    for (int i = 0; i < n; i++)
        out[i] = x[i] * scale * weight[i];
}

static void silu_mul(float *gate, const float *up, int n)
{
    for (int i = 0; i < n; i++)
        gate[i] = gate[i] / (1.0f + expf(-gate[i])) * up[i];
}

static void rope(float *x, const float *cos, const float *sin, int half)
{
    for (int i = 0; i < half; i++) {
        float a = x[i], b = x[i + half];
        x[i] = a * cos[i] - b * sin[i];
        x[i + half] = b * cos[i] + a * sin[i];
    }
}

static void add(float *x, const float *y, int n)
{
    for (int i = 0; i < n; i++)
        x[i] += y[i];
}

static void rescale(float *out, const float *x, int n, float by, float over, float least)
{
    for (int i = 0; i < n; i++) {
        float y = x[i] * by / over;
        out[i] = y < least ? least : y;
    }
}

static int count_from(const float *x, int n, float least)
{
    int count = 0;
    for (int i = 0; i < n; i++)
        count += x[i] >= least;
    return count;
}

static void widen_f16(float *out, const uint16_t *in, long n)
{
    for (long i = 0; i < n; i++)
        out[i] = f16_to_f32(in[i]);
}

static void narrow_f16(uint16_t *out, const float *in, long n)
{
    for (long i = 0; i < n; i++) {
        uint16_t half = f16_from_f32(in[i]);
        memcpy(out + i, &half, sizeof half); // which need not be aligned
    }
}

static void widen_bf16(float *out, const uint16_t *in, long n)
{
    for (long i = 0; i < n; i++)
        out[i] = bf16_to_f32(in[i]);
}

#include "harness/tensor/kernels_packed_plain.h"
#include "harness/tensor/kernels_panel_plain.h"
#include "harness/tensor/kernels_quant_plain.h"

const struct kernels kernels_plain = {
    .name = "plain",
    .matmul_f32 = matmul_f32,
    .matmul_f16 = matmul_f16,
    .matmul_bf16 = matmul_bf16,
    .scores = scores,
    .mix = mix,
    .softmax = softmax,
    .rmsnorm = rmsnorm,
    .silu_mul = silu_mul,
    .rope = rope,
    .add = add,
    .rescale = rescale,
    .count_from = count_from,
    .widen_f16 = widen_f16,
    .widen_bf16 = widen_bf16,
    .narrow_f16 = narrow_f16,
    .scores_f16 = scores_f16,
    .mix_f16 = mix_f16,
    .scores_int8 = scores_int8,
    .mix_int8 = mix_int8,
    .widen_int8 = widen_int8,
    .scan_tiles = scan_tiles,
    .widen_tile = widen_tile,
    .pack = pack,
    .encode_group = encode_group,
    .unpack = unpack,
    .unpack_rows = unpack_rows,
    .scores_codes = scores_codes,
    .mix_codes = mix_codes,
    .matmul_quant = matmul_quant,
    .widen_quant = widen_quant,
    .panel_mul = panel_mul,
    .panel_pack = panel_pack,
};
