/* What decode and long share: shapes of made-up models, settings to compare, caches to decode from.
 */
#ifndef KVLAB_BENCH_SETUP_H
#define KVLAB_BENCH_SETUP_H

#include "harness/model/gguf.h"
#include "harness/model/model.h"
#include "runner/bench.h"

struct bench_shape {
    const char *name;
    struct model_config config; // max_positions is set when a model is opened
    int new_tokens;             // decoded in one sample
};

/* The format of the weights on both sides. */
struct bench_weights {
    const char *name;
    enum dtype dtype;
    enum gguf_format gguf;
    struct quant_format packed; // what ours pack the layers to
};

struct bench_setting {
    const char *name, *chain; // as in a configuration
};

/* NULL name ends them. */
extern const struct bench_shape bench_shapes[];
extern const struct bench_setting bench_settings[]; // the last is what the others stand against

/* --shape, --context, --weights and --llama-cpp, checked. ERR_USER. */
int bench_read_cases(struct bench *b, const char *contexts, const char *llama, struct err *e);

/* run() for every context: those asked for, else `list` (quick: only `quick`). The title says what.
 */
int bench_each_context(struct bench *b, const char *what, const int *list, int n, int quick,
                       int (*run)(struct bench *b, int context, struct err *e), struct err *e);

const struct bench_shape *bench_shape_of(const struct bench *b); // the first when none is named
const struct bench_weights *bench_weights_of(const struct bench *b);

/* Settings of KVO that share a prefill: bits 1 to 4, each with token_budget 64, 128, 256, 384. */
enum { BENCH_GROUP = 16 };
int bench_open_group(struct kv_chain chains[BENCH_GROUP], struct err *e);

int bench_open_chain(struct kv_chain *c, const struct bench_setting *s, struct err *e);
struct model *bench_open_model(const struct bench *b, const struct bench_shape *shape,
                               int max_positions, struct err *e);
/* A cache whose prompt was never read: its rows are random. For n_new more tokens. */
struct kv_cache *bench_fill_cache(struct model *m, const struct kv_chain *chain, int context,
                                  int n_new);
/* The same rows into n new caches of settings that share a prefill. */
void bench_fill_caches(struct model *m, struct kv_cache *const *caches, int n, int context);
/* Seconds of n steps on random tokens. logits [vocab] */
double bench_time_steps(struct model *m, struct kv_cache *c, int n, float *logits);

#endif
