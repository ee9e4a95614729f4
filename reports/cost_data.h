/*
 * What the settings of an experiment cost, summed over their finished items: seconds, tokens, bytes
 * by class, lengths of answers.
 */
#ifndef KVLAB_COST_DATA_H
#define KVLAB_COST_DATA_H

#include "reports/ema_data.h"
#include "reports/frame.h"

/* Sums over `items`, each with what it counts; averages and rates are cost_... below. */
struct cost_row {
    int done, failed, left;
    int timed; // items with seconds of the prefill
    double prefill_seconds, prompt_tokens, shared_tokens;
    double replay_seconds, replay_tokens; // of the same items
    int decoded;                          // items with seconds of decoding
    double decode_seconds, new_tokens;
    int batched; // items with steps, and with a batch
    double batch;
    int *answer; // [answers]: tokens of each answer, ascending
    int answers;
    double answer_tokens;
    int at_limit;                  // answers that were cut off
    int held;                      // items with bytes of the cache
    double kv, kv_full;            // at the end
    double read, read_full, steps; // by all decode steps
    int ledgers;                   // items with bytes by class
    double ledger_steps;
    double held_of[EMA_CLASSES], read_of[EMA_CLASSES];
};

struct cost_table {
    struct cost_row *row; // [n_rows]: those of the frame's table
    int n_rows;
    /* Prefills that were really done: items of the same prefill class share one. */
    int prefills;
    double prefill_seconds, decode_seconds;
    /* And replays, those of one prompt that settings shared counted once. */
    int replays;
    double replay_seconds;
};

struct cost {
    struct cost_table *table; // [n_tables of the frame]
    int n_tables;
};

/* f: with measures. To be released also after an error. */
int cost_load(struct cost *c, struct store *s, const struct frame *f, struct err *e);
void cost_release(struct cost *c);

/* NaN where there is nothing to divide by. */
double cost_share(double x, double of);
double cost_median(const struct cost_row *r); // tokens of an answer

#endif
