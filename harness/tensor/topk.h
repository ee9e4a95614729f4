/* The k largest of n scores. The one tie rule of the project: of equal scores the lowest index. */
#ifndef KVLAB_TOPK_H
#define KVLAB_TOPK_H

/* Indices of the k largest into out[0..k-1], ascending by index; 0 <= k <= n. NaN counts as less
 * than everything, so a broken score takes no place from a sound one. O(n log k), no allocation. */
void topk_indices(int *out, const float *score, int n, int k);

#endif
