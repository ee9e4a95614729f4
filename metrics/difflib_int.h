/* What difflib.c and difflib_runs.c share. */
#ifndef KVLAB_DIFFLIB_INT_H
#define KVLAB_DIFFLIB_INT_H

#include <stddef.h>
#include <stdint.h>

/* Where an element of a occurs in b: positions first .. end - 1 of the index, ascending. */
struct span {
    size_t first, end;
};

/* Length of the run of equal elements that ends here, valid in one row of a only. */
struct run {
    size_t row, length;
};

struct range {
    size_t alo, ahi, blo, bhi;
};

struct matcher {
    const uint32_t *a, *b;
    size_t na, nb;
    size_t *position;  // [nb]: positions in b, grouped by element
    struct span *span; // [na]: the group of each element of a, empty where popular or absent
    struct run
        *run[2]; // [nb + 1] each, for even and odd rows: of the run that ends at b[j] in [j + 1]
    size_t row;  // number of the row in hand, never used twice
};

/* A run of equal elements, a[i ..] and b[j ..]. */
struct block {
    size_t i, j, size;
};

/* The pairs (i, j) of row i within blo .. bhi - 1. */
struct span difflib_clip(const struct matcher *m, size_t i, size_t blo, size_t bhi);

/* Length of the run that ends with the pair (i, j) of the row in hand, and keeps it. */
size_t difflib_run(struct matcher *m, size_t j);

/* Extends a block over all equal elements, within r. */
struct block difflib_extend(const struct matcher *m, const struct range *r, struct block x);

/* Elements in all matching blocks of r, in time about proportional to its pairs and with memory for
 * all of them: see difflib_runs.c. */
size_t difflib_matching(struct matcher *m, const struct range *r);

#endif
