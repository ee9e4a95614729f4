/*
 * Prompts of 2k to 32k tokens read in earnest, and tokens decoded behind them: how time and memory
 * grow. Each case is a process of its own, so that its peak of memory is its own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "harness/base/rng.h"
#include "runner/bench_setup.h"

static const int contexts[] = {2048, 4096, 8192, 16384, 32768}, contexts_quick[] = {256, 512};
static const char *const compared[] = {"kvo", "f16"};

struct part {
    const char *name;
    double kib;
};
enum { PARTS = KV_CLASSES };

struct result {
    bool failed;
    struct err why;
    double prefill, rate, peak; // seconds, tokens a second, MiB
    struct part held[PARTS];
};

static void list_held(const struct kv_cache *c, struct part out[PARTS])
{
    struct kv_ledger l;
    kv_cache_ledger(c, &l);
    for (int i = 0; i < PARTS; i++)
        out[i] = (struct part){kv_class_name((enum kv_class)i), (double)l.held[i] / 8 / 1024};
}

static struct kv_cache *read_prompt(struct model *m, const struct kv_chain *chain, int n, int room,
                                    float *logits, double *seconds)
{
    struct rng r = {6};
    int32_t *ids = xmalloc(mem_size((size_t)n, sizeof *ids));
    for (int i = 0; i < n; i++)
        ids[i] = rng_below(&r, model_get_config(m)->vocab);
    double start = clock_seconds();
    struct kv_cache *c = model_read(m, chain, ids, n, room, logits);
    *seconds = clock_seconds() - start;
    free(ids);
    return c;
}

/* In the child. What it takes is never given back: the process ends. */
static int measure(const struct bench *b, const struct bench_setting *s, int context,
                   struct result *out, struct err *e)
{
    const struct bench_shape *shape = bench_shape_of(b);
    struct kv_chain chain;
    struct model *m = bench_open_model(b, shape, context + shape->new_tokens, e);
    if (!m || bench_open_chain(&chain, s, e))
        return -1;
    float *logits = mem_aligned(mem_size((size_t)shape->config.vocab, sizeof *logits));
    struct kv_cache *c =
        read_prompt(m, &chain, context, context + shape->new_tokens, logits, &out->prefill);
    out->rate = shape->new_tokens / bench_time_steps(m, c, shape->new_tokens, logits);
    list_held(c, out->held);
    out->peak = (double)mem_peak() / (1 << 20);
    return 0;
}

static void child_main(const struct bench *b, const struct bench_setting *s, int context, int to)
{
    static struct result r;
    r.failed = measure(b, s, context, &r, &r.why) != 0;
    _exit(write(to, &r, sizeof r) != (ssize_t)sizeof r);
}

/* Names in held are constants of the program, at the same place in the child. */
static int run_child(const struct bench *b, const struct bench_setting *s, int context,
                     struct result *out, struct err *e)
{
    int ends[2];
    if (pipe(ends))
        return err_system(e, "pipe: %s", strerror(errno));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        child_main(b, s, context, ends[1]);
    close(ends[1]);
    ssize_t n;
    while ((n = read(ends[0], out, sizeof *out)) < 0 && errno == EINTR)
        continue;
    close(ends[0]);
    if (child < 0)
        return err_system(e, "fork: %s", strerror(errno));
    waitpid(child, NULL, 0);
    if (n != (ssize_t)sizeof *out)
        return err_item(e, "bench long: %s at %d tokens ended early: out of memory?", s->name,
                        context);
    if (out->failed)
        *e = out->why;
    return out->failed ? -1 : 0;
}

static void put(const struct bench *b, const char *name, const char *what, const char *unit,
                double value, const double *before)
{
    char full[128];
    snprintf(full, sizeof full, "%s, %s", name, what);
    struct bench_row r = {.name = full, .unit = unit, .value = {value, value, value}};
    if (before && *before > 0) {
        r.against = "the length before";
        r.ratio.median = r.ratio.min = r.ratio.max = value / *before;
    }
    bench_put(b, &r);
}

static void put_result(const struct bench *b, const char *name, const struct result *r,
                       const struct result *before)
{
    put(b, name, "prefill", "s", r->prefill, before ? &before->prefill : NULL);
    put(b, name, "decode", "token/s", r->rate, before ? &before->rate : NULL);
    put(b, name, "peak memory", "MiB", r->peak, before ? &before->peak : NULL);
    for (int i = 0; i < PARTS; i++) {
        char what[64];
        snprintf(what, sizeof what, "held %s", r->held[i].name);
        if (r->held[i].kib > 0)
            put(b, name, what, "KiB", r->held[i].kib, before ? &before->held[i].kib : NULL);
    }
}

static int run_setting(const struct bench *b, const struct bench_setting *s, const int *list, int n,
                       struct err *e)
{
    static struct result results[BENCH_CONTEXTS_MAX];
    char name[96];
    for (int i = 0; i < n; i++) {
        log_verbose("bench long: %s at %d tokens", s->name, list[i]);
        if (run_child(b, s, list[i], &results[i], e))
            return -1;
        snprintf(name, sizeof name, "%s %d %s", bench_shape_of(b)->name, list[i], s->name);
        put_result(b, name, &results[i], i ? &results[i - 1] : NULL);
    }
    return 0;
}

static int run(struct bench *b, struct err *e)
{
    const int *list = b->n_contexts ? b->contexts : b->quick ? contexts_quick : contexts;
    int n = b->n_contexts ? b->n_contexts : b->quick ? 2 : 5;
    bench_title(b, "prompts read in earnest, each in a process of its own");
    for (size_t i = 0; i < sizeof compared / sizeof *compared; i++)
        for (const struct bench_setting *s = bench_settings; s->name; s++)
            if (!strcmp(s->name, compared[i]) && run_setting(b, s, list, n, e))
                return -1;
    return 0;
}

const struct bench_kind bench_long = {
    .name = "long", .summary = "time and memory from 2k to 32k tokens", .slow = true, .run = run};
