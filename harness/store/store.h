/*
 * The database of results: what was planned, who works on it, what came out.
 *
 * One file holds any number of experiments. A result is known by its identity, a hash of the
 * canonical configuration and of the files it was made with; the caller forms the identities and
 * the store takes them as they are. Putting a row whose identity is there gives that row's id and
 * changes nothing, so a second run of the same configuration finds the first one's results.
 *
 * Several processes may work on one database. A job goes ready -> running (claimed, with the
 * owner's name) -> done or failed; a result and its scores appear in one transaction, so that a
 * process that is killed loses the jobs it was at and nothing else. Nothing that is stored is ever
 * overwritten.
 *
 * Must not know: models, methods, tasks. Strings are borrowed for the call. A struct store belongs
 * to one thread and must not cross a fork: the parent lets go of it around one, the child opens
 * another.
 */
#ifndef KVLAB_STORE_H
#define KVLAB_STORE_H

#include <math.h>
#include <stdint.h>

#include "harness/store/db.h"

struct store;

enum store_mode {
    STORE_READONLY,  // a missing file is an error and is not created
    STORE_READWRITE, // as above
    STORE_CREATE     // makes it when it is missing (or empty)
};

/* Opens, or refuses by name: not a database, another program's, newer than this program, damaged.
 * An older one is brought up to date first, in one transaction. */
int store_open(const char *path, enum store_mode mode, struct store **out, struct err *e);
void store_close(struct store *s); // NULL is fine
/* Around a fork, in the parent (db.h says why). After an error only store_close. */
void store_let_go(struct store *s);
int store_take_up(struct store *s, struct err *e);

/* For reading with SQL (reports, status, query): see db.h and the views in schema.sql. */
struct db *store_db(struct store *s);

/* Around the puts of one plan: all of it is stored or nothing. The other calls that write make
 * their own transaction and must not be called between these. */
int store_begin(struct store *s, struct err *e);
int store_commit(struct store *s, struct err *e);
void store_rollback(struct store *s); // quiet; also when nothing was begun

/* A whole number that does not apply or is not known; a double is NAN then, a string NULL. */
enum { STORE_NONE = -1 };

/* ---- what results are made of. Each put gives the id of the row with that identity. ---- */

struct store_model {
    const char *identity; // hash of everything that decides the model's numbers
    const char *name;
    const char *config_sha256, *weights_sha256, *tokenizer_sha256;
    const char *family; // chat wrapper's family: "llama2", ...
    int layers, heads, kv_heads, head_dim;
    int64_t params;
    const char *weights_dtype;
};

struct store_task {
    const char *identity; // hash of data, template and rules; not of the metric's version
    const char *name, *source, *category, *metric;
    int metric_version;
    const char *language;
    const char *data_hash, *data; // data: words, seed and n, or the files, for people
    const char *template_hash;
    int max_new_tokens;
};

struct store_option {
    const char *method, *name, *value;
};

/* Start from STORE_SETTING: every typed column NULL. */
struct store_setting {
    const char *identity;
    const char *name;   // as the configuration calls it
    const char *chain;  // "kvo" or "snapkv + kivi"
    const char *method; // the name people look for; "full" is the reference of every report
    const char *json;   // canonical configuration
    int key_bits, value_bits;
    double key_kept, value_kept;  // shares in (0, 1]
    int prune_keys, prune_values; // 0 or 1
    int token_budget, window, first_layer;
    const char *ordering;
    const char *weights; // "w4g128": for tables; NULL: as the checkpoint stores them
    int weight_bits, weight_group, weight_symmetric, weight_pair_bits;
    double weight_clip;
    const struct store_option *options; // every option of every method of the chain
    int n_options;
};

#define STORE_SETTING                                                                              \
    ((struct store_setting){.key_bits = STORE_NONE,                                                \
                            .value_bits = STORE_NONE,                                              \
                            .key_kept = NAN,                                                       \
                            .value_kept = NAN,                                                     \
                            .prune_keys = STORE_NONE,                                              \
                            .prune_values = STORE_NONE,                                            \
                            .token_budget = STORE_NONE,                                            \
                            .window = STORE_NONE,                                                  \
                            .first_layer = STORE_NONE,                                             \
                            .weight_bits = STORE_NONE,                                             \
                            .weight_group = STORE_NONE,                                            \
                            .weight_symmetric = STORE_NONE,                                        \
                            .weight_pair_bits = STORE_NONE,                                        \
                            .weight_clip = NAN})

struct store_protocol {
    const char *identity;
    const char *json; // canonical configuration
    const char *preset;
    int max_prompt_tokens;
    const char *truncation, *chat;
    int bos;                            // 0 or 1
    const char *prefill_path;           // "fast", "reference", ...
    const char *compute;                // "f32" or "bf16"
    int newline_stop, first_may_stop;   // 0 or 1
    int max_new_tokens;                 // STORE_NONE: the task's
    const char *compress_at;            // "prompt" or "context"
    int decode_tail;                    // tokens
    const struct store_option *options; // every option; method is not looked at
    int n_options;
};

/* Start from STORE_PROTOCOL: every number unknown. */
#define STORE_PROTOCOL                                                                             \
    ((struct store_protocol){.max_prompt_tokens = STORE_NONE,                                      \
                             .bos = STORE_NONE,                                                    \
                             .newline_stop = STORE_NONE,                                           \
                             .first_may_stop = STORE_NONE,                                         \
                             .decode_tail = STORE_NONE,                                            \
                             .max_new_tokens = STORE_NONE})

/* What computed it. Never part of an identity; equal builds share a row. */
struct store_build {
    const char *version, *commit;
    int dirty;
    const char *compiler, *cflags, *blas, *kernels, *cpu, *host;
    int threads;
};

/* A configuration by its name. A name whose configuration changed is another experiment; reports
 * take the one planned last. */
struct store_experiment {
    const char *name, *config, *config_hash;
};

/* One model, setting and protocol over any tasks. */
struct store_run {
    const char *identity; // hash of the three identities and the origin
    int64_t model, setting, protocol;
    const char *origin; // "run", "import" or "published"
    /* Its place in an experiment: */
    int64_t experiment;
    int position;     // order of the settings in the configuration
    const char *name; // of the setting there
};

int store_put_model(struct store *s, const struct store_model *m, int64_t *id, struct err *e);
int store_put_task(struct store *s, const struct store_task *t, int64_t *id, struct err *e);
int store_put_setting(struct store *s, const struct store_setting *c, int64_t *id, struct err *e);
int store_put_protocol(struct store *s, const struct store_protocol *p, int64_t *id, struct err *e);
int store_put_build(struct store *s, const struct store_build *b, int64_t *id, struct err *e);
int store_put_experiment(struct store *s, const struct store_experiment *x, int64_t *id,
                         struct err *e);
int store_put_run(struct store *s, const struct store_run *r, int64_t *id, struct err *e);

/* What a run is in an ablation of an experiment; base is a run too, maybe this one. A row that is
 * there stays. */
struct store_factor {
    int64_t experiment, run, base;
    const char *ablation, *factor, *value;
};
int store_put_factor(struct store *s, const struct store_factor *f, struct err *e);

/* A number of a paper, of a run of origin "published"; one that is there stays. */
struct store_published {
    int64_t run, task;
    double score;          // from 0 to 100, as published
    int64_t n;             // items; STORE_NONE: not said
    double standard_error; // in points; NAN: not said
    const char *source;    // paper, table, row
};
int store_put_published(struct store *s, const struct store_published *p, struct err *e);

/* What a record is scored by, once for all settings and models; hash is that of its jobs. */
struct store_sample {
    const char *hash;
    struct text answers, classes; // JSON arrays of strings; classes.s NULL where there are none
    long length;                  // STORE_NONE: not known
};
int store_put_sample(struct store *s, const struct store_sample *p, struct err *e);

/* ---- jobs ---- */

struct store_job {
    int64_t experiment, run, task;
    const char *sample_id; // as the data set names it
    int sample_index;      // place in the data set, from 0
    const char *sample_hash;
    const char *prefill_class; // equal where the prefilled cache would be equal
    const char *head; // equal where prompts begin alike: claimed one after the other; or NULL
};

/* Plans a job unless its key (run, task, sample) is there: then it only joins the experiment.
 * *made (or NULL) tells which. The order of planning is the order of claiming. */
int store_plan_job(struct store *s, const struct store_job *j, int64_t *id, bool *made,
                   struct err *e);

struct store_counts {
    int64_t ready, running, done, failed;
};

/* experiment 0: the whole database. */
int store_count(struct store *s, int64_t experiment, struct store_counts *out, struct err *e);

/* All ready jobs of one group: one model, protocol, task, sample and prefill class. */
struct store_claim {
    int64_t model, protocol, task;
    char *sample_id, *sample_hash, *prefill_class, *head; // head may be NULL
    int sample_index;
    int crashes; // of processes that worked on it before
    int n;       // 0: nothing was ready
    struct store_claimed {
        int64_t job, run, setting;
    } * jobs;
};

/* The first ready group, in planning order, marked running by this process; those that begin as one
 * that is running come last. Returns 0 with n == 0
 * when there is none. store_claim_free() ends the struct, not the claim. */
int store_claim(struct store *s, int64_t experiment, struct store_claim *c, struct err *e);
/* The same among the groups that have the head, prefill class, model and protocol of `like`. */
int store_claim_like(struct store *s, int64_t experiment, const struct store_claim *like,
                     struct store_claim *c, struct err *e);
void store_claim_free(struct store_claim *c);

/* Gives back what of this process is still running and not finished (after SIGINT, say); *n (or
 * NULL) is how many. */
int store_unclaim(struct store *s, int64_t *n, struct err *e);
/* Gives back jobs from..n-1 of a claim, which is then that much shorter. */
int store_unclaim_from(struct store *s, struct store_claim *c, int from, struct err *e);

/* Makes jobs ready again whose owner is a dead process of this machine; with `others` also those
 * of other machines, of which nobody here can know. Call it before claiming. */
int store_reclaim(struct store *s, bool others, int64_t *n, struct err *e);

/* ---- owners: processes that work on jobs ---- */

enum { STORE_OWNER_MAX = 320 };

/* What table job has of a living process of this machine. */
void store_owner_of(long pid, char out[STORE_OWNER_MAX]);
/* Whether an owner, as table job has it, is surely a dead process of this machine. */
bool store_owner_is_dead(const char *owner);

/* A process has died. Its jobs are ready again; with a reason (it crashed) a second time in one
 * job's life makes the job failed: its reason is stored, by this build. *failed is how many. */
int store_bury(struct store *s, const char *owner, const char *reason, int64_t build,
               int64_t *failed, struct err *e);

/* Jobs of the experiment that living processes of this machine work on, and those of other
 * machines, of which nobody here can know. */
int store_count_others(struct store *s, int64_t experiment, int64_t *here, int64_t *elsewhere,
                       struct err *e);

/* Makes failed jobs ready again; their reasons stay in table failure. */
int store_retry(struct store *s, int64_t experiment, int64_t *n, struct err *e);

struct store_score {
    const char *metric;
    int metric_version;
    double value; // in [0, 1]
};

/* Bytes of one class; names as table item_ledger allows them. */
struct store_ledger {
    const char *class;
    int64_t held_bytes;                // at the end
    int64_t read_bytes, written_bytes; // summed over the decode steps
};

/* What the setting's cache is off in one layer: see runner/layer_error.h. NaN: not known. */
struct store_layer {
    int layer;
    double key_error, value_error; // relative
    double mass_lost;              // 0..1
};

/* Start from STORE_RESULT: everything unknown. */
struct store_result {
    const char *error;      // the reason of a failed job; NULL when it is done
    struct text prediction; // may hold U+0000
    int prompt_tokens, prompt_tokens_before_cut, new_tokens;
    const char *stop;    // "eos", "length", "newline", ...
    const char *new_ids; // "13 29871 ..."
    double prefill_seconds, decode_seconds;
    int shared_tokens;     // of the prompt, not read again
    int tail_tokens;       // of the prompt, read through the compressed cache
    int replay_tokens;     // fed again after the prompt, as the method wanted
    double replay_seconds; // that this took, no part of prefill_seconds
    double decode_batch;   // items of a step, the mean
    int64_t kv_bytes;      // of the cache at the end
    int64_t kv_full_bytes; // of an f16 full cache of the same tokens
    const char *kv_basis;  // "counted" (packed records) or "held" (memory really held)
    int64_t kv_read_bytes, kv_read_full_bytes; // summed over the decode steps
    const struct store_ledger *ledger;         // a class at most once; of a failed job ignored
    int n_ledger;
    const struct store_layer *layers; // each once; of a failed job ignored
    int n_layers;
};

#define STORE_RESULT                                                                               \
    ((struct store_result){.prompt_tokens = STORE_NONE,                                            \
                           .prompt_tokens_before_cut = STORE_NONE,                                 \
                           .new_tokens = STORE_NONE,                                               \
                           .prefill_seconds = NAN,                                                 \
                           .decode_seconds = NAN,                                                  \
                           .shared_tokens = STORE_NONE,                                            \
                           .tail_tokens = STORE_NONE,                                              \
                           .replay_tokens = STORE_NONE,                                            \
                           .replay_seconds = NAN,                                                  \
                           .decode_batch = NAN,                                                    \
                           .kv_bytes = STORE_NONE,                                                 \
                           .kv_full_bytes = STORE_NONE,                                            \
                           .kv_read_bytes = STORE_NONE,                                            \
                           .kv_read_full_bytes = STORE_NONE})

/* What came of a claimed job. */
struct store_finished {
    int64_t job, build;
    const struct store_result *result;
    const struct store_score *scores;
    int n_scores;
    bool kept; // out: false when the job is no longer this process's (another one took it over):
               // then nothing of it is stored
};

/* Results, ledgers, errors of layers and scores, all of them in one transaction: a commit waits for
 * the disk. */
int store_finish(struct store *s, struct store_finished *list, int n, struct err *e);

/* An item that was made elsewhere: a job and what came of it. */
struct store_item {
    struct store_job job;
    int64_t build;           // 0: not known
    const char *finished_at; // UTC, as clock_stamp() has it; NULL: now
    const struct store_result *result;
    const struct store_score *scores;
    int n_scores;
    bool made; // out: false when its key was there
};
/* Items of one experiment, within store_begin() and store_commit(); for speed as many as there are
 * between two, with db_bulk() before. Of an item whose key was there nothing changes but that it
 * joins the experiment. */
int store_put_items(struct store *s, struct store_item *list, size_t n, struct err *e);
/* *id is 0 where there is none. */
int store_find_run(struct store *s, const char *identity, int64_t *id, struct err *e);

/* One more score of a stored prediction; one that is there stays. */
int store_put_score(struct store *s, int64_t job, const struct store_score *score, struct err *e);

#endif
