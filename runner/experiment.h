/*
 * An experiment: a configuration file read, checked and resolved. See configs/README.md.
 *
 *   { "name": "demo", "model": "mini", "samples": 8,
 *     "data": {"words": 1200, "seed": 1} or {"data_dir": "/data/longbench"},
 *     "tasks": ["mini_doc_qa", {"name": "mini_report", "words": [900, 1800], "samples": 4}],
 *     "protocol": {"preset": ["longbench", "kvo"]},
 *     "settings": [{"name": "full", "chain": ["full"]},
 *                  {"name": "kvo 2 bit", "chain": [{"kvo": {"key_bits": 2}}],
 *                   "weights": {"bits": 4}}] }
 *
 * "models" lists several. Every setting runs in every variant: a model with a protocol. Grids and
 * ablations among the settings: sweep.h. A generated task may be listed several times, with other
 * words or another seed each.
 *
 * Read by experiment.c (the whole, its canonical text) and, a file each, experiment_variants.c,
 * experiment_tasks.c and experiment_settings.c.
 */
#ifndef KVLAB_EXPERIMENT_H
#define KVLAB_EXPERIMENT_H

#include "harness/kv/chain.h"
#include "harness/tensor/quant.h"
#include "runner/protocol.h"

enum { TASKS_MAX = 64, SETTINGS_MAX = 1024, MODELS_MAX = 16, VARIANTS_MAX = 64 };

struct exp_task {
    char name[OPT_STR_MAX];
    const struct task *task;
    char data_dir[OPT_STR_MAX], file[OPT_STR_MAX];
    int words, seed, answer, samples;
};

/* What a setting is in an ablation: the base, or the base with one factor changed. */
struct exp_factor {
    char ablation[OPT_STR_MAX];
    char factor[OPT_STR_MAX]; // "kvo.key_bits", "weights.bits", "chain"
    char value[OPT_STR_MAX];  // that this setting has of it, as text
    bool base;
};

struct exp_setting {
    char name[OPT_STR_MAX];
    struct kv_chain chain;
    struct quant_format weights; // off unless the setting has "weights"
    char hash[SHA256_HEX];       // of setting_canonical: equal hashes, equal results
    struct exp_factor *factors;  // owned; a base has one for each factor of each ablation
    int n_factors;
};

/* name: what distinguishes it, "" when there is only one. */
struct exp_variant {
    int model; // of experiment.models
    struct protocol protocol;
    char name[OPT_STR_MAX];
};

/* Big: some MB, for the heap. */
struct experiment {
    char name[OPT_STR_MAX];
    struct model_spec models[MODELS_MAX];
    int n_models;
    struct exp_variant variants[VARIANTS_MAX]; // of one model after those of another, equally many
    int n_variants;
    struct exp_task tasks[TASKS_MAX];
    int n_tasks;
    struct exp_setting settings[SETTINGS_MAX];
    int n_settings;
    int limit;            // samples of a task at most; 0: as the file says
    struct buf canonical; // the resolved configuration: what is stored, echoed and hashed
};

/* sets: n_sets "path=value" changes made to the file's JSON before it is checked. model (or NULL)
 * replaces all of the file's, model_dir (or NULL) its folder; limit: see above. All errors name the
 * file and key. */
int experiment_read(struct experiment *x, const char *path, const char *const *sets, int n_sets,
                    const char *model, const char *model_dir, int limit, struct err *e);
void experiment_release(struct experiment *x);

/* Options of an entry of "tasks", for help. */
extern const struct opt exp_task_options[];

/* As JSON. An option that came later and is not used is left out: what was planned before it came
 * is found again. */
void exp_task_put(const struct exp_task *t, struct buf *out);

/* What samples_load wants. */
void exp_task_data(const struct exp_task *t, struct data_options *out);

#endif
