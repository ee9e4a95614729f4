/*
 * An experiment: a configuration file read, checked and resolved. See configs/README.md.
 *
 *   { "name": "demo", "model": "mini", "samples": 8,
 *     "data": {"words": 1200, "seed": 1} or {"data_dir": "/data/longbench"},
 *     "tasks": ["mini_doc_qa", {"name": "mini_report", "words": 900, "samples": 4}],
 *     "protocol": {"preset": "longbench"},
 *     "settings": [{"name": "full", "chain": ["full"]},
 *                  {"name": "kvo 2 bit", "chain": [{"kvo": {"key_bits": 2}}],
 *                   "weights": {"bits": 4}}] }
 *
 * A generated task may be listed several times, with other words or another seed each.
 */
#ifndef KVLAB_EXPERIMENT_H
#define KVLAB_EXPERIMENT_H

#include "harness/kv/chain.h"
#include "harness/tensor/quant.h"
#include "runner/protocol.h"

enum { TASKS_MAX = 64, SETTINGS_MAX = 256 };

struct exp_task {
    char name[OPT_STR_MAX];
    const struct task *task;
    char data_dir[OPT_STR_MAX];
    int words, seed, samples;
};

struct exp_setting {
    char name[OPT_STR_MAX];
    struct kv_chain chain;
    struct quant_format weights; // off unless the setting has "weights"
};

struct experiment {
    char name[OPT_STR_MAX];
    struct model_spec model;
    struct protocol protocol;
    struct exp_task tasks[TASKS_MAX];
    int n_tasks;
    struct exp_setting settings[SETTINGS_MAX];
    int n_settings;
    int limit;            // samples of a task at most; 0: as the file says
    struct buf canonical; // the resolved configuration: what is stored, echoed and hashed
};

/* sets: n_sets "path=value" changes made to the file's JSON before it is checked. model (or NULL)
 * replaces the file's, model_dir (or NULL) its folder; limit: see above. All errors name the file
 * and key. */
int experiment_read(struct experiment *x, const char *path, const char *const *sets, int n_sets,
                    const char *model, const char *model_dir, int limit, struct err *e);
void experiment_release(struct experiment *x);

/* Options of an entry of "tasks", for help. */
extern const struct opt exp_task_options[];

/* What samples_load wants. */
void exp_task_data(const struct exp_task *t, struct data_options *out);

#endif
