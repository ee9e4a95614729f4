/*
 * The scores of items as reports need them: by setting, task and item, every setting of a task with
 * the same items at the same places, so that settings are compared item by item.
 *
 * Read by scanning what is small: the covering index of table job, table score, the list of an
 * experiment's jobs; joined here. Answers are not read: item.job is for those who want them.
 * What is loaded is the caller's to release; scores_* functions own all strings of it.
 */
#ifndef KVLAB_SCORES_H
#define KVLAB_SCORES_H

#include <stdint.h>

#include "harness/store/store.h"

enum scores_state {
    SCORES_ABSENT, // this setting was not asked for this item; others of the table were
    SCORES_LEFT,   // ready or running
    SCORES_DONE,
    SCORES_FAILED,
};
enum scores_basis { SCORES_NO_BASIS, SCORES_COUNTED, SCORES_HELD };

/* -1 and NaN: not known, or measures were not asked for. */
struct scores_item {
    int64_t job;  // id in job; 0 where absent
    double score; // 0 to 100 by the newest version of the task's metric; NaN where there is none
    int sample;   // sample_index, the same in all rows
    uint8_t state, basis;
    bool at_limit; // the answer ended because it was as long as it may be
    int32_t prompt_tokens, new_tokens;
    int32_t shared_tokens; // of the prompt: not read again
    int32_t tail_tokens;   // of the prompt: read as decode steps
    int32_t replay_tokens; // fed again behind it
    int64_t kv_bytes, kv_full_bytes, kv_read_bytes, kv_read_full_bytes;
    double prefill_seconds, decode_seconds, decode_batch, replay_seconds;
    int64_t build; // id in build
};

struct scores_task {
    int64_t id;
    char *name; // with words of its data where the table has several of this name
    char *category, *metric;
    int n_items; // places: items that any row of the table was asked for
};

struct scores_cell {
    struct scores_item *item;           // [n_items of the task], by sample_index
    int planned, n, done, failed, left; // n: with a score; planned = done + failed + left
    int version;                        // of the metric; 0: none, -1: several
};

struct scores_row {
    int64_t run, model, protocol, setting;
    char *name;               // as the experiment calls it; of runs without one: the setting's name
    char *method;             // "full": not compressed
    char *weights;            // "w4g128"; "": as the checkpoint stores them
    struct scores_cell *cell; // [n_tasks]
};

/* Settings that may be compared. Those of an experiment: the uncompressed reference first, then as
 * configured; those named by run: in that order. Tasks of a category are together, else as planned.
 * A setting without any item has a row, too. */
struct scores_table {
    int64_t model, protocol; // of its first row
    char *model_name, *protocol_json;
    char *protocol_name; // its preset, and what of a prompt is not compressed with the rest
    struct scores_task *task;
    int n_tasks;
    struct scores_row *row;
    int n_rows;
};

struct scores {
    int64_t experiment; // 0: runs were named
    char *name;         // its name, or ""
    char *model;        // the only one of these, as it was asked for, or NULL
    bool measures;      // loaded, too
    bool borrowed;      // another's (scores_request.loaded): not for scores_release
    struct scores_table *table;
    int n_tables;
};

enum scores_tables {
    SCORES_BY_PROTOCOL, // a table a model and protocol: what may be compared item by item
    SCORES_BY_MODEL,    // protocols mixed
    SCORES_TOGETHER,    // one table
};

struct scores_request {
    const char *experiment; // by name; NULL: the one planned last. Only its own items count
    const char *model;      // only this one; NULL: all
    const int64_t *run;     // [n_runs]: these instead of an experiment's, with all their items
    int n_runs;
    enum scores_tables tables;
    bool measures; // load tokens, bytes, seconds and builds
    /* Loaded before of the same database, a table a model and protocol; NULL: nothing. Borrowed
     * where it has all that is asked for, and must then outlive the scores. */
    const struct scores *loaded;
};

int scores_load(struct scores *s, struct store *store, const struct scores_request *r,
                struct err *e);
void scores_release(struct scores *s);

/* Metrics nll and kl, of all its tasks: hundredths of a nat a token, the less the better. */
bool scores_in_nats(const struct scores_table *t);
/* Nothing is compressed: neither the cache nor the weights. */
bool scores_row_is_reference(const struct scores_row *r);
/* Of the prompt, read as decode steps; 0 where it is not known. */
int scores_tail(const struct scores_item *i);
/* Decode steps: of the prompt's tail and of all new tokens but the first; 0 where there was none.
 */
int scores_steps(const struct scores_item *i);
/* Are its bytes known? And are they as many as a full cache's: held, and read where that is known?
 */
bool scores_is_measured(const struct scores_item *i);
bool scores_is_unchanged(const struct scores_item *i);
/* How many builds computed the items; needs measures. */
int scores_builds(const struct scores *s);
/* Its place in the table, -1: none. */
int scores_reference(const struct scores_table *t);

#endif
