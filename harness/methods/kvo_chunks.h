/*
 * KVO's selection: which chunks of compressed tokens a decode step attends to. Each query head
 * chooses anew at each step, by the score of a chunk's salient token (row 0, unscaled q . k).
 * Nothing is evicted by it. Knows scores only.
 */
#ifndef KVLAB_KVO_CHUNKS_H
#define KVLAB_KVO_CHUNKS_H

#include <stdint.h>

/* How many chunks a head chooses when `compressed` rows are compressed: a budget of tokens, at
 * least 3 chunks, at most all. 0 when nothing is compressed. */
int kvo_select_count(int compressed, int token_budget, int chunk);

/* The choice over scores of single tokens, as the authors' local_heavy_hitter_mask: a chunk's score
 * is its tokens' maximum, a last chunk may be short. mask[n]: 1 = visible. Needs ceil(n / chunk)
 * floats and as many ints of scratch. */
void kvo_heavy_mask(uint8_t *mask, const float *score, int n, int token_budget, int chunk,
                    float *chunk_score, int *chosen);

#endif
