/* splitmix64: the one random number generator of the project. State in the caller, no clock. */
#ifndef KVLAB_RNG_H
#define KVLAB_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state;
};

uint64_t rng_next(struct rng *r);
/* A whole number from 0 to n-1. */
int rng_below(struct rng *r, int n);
/* In [0, 1). */
double rng_uniform(struct rng *r);
/* Normal with mean 0 and variance 1 (Box-Muller, one of the pair). */
double rng_normal(struct rng *r);

#endif
