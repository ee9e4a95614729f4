/*
 * What is left of a plan in numbers: prompts and tokens, time, memory, and the smallest difference
 * in score that its items can show.
 *
 * Opened with all that is asked of the database, then made: that may measure, for a second or so
 * (large models: some seconds), and needs no database. Nothing is stored.
 */
#ifndef KVLAB_FORECAST_H
#define KVLAB_FORECAST_H

#include "runner/crew_size.h"
#include "reports/difference.h"
#include "runner/estimate.h"
#include "runner/rates.h"

/* Tokens of what is left. */
struct forecast_tokens {
    int64_t items, prompts;         // prompts: that are read, one for all settings of a class
    double prefill, prefill_single; // single: if each setting read its own
    double replay;                  // fed again behind the prompts
    double decode_most, decode;     // steps: all answers at their longest; as long as stored ones
    int64_t answers;                // stored items behind that; 0: none, decode is decode_most
};

struct forecast_memory {
    size_t group, single;   // bytes of the largest group and of its largest setting, in a worker
    size_t weights, packed; // of all models as stored (mapped); of their formats of few bits
    bool cut, fails;        // groups are cut, or prompts do not fit at all
};

struct forecast {
    const struct plan *plan;
    struct store_counts counts;
    struct plan_left left;
    struct lengths lengths;
    struct forecast_answer {
        int64_t items;
        double tokens; // the mean
    } answers[VARIANTS_MAX][TASKS_MAX];
    struct difference_task pairs[TASKS_MAX];
    struct rates rates;

    struct forecast_tokens tokens;
    struct crew_size size;
    struct forecast_memory memory;
    double seconds; // NAN: not known
    struct difference difference;
    const char *baseline; // the setting that others are compared to
};

/* s: NULL where there is no database yet; else the plan's rows are in it, perhaps in a transaction
 * that will be taken back. retry: failed items are to be done again. To be closed, also after an
 * error. Big: for the heap. */
int forecast_open(struct forecast *f, const struct plan *p, struct store *s, bool retry,
                  struct err *e);
void forecast_close(struct forecast *f);

/* asked: what the user chose, 0 for the rest. measure: rates that are not stored are measured; the
 * plan's models have one thread. */
void forecast_make(struct forecast *f, const struct crew_size *asked, bool measure);

/* A line for each, for a person. */
void forecast_describe(const struct forecast *f, struct buf *out);
/* Members of an object, a comma after each. */
void forecast_describe_json(const struct forecast *f, struct buf *out);

#endif
