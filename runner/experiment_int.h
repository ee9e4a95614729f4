/* Parts of reading a configuration, for the files experiment*.c alone. root is the file's object;
 * errors are ERR_USER and begin with path. */
#ifndef KVLAB_EXPERIMENT_INT_H
#define KVLAB_EXPERIMENT_INT_H

#include "runner/experiment.h"

/* models and variants; model and model_dir as experiment_read has them. */
int experiment_read_variants(struct experiment *x, const struct json *root, const char *path,
                             const char *model, const char *model_dir, struct err *e);
int experiment_read_tasks(struct experiment *x, const struct json *root, const char *path,
                          struct err *e);
int experiment_read_settings(struct experiment *x, const struct json *root, const char *path,
                             struct err *e);

#endif
