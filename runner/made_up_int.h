/* What made_up.c (settings, tasks, runs) and made_up_items.c (items) share. */
#ifndef KVLAB_MADE_UP_INT_H
#define KVLAB_MADE_UP_INT_H

#include "datasets/dataset.h"
#include "runner/made_up.h"

/* What a setting does, from its place in the list. */
struct made_setting {
    char name[64], prefill_class[32];
    bool full;
    int key_bits, value_bits, token_budget, window;
    double key_kept, value_kept;
    double touched, hurt; // share of the items whose answer changes; by how much, in deviations
    double held;          // KV bytes as a share of a full cache's
};

/* What is the same under every setting. */
struct made_item {
    char sample_id[49], sample_hash[SHA256_HEX];
    double level; // of its answer, in deviations
    int prompt_tokens;
    uint64_t seed;
};

/* 0/1 where the task's metric knows nothing between. */
bool made_task_is_binary(const struct task *t);

void made_item_fill(struct made_item *i, uint64_t seed, const struct task *t, int index);

/* The row of an item under a setting; the texts live as long as the struct. */
struct made_row {
    struct store_result result;
    struct store_score score;
    struct store_ledger ledger[4];
    char prediction[512];
};
void made_row_fill(struct made_row *r, const struct made_setting *c, const struct task *t,
                   const struct made_item *i, bool ledger);

#endif
