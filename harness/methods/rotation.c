#include "harness/methods/rotation.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/base/rng.h"

size_t rotation_floats(enum rotation_kind kind, int d)
{
    return kind == ROTATION_QR ? (size_t)d * (size_t)d : (size_t)d;
}

/* ---- by a matrix ---- */

static double product(const double *a, const double *b, int d)
{
    double sum = 0;
    for (int i = 0; i < d; i++)
        sum += a[i] * b[i];
    return sum;
}

static void take_away(double *a, const double *b, double by, int d)
{
    for (int i = 0; i < d; i++)
        a[i] -= by * b[i];
}

/* Twice, as what is taken away leaves rounding behind. */
static void make_orthogonal(double *rows, int row, int d)
{
    double *x = rows + (size_t)row * (size_t)d;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < row; i++) {
            const double *y = rows + (size_t)i * (size_t)d;
            take_away(x, y, product(x, y, d), d);
        }
    double length = sqrt(product(x, x, d));
    for (int i = 0; i < d; i++)
        x[i] /= length;
}

static void make_matrix(float *r, int d, struct rng *rng)
{
    size_t n = (size_t)d * (size_t)d;
    double *rows = xmalloc(n * sizeof *rows);
    for (size_t i = 0; i < n; i++)
        rows[i] = rng_normal(rng);
    for (int i = 0; i < d; i++)
        make_orthogonal(rows, i, d);
    for (size_t i = 0; i < n; i++)
        r[i] = (float)rows[i];
    free(rows);
}

void rotation_make(float *r, enum rotation_kind kind, int d, uint64_t seed)
{
    struct rng rng = {seed};
    assert(d <= ROTATION_MAX);
    if (kind == ROTATION_QR) {
        make_matrix(r, d, &rng);
        return;
    }
    assert((d & (d - 1)) == 0);
    for (int i = 0; i < d; i++)
        r[i] = rng_below(&rng, 2) ? 1.0f : -1.0f;
}

/* ---- by signs ---- */

static void sign(float *x, const float *signs, int d)
{
    for (int i = 0; i < d; i++)
        x[i] *= signs[i];
}

/* Its own inverse. */
static void hadamard(float *x, int d)
{
    float scale = 1.0f / sqrtf((float)d);
    for (int half = 1; half < d; half *= 2)
        for (int i = 0; i < d; i += 2 * half)
            for (int j = i; j < i + half; j++) {
                float a = x[j], b = x[j + half];
                x[j] = a + b;
                x[j + half] = a - b;
            }
    for (int i = 0; i < d; i++)
        x[i] *= scale;
}

void rotation_turn(const float *r, enum rotation_kind kind, const struct kernels *kn, float *x,
                   int d)
{
    float copy[ROTATION_MAX];
    if (kind == ROTATION_HADAMARD) {
        sign(x, r, d);
        hadamard(x, d);
        return;
    }
    memcpy(copy, x, (size_t)d * sizeof *x);
    kn->scores(x, copy, r, d, d, 1);
}

void rotation_back(const float *r, enum rotation_kind kind, const struct kernels *kn, float *x,
                   int d)
{
    float copy[ROTATION_MAX];
    if (kind == ROTATION_HADAMARD) {
        hadamard(x, d);
        sign(x, r, d);
        return;
    }
    memcpy(copy, x, (size_t)d * sizeof *x);
    memset(x, 0, (size_t)d * sizeof *x);
    kn->mix(x, copy, r, d, d);
}
