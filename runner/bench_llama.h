/*
 * llama.cpp on the same weights: its own llama-bench, run as a program.
 *
 * The weights go into a file without a name: it is gone with this process, whatever happens.
 */
#ifndef KVLAB_BENCH_LLAMA_H
#define KVLAB_BENCH_LLAMA_H

#include "runner/bench_setup.h"

/* A cache format of llama.cpp, and how it is computed. */
struct llama_case {
    const char *name, *type;
    const char *flash; // "0" or "1": a quantised cache needs its flash attention
};
extern const struct llama_case llama_cases[]; // NULL name ends them

/* DIR/llama-bench or DIR/bin/llama-bench. ERR_USER. */
int llama_find(const char *dir, char *out, size_t size, struct err *e);

/* A descriptor of the weights' file for llama_rates, or -1. */
int llama_open_weights(const struct model *m, enum gguf_format format, struct err *e);

/* Tokens a second, `repeats` times: of reading a prompt, or of n_new tokens behind a context; the
 * other is 0. */
int llama_rates(const struct bench *b, int weights, const struct llama_case *c, int prompt,
                int context, int n_new, int repeats, double *rates, struct err *e);

/* llama-batched-bench beside llama-bench. ERR_USER, with how it is built. */
int llama_batched_find(const struct bench *b, char *out, size_t size, struct err *e);

/* Tokens a second, in all, of batches[i] sequences, each behind a context of its own, i < n. */
int llama_batched_rates(const struct bench *b, int weights, const char *flash, int context,
                        int n_new, const int *batches, int n, double *rates, struct err *e);

#endif
