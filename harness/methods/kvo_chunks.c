#include "harness/methods/kvo_chunks.h"

#include <assert.h>
#include <string.h>

#include "harness/tensor/topk.h"

enum { LEAST_CHUNKS = 3 };

static int count(int n_chunks, int token_budget, int chunk)
{
    int k = token_budget / chunk;
    k = k > LEAST_CHUNKS ? k : LEAST_CHUNKS;
    return k < n_chunks ? k : n_chunks;
}

int kvo_select_count(int compressed, int token_budget, int chunk)
{
    assert(compressed % chunk == 0);
    return count(compressed / chunk, compressed < token_budget ? compressed : token_budget, chunk);
}

/* The authors pad a short last chunk with the least float; the maximum is the same without. */
void kvo_heavy_mask(uint8_t *mask, const float *score, int n, int token_budget, int chunk,
                    float *chunk_score, int *chosen)
{
    int n_chunks = (n + chunk - 1) / chunk;
    for (int j = 0; j < n_chunks; j++) {
        int end = (j + 1) * chunk < n ? (j + 1) * chunk : n;
        chunk_score[j] = score[j * chunk];
        for (int t = j * chunk + 1; t < end; t++)
            chunk_score[j] = score[t] > chunk_score[j] ? score[t] : chunk_score[j];
    }
    int k = count(n_chunks, token_budget, chunk);
    topk_indices(chosen, chunk_score, n_chunks, k);
    memset(mask, 0, (size_t)n);
    for (int i = 0; i < k; i++)
        for (int t = chosen[i] * chunk; t < (chosen[i] + 1) * chunk && t < n; t++)
            mask[t] = 1;
}
