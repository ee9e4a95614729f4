/*
 * The best scalar codebook (Lloyd-Max) of 1 to 4 bits for a channel of a random unit vector: its
 * density is (1 - x^2)^((d - 3) / 2), close to a normal of variance 1 / d.
 *
 * Computed, not tabled: each level is the mean of the density between its edges, each edge the
 * middle of two levels, again and again until nothing moves. Means have a closed form above the
 * line and a numeric integral below it.
 */
#ifndef KVLAB_CODEBOOK_H
#define KVLAB_CODEBOOK_H

enum { CODEBOOK_LEVELS = 16 };

struct codebook {
    int n;                           // 2^bits
    float level[CODEBOOK_LEVELS];    // ascending, symmetric
    float edge[CODEBOOK_LEVELS - 1]; // between them
};

/* bits 1..4, d >= 4. */
void codebook_make(struct codebook *b, int bits, int d);

/* The level nearest to x; on an edge the lower one. */
static inline int codebook_code(const struct codebook *b, float x)
{
    int code = 0;
    for (int i = 0; i < b->n - 1; i++)
        code += x > b->edge[i];
    return code;
}

#endif
