/*
 * How SnapKV and the methods after it score tokens: what the last queries of a prompt attend to,
 * summed, pooled over neighbours, and averaged over the query heads that decide together.
 */
#ifndef KVLAB_VOTES_H
#define KVLAB_VOTES_H

#include "harness/kv/method.h"

/* Which heads keep tokens of their own, as an option. */
enum { HEADS_KV, HEADS_QUERY };
extern const char *const heads_names[];
enum kv_heads heads_of(int choice);

enum { VOTES_AVERAGE, VOTES_MAX, VOTES_NONE };

struct votes {
    int window, kernel, pooling, group;
};

extern const char *const votes_poolings[], *const votes_groups[];

#define VOTES_OPTIONS(at, w, k, p)                                                                 \
    {"window",                                                                                     \
     OPT_INT,                                                                                      \
     (at) + offsetof(struct votes, window),                                                        \
     1,                                                                                            \
     65536,                                                                                        \
     w,                                                                                            \
     NULL,                                                                                         \
     NULL,                                                                                         \
     NULL,                                                                                         \
     "last queries that vote; their tokens always stay, and count in the budget"},                 \
        {"kernel", OPT_INT, (at) + offsetof(struct votes, kernel),    1, 4095, k, NULL,            \
         NULL,     NULL,    "tokens that pooling takes together, odd"},                            \
        {"pooling",                                                                                \
         OPT_CHOICE,                                                                               \
         (at) + offsetof(struct votes, pooling),                                                   \
         0,                                                                                        \
         0,                                                                                        \
         p,                                                                                        \
         votes_poolings,                                                                           \
         NULL,                                                                                     \
         NULL,                                                                                     \
         "of votes over neighbours; average divides by the kernel at the ends, too"},              \
    {                                                                                              \
        "group", OPT_CHOICE, (at) + offsetof(struct votes, group), 0, 0, 0, votes_groups, NULL,    \
            NULL, "query heads that decide together: the mean of their pooled votes, or of votes"  \
    }

/* x [n] pooled over neighbours, into another array. */
void votes_pool(const struct votes *v, float *out, const float *x, int n);

int votes_check(const struct votes *v, struct err *e);
size_t votes_scratch(int cap);
/* seen: kv_window_... of the window; out[n]: the window's own tokens are forced. */
void votes_count(const struct votes *v, const struct kv_part *part, const void *seen, int n,
                 float *out);

#endif
