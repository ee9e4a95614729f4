/*
 * What makes a result the same result: hashes of canonical text and of files, never of names,
 * clocks or machines. The rows that carry them are put here.
 */
#ifndef KVLAB_IDENTITY_H
#define KVLAB_IDENTITY_H

#include "harness/store/store.h"
#include "runner/experiment.h"

struct task_identity {
    char hash[SHA256_HEX];
    char data[OPT_STR_MAX * 2]; // for people
    int max_new;
    const char *metric; // the task's, unless the protocol has another
};

/* Data, template, rules and metric's name; not how many samples were asked for. */
void identity_of_task(struct task_identity *id, const struct protocol *p, const struct exp_task *t,
                      const struct samples *samples, const struct task_prompt *prompt);

/* Of the checkpoint's files and of what the configuration changes about them. Reads them all: once
 * a program. */
struct model_identity {
    char hash[SHA256_HEX], config[SHA256_HEX], weights[SHA256_HEX], tokenizer[SHA256_HEX];
};
int identity_of_model(struct model_identity *id, const struct model_spec *spec,
                      const struct model *m, struct err *e);

int identity_put_model(const struct model_identity *known, const struct model_spec *spec,
                       const struct model *m, struct store *s, int64_t *id, struct err *e);
int identity_put_protocol(const struct protocol *p, const struct model_spec *spec, struct store *s,
                          int64_t *id, struct err *e);
int identity_put_setting(const struct exp_setting *k, struct store *s, int64_t *id, struct err *e);

/* A setting under one model and protocol, and the ids of these rows. */
struct run_identity {
    const struct model_identity *known;
    const struct model_spec *spec;
    const struct protocol *protocol;
    const struct exp_setting *setting;
    int64_t model_id, protocol_id, setting_id, experiment_id;
    int position; // in the experiment: variants in turn, settings in each
};
int identity_put_run(const struct run_identity *run, struct store *s, int64_t *id, struct err *e);

#endif
