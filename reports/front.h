/*
 * Points of score against bytes, and which of them nothing beats: the Pareto front. A point is
 * beaten by another that has no more bytes and no worse score, and one of them truly better. Pure
 * arithmetic but for front_bytes, which sums what scores.h loaded.
 */
#ifndef KVLAB_FRONT_H
#define KVLAB_FRONT_H

#include "reports/frame.h"

/* Sums over the items of y's tasks that have bytes; NaN where none has. */
struct front_bytes {
    int items, without; // of finished items: counted here, without bytes
    bool mixed;         // some counted, some held
    double held_token;  // bytes held a token at the end
    double held_share;  // the same as a share of a full f16 cache
    double read_step;   // bytes read a decode step
    double read_share;
};
struct front_bytes front_bytes(const struct frame_table *t, int row);

struct front_point {
    double x, y; // bytes: less is better; score. NaN: not in the running
    bool front;
    int beaten_by; // the best of those that beat it, -1: none
};
/* Fills front and beaten_by. sign 1: more score is better, -1: less is (scores_in_nats). */
void front_find(struct front_point *p, int n, int sign);

#endif
