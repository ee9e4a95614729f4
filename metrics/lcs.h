/*
 * Longest common subsequences, 64 cells of the table at a time (Crochemore et al. 2001, Hyyrö
 * 2004).
 *
 * Row i of the table T of x (down) and y (across) is a bit vector in which bit j - 1 is clear where
 * T[i][j] = T[i][j - 1] + 1, set where they are equal. Row 0 is lcs_index.live. This is all that a
 * walk back needs: where x[i - 1] and y[j - 1] differ, a clear bit says T[i - 1][j] > T[i][j - 1].
 */
#ifndef KVLAB_LCS_H
#define KVLAB_LCS_H

#include <stddef.h>
#include <stdint.h>

/* Equal to nothing: between two sequences in y it keeps them apart, as if each had its own table.
 */
#define LCS_GAP UINT32_MAX

/* Where the elements of y are. Memory grows as a straight line with n and n_ids. */
struct lcs_index {
    size_t n, words;  // elements of y; 64-bit words of a vector
    uint64_t *live;   // [words]: set at the elements that are no gaps
    size_t *start;    // [n_ids + 1]: element x is at position[start[x]] .. [start[x + 1] - 1]
    size_t *position; // ascending
    size_t
        *dense_of; // [n_ids]: number of the element's vector, SIZE_MAX where it is made on demand
    uint64_t *dense;
    uint64_t *made; // of element made_for
    size_t made_for, n_ids;
};

/* y: numbers below n_ids, or LCS_GAP. */
void lcs_index_init(struct lcs_index *ix, const uint32_t *y, size_t n, size_t n_ids);
void lcs_index_release(struct lcs_index *ix);

/* The row after `row`, for the next element of x; may not be the same memory. */
void lcs_next_row(struct lcs_index *ix, uint32_t id, const uint64_t *row, uint64_t *next);

/* Length for two sequences of any numbers. */
size_t lcs_length(const uint32_t *x, size_t nx, const uint32_t *y, size_t ny);

#endif
