/*
 * From an experiment to rows in the database: models, protocols, tasks and settings with their
 * identities, and a job for every variant, setting and sample. Planning again finds what is there.
 *
 * A struct plan holds what the work needs in memory: the open models, the samples, the templates,
 * the row ids. It is big: for the heap.
 */
#ifndef KVLAB_PLAN_H
#define KVLAB_PLAN_H

#include "harness/store/store.h"
#include "metrics/metric.h"
#include "runner/experiment.h"
#include "runner/heads.h"
#include "runner/identity.h"

/* Its row depends on the variant: plan_variant.task_ids. */
struct plan_task {
    const struct exp_task *task;
    const struct metric *metric; // NULL: this version has none of that name, answers stay unscored
    struct samples samples;
    struct task_prompt prompt;
    struct head *heads; // [samples.n]: which prompts begin alike
    size_t *bytes;      // [samples.n]: of the filled template
};

struct plan_variant {
    const struct exp_variant *variant;
    const struct model_spec *spec;
    struct model *model; // of the plan; shared by variants that differ in nothing it is opened with
    int64_t model_id, protocol_id, build_id;
    int64_t task_ids[TASKS_MAX];
};

struct plan {
    const struct experiment *x;
    struct plan_task tasks[TASKS_MAX];
    struct plan_variant variants[VARIANTS_MAX];
    struct model_identity known[MODELS_MAX];
    int64_t setting_ids[SETTINGS_MAX];
    char classes[SETTINGS_MAX][SHA256_HEX]; // hash of the prefill class
    int n_classes;                          // different ones
    int64_t experiment;
    int64_t jobs, planned_now; // in all; of these not in the database before
};

/* How models are opened. */
struct plan_engine {
    int threads;         // at least 1
    const char *kernels; // NULL: the best
};

/* Opens the models, each once, loads data and templates, checks every chain against every model.
 * Nothing is stored yet. */
int plan_open(struct plan *p, const struct experiment *x, const struct plan_engine *engine,
              struct err *e);
void plan_close(struct plan *p);

/* Fills known, once: reads all files of all models. plan_store and plan_try do it. */
int plan_identify(struct plan *p, struct err *e);

/* All rows in one transaction. threads: of the build's row. */
int plan_store(struct plan *p, struct store *s, int threads, struct err *e);

/* The same, but left in its transaction, for a look: store_rollback takes it back. Others cannot
 * write meanwhile. */
int plan_try(struct plan *p, struct store *s, int threads, struct err *e);

/* Threads of all models, see model_set_threads. */
void plan_set_threads(struct plan *p, int threads);

/* The variant with these rows, or NULL. */
const struct plan_variant *plan_find_variant(const struct plan *p, int64_t model_id,
                                             int64_t protocol_id);

/* What will run, for a person: models, protocols, settings, tasks, items, prefill classes. */
void plan_describe(const struct plan *p, struct buf *out);
/* Members of an object, a comma after each; all but the configuration. */
void plan_describe_json(const struct plan *p, struct buf *out);

#endif
