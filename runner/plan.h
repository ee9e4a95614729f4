/*
 * From an experiment to rows in the database: the model, tasks, settings and protocol with their
 * identities, and a job for every setting and sample. Planning again finds what is there.
 *
 * A struct plan holds what the work needs in memory: the samples, the templates, the row ids.
 */
#ifndef KVLAB_PLAN_H
#define KVLAB_PLAN_H

#include "harness/store/store.h"
#include "metrics/metric.h"
#include "runner/experiment.h"
#include "runner/identity.h"

struct plan_task {
    const struct exp_task *task;
    const struct metric *metric; // NULL: this version has none of that name, answers stay unscored
    struct samples samples;
    struct task_prompt prompt;
    int64_t id;
};

struct plan {
    const struct experiment *x;
    struct model *model;
    struct plan_task tasks[TASKS_MAX];
    struct model_identity known;
    int64_t setting_ids[SETTINGS_MAX];
    char classes[SETTINGS_MAX][SHA256_HEX]; // hash of the prefill class
    int n_classes;                          // different ones
    int64_t experiment, build;
    int64_t jobs, planned_now; // in all; of these not in the database before
};

/* Loads data and templates, checks every chain against the model. Nothing is stored yet. */
int plan_open(struct plan *p, const struct experiment *x, struct model *m, struct err *e);
void plan_close(struct plan *p);

/* All rows in one transaction. */
int plan_store(struct plan *p, struct store *s, int threads, struct err *e);

/* What plan_store would find: the counts of the experiment's jobs with the new ones ready. Nothing
 * is stored. */
int plan_try(struct plan *p, struct store *s, int threads, struct store_counts *out, struct err *e);

/* Threads of the models, see model_set_threads. */
void plan_set_threads(struct plan *p, int threads);

/* What will run, for a person: models, settings, tasks, items, prefill classes. */
void plan_describe(const struct plan *p, struct buf *out);
void plan_describe_json(const struct plan *p, const struct store_counts *counts, struct buf *out);

#endif
