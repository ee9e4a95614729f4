/*
 * KVO's ordering of windows (the authors' window_diff_select): rows of a window are sorted by the
 * attention they received, within chunks, so that row 0 of a chunk is its salient token. All of it
 * is per head; K and V rows move together, after RoPE, so attention itself does not change.
 *
 * A row's score is what it receives from the queries of its own window and of the next one. The
 * sums are f32 and added in the order of the queries, whatever blocks they arrive in.
 */
#ifndef KVLAB_KVO_WINDOWS_H
#define KVLAB_KVO_WINDOWS_H

#include <stdbool.h>
#include <stddef.h>

/* Rows that are ordered and compressed when n are cached: all full windows but the last, 0 below
 * two windows. */
int kvo_boundary(int n, int window);

/* Prefill: attention of one head, collected from blocks of normalised rows. */
struct kvo_received {
    int n, window;
    int next;     // the query that comes next
    float *score; // [n] of keys whose windows have passed; the caller's
    float *open;  // [2 * window] sums of the queries' window so far, over the one before and itself
};

/* Floats that init needs: n + 2 * window. */
size_t kvo_received_floats(int n, int window);
void kvo_received_init(struct kvo_received *r, int n, int window, float *memory);
/* probs[i * ld + t]: of query first_query + i over keys t = 0..first_query + i; later keys are not
 * read. Queries come in order and without gaps. */
void kvo_received_add(struct kvo_received *r, int first_query, int n_queries, const float *probs,
                      size_t ld);
/* After the last query score[] is complete. Also sums[2 * window]: what rows kvo_boundary(n).. have
 * received, where decoding goes on, 0 beyond n. */
void kvo_received_finish(struct kvo_received *r, float *sums);

/* order[t] = which old row goes to row t, for t = from..to-1 (score and order are indexed alike):
 * a stable sort, largest first, within chunks that start at from. */
void kvo_order_chunks(int *order, const float *score, int from, int to, int chunk);
/*
 * Decoding: `ordered` rows are ordered, sums[2 * window] is what the rows after them have received.
 * Each step adds its attention over them; when two windows are open the first is ordered by
 * sums[0..window-1], and the sums move on by a window.
 */
void kvo_sums_add(float *sums, const float *probs, int n); // probs of rows ordered..ordered + n - 1
bool kvo_window_due(int n_cached, int ordered, int window); // after the step's row is cached
void kvo_sums_shift(float *sums, int window);

#endif
