/* kvlab bench: speeds as ratios, side by side in one run. No figure here passes or fails. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/json.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "harness/tensor/gemm.h"
#include "runner/bench.h"
#include "runner/command.h"
#include "runner/model_spec.h"

static int run(int argc, char **argv);

const struct command cmd_bench = {
    .name = "bench",
    .summary = "speed of kernels, products, scoring and the model, side by side",
    .usage = "bench [--only kernels|gemm|score|model] [--model NAME|DIR] [--threads N] [--quick] "
             "[--json]",
    .run = run,
};

enum { KERNELS, GEMM, SCORE, MODEL, PARTS };

static int choose_parts(const char *only, bool on[PARTS], struct err *e)
{
    static const char *const names[] = {"kernels", "gemm", "score", "model"};
    bool found = !only;
    for (int i = 0; i < PARTS; i++) {
        on[i] = !only || !strcmp(only, names[i]);
        found |= on[i];
    }
    return found
               ? 0
               : err_user(e, "bench: --only is '%s', must be kernels, gemm, score or model", only);
}

static void print_end(const struct bench *b)
{
    double peak = (double)mem_peak() / (1 << 20);
    if (!b->json) {
        printf("\nkernels %s, BLAS %s, threads %d, peak memory %.0f MiB\n", kernels_best()->name,
               gemm_blas_name(), b->threads, peak);
        return;
    }
    struct buf out;
    buf_init(&out);
    buf_str(&out, "{\"kernels\":");
    json_put_string(&out, text_of(kernels_best()->name));
    buf_str(&out, ",\"blas\":");
    json_put_string(&out, text_of(gemm_blas_name()));
    buf_printf(&out, ",\"threads\":%d,\"repeats\":%d,\"peak_mib\":%.0f,\"rows\":[\n", b->threads,
               b->repeats, peak);
    buf_text(&out, text_buf(&b->rows));
    buf_str(&out, "\n]}\n");
    fwrite(out.s, 1, out.n, stdout);
    buf_release(&out);
}

static int run(int argc, char **argv)
{
    struct err e;
    const char *only = NULL, *model = NULL, *threads = NULL, *rest[1];
    int json = 0, quick = 0, n_rest;
    bool on[PARTS];
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    struct model_spec spec;
    const struct flag flags[] = {
        {.name = "--only", .value = &only},       {.name = "--model", .value = &model},
        {.name = "--threads", .value = &threads}, {.name = "--quick", .on = &quick},
        {.name = "--json", .on = &json},          {0}};
    int rc = command_flags(&cmd_bench, argc, argv, flags, rest, 0, &n_rest, &e);
    if (rc > 0)
        return 0;
    if (rc || choose_parts(only, on, &e) || model_spec_named(&spec, model ? model : "mini", &e) ||
        (threads && command_int("bench: --threads", threads, 1, 256, &n, &e)))
        return log_failure(&e);
    struct bench b = {.threads = (int)n,
                      .repeats = quick ? 3 : 9,
                      .sample_seconds = quick ? 0.005 : 0.05,
                      .model_dir = spec.dir,
                      .json = json};
    if (on[MODEL] && bench_model_check(&b, &e))
        return log_failure(&e);
    buf_init(&b.rows);
    if (on[KERNELS])
        bench_kernels(&b);
    if (on[GEMM])
        bench_gemm(&b);
    if (on[SCORE])
        bench_score(&b);
    rc = on[MODEL] ? bench_model(&b, &e) : 0;
    if (!rc)
        print_end(&b);
    buf_release(&b.rows);
    return rc ? log_failure(&e) : 0;
}
