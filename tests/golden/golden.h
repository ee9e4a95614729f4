/*
 * Comparison with reference values. A group is one function and one line in golden.def; it prints
 * nothing itself but tallies; the program prints `GROUP: N equal of M, worst X`.
 */
#ifndef KVLAB_GOLDEN_H
#define KVLAB_GOLDEN_H

#include "harness/base/err.h"

struct tally {
    const char *name;
    long equal, total;
    double worst; // largest deviation from a reference value, in the group's own unit
    char first_miss[256];
};

enum { GOLDEN_RAN = 0, GOLDEN_ABSENT = 1 }; // else -1 with the error

/* One comparison: deviation is recorded, a miss remembers its name. */
void tally_add(struct tally *t, int equal, double deviation, const char *fmt, ...) ERR_PRINTF(4, 5);

/* dir + "/" + name, in a static buffer of 4: valid for the next three calls. */
const char *golden_path(const char *dir, const char *name);

#define GOLDEN(name) int golden_##name(const char *dir, struct tally *t, struct err *e);
#include "tests/golden/golden.def"
#undef GOLDEN

#endif
