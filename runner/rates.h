/*
 * How fast this machine is at a plan's work: seconds of reading a prompt and of a step, for each
 * variant and prefill class. From what is stored of this machine, or measured in a second or so by
 * as many processes as will work.
 *
 * The shape of the cost is that of estimate.h: a prompt costs its tokens and the tokens that these
 * attend to; every setting takes over its rows; a step costs a token and those it attends to.
 */
#ifndef KVLAB_RATES_H
#define KVLAB_RATES_H

#include "runner/estimate.h"
#include "runner/plan_left.h"

enum rate_source { RATE_NONE, RATE_STORED, RATE_MEASURED, RATE_OTHERS };

/* Of one worker. */
struct rate {
    enum rate_source source;  // RATE_OTHERS: the mean of other classes
    double chunk;             // seconds of MODEL_BATCH_MAX tokens or fewer: the weights are read
    double token, attend;     // of a token, and of one that it attends to
    double keep;              // of a token, for each setting
    double step, step_attend; // of an item's step in a batch; of a token that it attends to
};

double rate_prefill(const struct rate *r, int n_prompt, int n_settings);
double rate_replay(const struct rate *r, const struct estimate_replay *fed);
/* n_new counts the first token, which takes no step. */
double rate_decode(const struct rate *r, int n_prompt, double n_new);

/* Sums over stored items of one class. */
struct rate_sums {
    int64_t items;
    double prefill_seconds, prefill_tokens, prefill_attended,
        prefill_kept; // kept: settings' tokens
    double decode_seconds, steps, attended;
};
/* One speed for all of a prefill, one for steps. RATE_NONE below RATE_ITEMS_MIN items. */
enum { RATE_ITEMS_MIN = 8 };
void rate_of_sums(struct rate *r, const struct rate_sums *s, const struct model *m);

struct rates {
    struct rate *list; // [n_variants][n_settings], of the first setting of each class
    int n_settings;
    int64_t items;  // stored ones that were used
    int measured;   // classes
    double overlap; // workers that were at work at a time while the stored items were made
};
void rates_open(struct rates *r, const struct plan *p);
void rates_close(struct rates *r);
struct rate *rates_at(const struct rates *r, int variant, int class);

/* Stored items of this machine: same model, computation, kernels and threads. */
int rates_read(struct rates *r, const struct plan_left *l, struct store *s, struct err *e);

/* What is to be measured: one prompt for these settings, steps with `batch` sequences. */
struct rate_want {
    int variant, class;
    const int *settings; // [n], places in the plan
    int n, batch;
    int tokens; // of the longest prompt
};
/* By so many processes at a time. What could not be measured keeps RATE_NONE. */
void rates_measure(struct rates *r, const struct plan *p, const struct rate_want *wants, int n,
                   int workers, int threads_each);
/* For classes that have none: the mean of what the variant's, or any other, classes have. */
void rates_share(struct rates *r, const struct plan *p);

#endif
