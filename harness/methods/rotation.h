/*
 * A fixed random rotation of a head's channels, after which each channel of any vector is about
 * normal: by a matrix, the orthogonal part (Gram-Schmidt) of one of random normals; or by random
 * signs and a Walsh-Hadamard transform, which costs d log d.
 *
 * A rotation is d * d or d floats that a seed decides; callers keep them.
 */
#ifndef KVLAB_ROTATION_H
#define KVLAB_ROTATION_H

#include <stddef.h>
#include <stdint.h>

#include "harness/tensor/kernels.h"

enum rotation_kind { ROTATION_QR, ROTATION_HADAMARD };
enum { ROTATION_MAX = 1024 }; // channels

size_t rotation_floats(enum rotation_kind kind, int d);
/* HADAMARD: d is a power of two. */
void rotation_make(float *r, enum rotation_kind kind, int d, uint64_t seed);

/* x [d] is turned, and turned back. */
void rotation_turn(const float *r, enum rotation_kind kind, const struct kernels *kn, float *x,
                   int d);
void rotation_back(const float *r, enum rotation_kind kind, const struct kernels *kn, float *x,
                   int d);

#endif
