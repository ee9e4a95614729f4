/* kvlab bench: speeds as ratios, side by side in one run. No figure here passes or fails. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "harness/base/near.h"
#include "harness/tensor/gemm.h"
#include "runner/bench.h"
#include "runner/bench_setup.h"
#include "runner/command.h"
#include "runner/model_spec.h"

static int run(int argc, char **argv);

const struct command cmd_bench = {
    .name = "bench",
    .summary = "speed of kernels, products, scoring, the model and its decoding, side by side",
    .usage =
        "bench [NAME...] [--threads N] [--quick] [--json]\n"
        "             [--model NAME|DIR]                                   of model and sweep\n"
        "             [--shape mini|1.1b] [--context N[,N...]] [--weights bf16|f16|f32|q8_0]\n"
        "             [--llama-cpp DIR]                          of prefill, decode and batch\n\n"
        "NAME: kernels, gemm, score, bandwidth, model, prefill, decode; all when none is given.\n"
        "By name only: database (840,000 made-up items: import, rows by key, reports), batch\n"
        "(decoding 1 to 32 sequences together; --llama-cpp: against its llama-batched-bench),\n"
        "sweep (16 settings of a prompt against one full pass), long\n"
        "(prompts of 2k to 32k read in earnest: minutes, 1.1b an hour), growth (whole runs by\n"
        "length of prompt, settings, items and workers: minutes).\n"
        "--llama-cpp: a build of llama.cpp, whose llama-bench decodes the same weights in turns;\n"
        "             it reads a prompt in earnest first: 1.1b at 32000 takes most of an hour.\n"
        "--json: one object a line: bench, case, value, unit, against, ratio; null where there is\n"
        "        nothing to stand against; min, max, ratio_min, ratio_max are the ranges.",
    .run = run,
};

enum { NAMES_MAX = 32 };

static const struct bench_kind *find_bench(const char *name, struct err *e)
{
    const char *names[NAMES_MAX];
    char hint[128];
    size_t n = 0;
    for (const struct bench_kind *const *k = bench_all; *k; k++) {
        if (!strcmp(name, (*k)->name))
            return *k;
        names[n++] = (*k)->name;
    }
    err_user(e, "bench: there is no '%s'%s (kvlab bench --help lists them)", name,
             near_hint(hint, name, names, n));
    return NULL;
}

/* In the order of the command line; without names all that are not slow. NULL-terminated. */
static int choose(const char *const *names, int n, const struct bench_kind **out, struct err *e)
{
    for (int i = 0; i < n; i++)
        if (!(*out++ = find_bench(names[i], e)))
            return -1;
    for (const struct bench_kind *const *k = bench_all; !n && *k; k++)
        if (!(*k)->slow)
            *out++ = *k;
    *out = NULL;
    return 0;
}

static void print_end(const struct bench *b)
{
    if (!b->json)
        printf("\nkernels %s, BLAS %s, threads %d, peak memory %.0f MiB\n", kernels_best()->name,
               gemm_blas_name(), b->threads, (double)mem_peak() / (1 << 20));
}

static int run_all(struct bench *b, const struct bench_kind *const *chosen, struct err *e)
{
    for (const struct bench_kind *const *k = chosen; *k; k++)
        if ((*k)->check && (*k)->check(b, e))
            return -1;
    for (const struct bench_kind *const *k = chosen; *k; k++) {
        b->name = (*k)->name;
        if ((*k)->run(b, e))
            return -1;
    }
    print_end(b);
    return 0;
}

static int run(int argc, char **argv)
{
    static struct bench b;
    static struct model_spec spec; // b points into it
    struct err e;
    const char *model = NULL, *threads = NULL, *context = NULL, *llama = NULL, *rest[NAMES_MAX];
    int json = 0, quick = 0, n_rest;
    const struct bench_kind *chosen[NAMES_MAX + 1];
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    const struct flag flags[] = {{.name = "--model", .value = &model},
                                 {.name = "--threads", .value = &threads},
                                 {.name = "--quick", .on = &quick},
                                 {.name = "--json", .on = &json},
                                 {.name = "--shape", .value = &b.shape},
                                 {.name = "--context", .value = &context},
                                 {.name = "--weights", .value = &b.weights},
                                 {.name = "--llama-cpp", .value = &llama},
                                 {0}};
    int rc = command_flags(&cmd_bench, argc, argv, flags, rest, NAMES_MAX, &n_rest, &e);
    if (rc > 0)
        return 0;
    if (rc || choose(rest, n_rest, chosen, &e) ||
        model_spec_named(&spec, model ? model : "mini", &e) ||
        (threads && command_int("bench: --threads", threads, 1, 256, &n, &e)) ||
        bench_read_cases(&b, context, llama, &e))
        return log_failure(&e);
    b.threads = (int)n;
    b.quick = quick;
    b.json = json;
    b.repeats = quick ? 3 : 9;
    b.sample_seconds = quick ? 0.005 : 0.05;
    b.model_dir = spec.dir;
    return run_all(&b, chosen, &e) ? log_failure(&e) : 0;
}
