/* The whole model: a prompt read and tokens decoded behind it with the full cache. */
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/base/json.h"
#include "harness/base/mem.h"
#include "harness/base/rng.h"
#include "harness/model/model.h"
#include "harness/tensor/gemm.h"
#include "runner/bench_setup.h"

enum { CONTEXT = 3500, NEW_TOKENS = 64, SQUARE = 512 };

struct run {
    struct model *model;
    struct kv_chain chain;
    int32_t ids[CONTEXT];
    int n;
    float *logits;
};

static struct kv_cache *read_prompt(struct run *r, double *seconds)
{
    double start = clock_seconds();
    struct kv_cache *c =
        model_read(r->model, &r->chain, r->ids, r->n, CONTEXT + NEW_TOKENS, r->logits);
    *seconds += clock_seconds() - start;
    return c;
}

static double time_prefill(void *arg, long n)
{
    double seconds = 0;
    for (long i = 0; i < n; i++)
        kv_cache_free(read_prompt(arg, &seconds));
    return seconds;
}

static double time_decode(void *arg, long n)
{
    struct run *r = arg;
    double seconds = 0;
    for (long i = 0; i < n; i++) {
        struct kv_cache *c = bench_fill_cache(r->model, &r->chain, CONTEXT, NEW_TOKENS);
        double start = clock_seconds();
        for (int t = 0; t < NEW_TOKENS; t++)
            model_step(r->model, &r->ids[t], &c, 1, r->logits);
        seconds += clock_seconds() - start;
        kv_cache_free(c);
    }
    return seconds;
}

static double time_square(void *arg, long n)
{
    float *x = arg;
    double start = clock_seconds();
    for (long i = 0; i < n; i++)
        gemm_nt(false, x, SQUARE, x + SQUARE * SQUARE, SQUARE, x + 2 * SQUARE * SQUARE, SQUARE,
                SQUARE, SQUARE, SQUARE, 1.0f);
    return clock_seconds() - start;
}

/* 1e9 operations of reading n tokens: products with weights, and causal attention. */
static double prefill_work(const struct model *m, int n)
{
    const struct model_config *c = model_get_config(m);
    double width = (double)c->n_heads * c->head_dim, kv = (double)c->n_kv_heads * c->head_dim;
    double weights = 2 * c->hidden * (width + kv) + 3.0 * c->hidden * c->mlp;
    return 2e-9 * c->n_layers * n * (weights + width * (n + 1));
}

static int open_run(struct run *r, const struct bench *b, int threads, struct err *e)
{
    struct model_options o = {.threads = threads};
    struct json *list = json_read(text_of("[\"full\"]"), e);
    struct rng rng = {3};
    int rc = list ? kv_chain_read(&r->chain, list, "bench", e) : -1;
    json_free(list);
    if (rc)
        return -1;
    if (!(r->model = model_open_bare(b->model_dir, &o, e))) {
        kv_chain_release(&r->chain);
        return -1;
    }
    const struct model_config *c = model_get_config(r->model);
    if (c->max_positions < CONTEXT + NEW_TOKENS)
        return err_user(e, "bench: %s has %d positions, must have %d", b->model_dir,
                        c->max_positions, CONTEXT + NEW_TOKENS);
    for (int i = 0; i < CONTEXT; i++)
        r->ids[i] = rng_below(&rng, c->vocab);
    r->n = CONTEXT;
    r->logits = mem_aligned(mem_size((size_t)c->vocab, sizeof *r->logits));
    return 0;
}

static void close_run(struct run *r)
{
    if (!r->model)
        return;
    free(r->logits);
    model_close(r->model);
    kv_chain_release(&r->chain);
}

static void compare_prefill(struct bench *b, struct run *many, struct run *one, int n)
{
    char name[64];
    snprintf(name, sizeof name, "prefill %d, %d threads", n, b->threads);
    many->n = one->n = n;
    struct bench_pair p = {name,         "token/s",    "one thread", n,  n,
                           time_prefill, time_prefill, many,         one};
    bench_compare(b, &p);
}

static void compare_decode(struct bench *b, struct run *many, struct run *one, int threads)
{
    char name[64];
    snprintf(name, sizeof name, "decode at %d, %d threads", CONTEXT, threads);
    many->n = one->n = CONTEXT;
    struct bench_pair p = {name,        "token/s",   "one thread", NEW_TOKENS, NEW_TOKENS,
                           time_decode, time_decode, many,         one};
    bench_compare(b, &p);
}

/* How much of the machine's sgemm rate the prefill turns into useful operations. */
static void compare_bound(struct bench *b, struct run *many)
{
    struct rng rng = {4};
    float *x = mem_aligned(3 * SQUARE * SQUARE * sizeof *x);
    for (int i = 0; i < 3 * SQUARE * SQUARE; i++)
        x[i] = (float)rng_normal(&rng);
    many->n = CONTEXT;
    struct bench_pair p = {"operations of prefill 3500",
                           "GFLOP/s",
                           "sgemm of 512, one thread, times threads",
                           prefill_work(many->model, CONTEXT),
                           2e-9 * SQUARE * SQUARE * SQUARE * b->threads,
                           time_prefill,
                           time_square,
                           many,
                           x};
    bench_compare(b, &p);
    free(x);
}

static int check(const struct bench *b, struct err *e)
{
    static struct run r;
    int rc = open_run(&r, b, 1, e);
    close_run(&r);
    r = (struct run){0};
    return rc;
}

static int run(struct bench *b, struct err *e)
{
    static struct run one, many;
    int rc = open_run(&one, b, 1, e) || open_run(&many, b, b->threads, e) ? -1 : 0;
    if (!rc) {
        bench_title(b, "prompts and decoding with the full cache");
        compare_prefill(b, &many, &one, 2000);
        compare_prefill(b, &many, &one, CONTEXT);
        compare_decode(b, &many, &one, b->threads);
    }
    for (int t = b->threads / 2; !rc && t > 1; t /= 2) {
        static struct run some;
        rc = open_run(&some, b, t, e);
        if (!rc)
            compare_decode(b, &some, &one, t);
        close_run(&some);
        some = (struct run){0};
    }
    if (!rc)
        compare_bound(b, &many);
    close_run(&many);
    close_run(&one);
    return rc;
}

const struct bench_kind bench_model = {.name = "model",
                                       .summary = "prefill and decode on all threads against one",
                                       .check = check,
                                       .run = run};
