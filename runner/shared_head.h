/*
 * What the prompt that was read last leaves to the next one, when both begin alike.
 */
#ifndef KVLAB_SHARED_HEAD_H
#define KVLAB_SHARED_HEAD_H

#include "runner/group.h"

struct shared_head {
    struct kv_prefix *prefix; // NULL: nothing is kept
    struct tokens ids;        // that it has been read from
    const struct model *model;
    char class[SHA256_HEX]; // prefill class
    bool queries;
};

void shared_head_init(struct shared_head *h);
void shared_head_release(struct shared_head *h);
size_t shared_head_bytes(const struct shared_head *h);

/* What group g takes from it, and what it is to leave for the group that comes next (NULL:
 * nothing), which takes room bytes at most. What neither needs is freed. */
struct group_share shared_head_before(struct shared_head *h, const struct plan *p,
                                      const struct group *g, const struct group *next, size_t room);
/* g has been read so. */
void shared_head_after(struct shared_head *h, const struct group *g);

#endif
