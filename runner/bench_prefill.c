/*
 * Reading a prompt: all of it, and its products with weights alone, against the same products by
 * OpenBLAS alone (f32 weights, the whole prompt at a time, its own threads, as many as ours); in
 * bf16 where that can be had; and llama.cpp on the same weights, the better of its two ways of
 * attention. All in turns.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"
#include "harness/model/weights.h"
#include "harness/tensor/gemm_bf16.h"
#include "runner/bench_llama.h"

enum { ROUNDS = 3, SIDES_MAX = 8, CONTEXT_QUICK = 64 };

static const int contexts[] = {512, 2048, 3500};

struct prefill {
    struct bench *b;
    const struct bench_shape *shape;
    struct model *model;
    struct kv_chain chain;
    struct gemm gemm;
    int context, weights; // descriptor of llama.cpp's file, or -1
    int32_t *ids;
    float *logits;
    float *x, *out; // [context][widest]
    float *wide;    // one layer's weights as f32, matrix after matrix
};

/* A way of reading; work returns its seconds, or none where llama.cpp is meant. */
struct side {
    const char *name;
    double (*work)(struct prefill *f);
    const struct llama_case *llama;
    double rate[BENCH_REPEATS_MAX];
    int n;
};

/* The matrices of a layer in the order of struct layer_weights; of the last one only what all
 * tokens pass. */
static int matrices(const struct prefill *f, int layer, const struct matrix *out[7])
{
    const struct layer_weights *w = &model_get_weights(f->model)->layers[layer];
    const struct matrix *all[] = {&w->q, &w->k, &w->v, &w->o, &w->gate, &w->up, &w->down};
    for (int i = 0; i < 7; i++)
        out[i] = all[i];
    return layer == f->shape->config.n_layers - 1 ? 3 : 7;
}

static double read_prompt(struct prefill *f)
{
    double start = clock_seconds();
    kv_cache_free(model_read(f->model, &f->chain, f->ids, f->context, f->context + 1, f->logits));
    return clock_seconds() - start;
}

static double read_prompt_f32(struct prefill *f)
{
    model_use_compute(f->model, COMPUTE_F32);
    return read_prompt(f);
}

static double read_prompt_bf16(struct prefill *f)
{
    model_use_compute(f->model, COMPUTE_BF16);
    return read_prompt(f);
}

static double products(struct prefill *f)
{
    const struct matrix *w[7];
    double start = clock_seconds();
    for (int l = 0; l < f->shape->config.n_layers; l++)
        for (int i = 0, n = matrices(f, l, w); i < n; i++)
            for (int at = 0; at < f->context; at += MODEL_BATCH_MAX)
                gemm_weights(&f->gemm, &(struct product){f->out + (long)at * w[i]->rows, w[i]}, 1,
                             f->x + (long)at * w[i]->cols,
                             f->context - at < MODEL_BATCH_MAX ? f->context - at : MODEL_BATCH_MAX);
    return clock_seconds() - start;
}

/* BLAS' threads keep looking for work a while: they are gone when this returns. */
static double sgemm(struct prefill *f)
{
    const struct matrix *w[7];
    const struct timespec pause = {0, 100 * 1000 * 1000};
    gemm_blas_threads(f->b->threads);
    double start = clock_seconds();
    for (int l = 0; l < f->shape->config.n_layers; l++) {
        const float *wide = f->wide;
        for (int i = 0, n = matrices(f, l, w); i < n; i++) {
            int rows = w[i]->rows, k = w[i]->cols;
            gemm_nt(false, f->out, rows, f->x, k, wide, k, f->context, rows, k, 1.0f);
            wide += (long)rows * k;
        }
    }
    double seconds = clock_seconds() - start;
    gemm_blas_threads(1);
    nanosleep(&pause, NULL);
    return seconds;
}

static int open_prefill(struct prefill *f, struct err *e)
{
    const struct model_config *c = &f->shape->config;
    size_t widest = (size_t)(c->mlp > c->hidden ? c->mlp : c->hidden), size = 0;
    const struct matrix *w[7];
    f->model = bench_open_model(f->b, f->shape, f->context + 1, e);
    if (!f->model || bench_open_chain(&f->chain, &(struct bench_setting){"", "[\"f16\"]"}, e))
        return -1;
    const struct kv_engine *engine = model_engine(f->model);
    gemm_init(&f->gemm, engine->pool, engine->kernels, false, (int)widest);
    matrices(f, 0, w);
    for (int i = 0; i < 7; i++)
        size += (size_t)w[i]->rows * (size_t)w[i]->cols;
    f->wide = xcalloc(size, sizeof *f->wide);
    f->x = xcalloc(mem_size(widest, (size_t)f->context), sizeof *f->x);
    f->out = xcalloc(mem_size(widest, (size_t)f->context), sizeof *f->out);
    f->ids = xcalloc((size_t)f->context, sizeof *f->ids);
    f->logits = xcalloc((size_t)c->vocab, sizeof *f->logits);
    for (size_t i = 0; i < size; i++)
        f->wide[i] = (float)(i % 13) - 6;
    for (size_t i = 0; i < widest * (size_t)f->context; i++)
        f->x[i] = (float)(i % 11) - 5;
    for (int i = 0; i < f->context; i++)
        f->ids[i] = (i * 31 + 7) % c->vocab;
    if (*f->b->llama)
        f->weights = llama_open_weights(f->model, bench_weights_of(f->b)->gguf, e);
    return *f->b->llama && f->weights < 0 ? -1 : 0;
}

static void close_prefill(struct prefill *f)
{
    float *const buffers[] = {f->wide, f->x, f->out, f->logits};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        free(buffers[i]);
    free(f->ids);
    if (f->weights >= 0)
        close(f->weights);
    gemm_release(&f->gemm);
    kv_chain_release(&f->chain);
    model_close(f->model);
}

static int measure(struct prefill *f, struct side *sides, int n, struct err *e)
{
    for (int round = f->b->quick ? ROUNDS - 1 : 0; round < ROUNDS; round++)
        for (int i = 0; i < n; i++) {
            struct side *s = &sides[i];
            if (s->work)
                s->rate[s->n] = f->context / s->work(f);
            else if (llama_rates(f->b, f->weights, s->llama, f->context, 0, 0, 1, &s->rate[s->n],
                                 e))
                return err_in(e, "%s", s->name);
            s->n++;
        }
    return 0;
}

static void put(const struct prefill *f, const struct side *s, const struct side *against)
{
    char name[96];
    snprintf(name, sizeof name, "%s %d %s", f->shape->name, f->context, s->name);
    struct bench_row r = {.name = name, .unit = "token/s", .value = bench_spread(s->rate, s->n)};
    if (against) {
        r.against = against->name;
        r.ratio = bench_ratio(s->rate, s->n, against->rate, against->n);
    }
    bench_put(f->b, &r);
}

static double median(const struct side *s)
{
    return bench_spread(s->rate, s->n).median;
}

static int run_context(struct bench *b, int context, struct err *e)
{
    struct prefill f = {.b = b, .shape = bench_shape_of(b), .context = context, .weights = -1};
    struct side s[SIDES_MAX] = {{.name = "sgemm alone", .work = sgemm},
                                {.name = "products", .work = products},
                                {.name = "prefill", .work = read_prompt_f32}};
    struct err none;
    int n = 3, first_llama, rc;
    if (!gemm_bf16_check(&none))
        s[n++] = (struct side){.name = "prefill bf16", .work = read_prompt_bf16};
    first_llama = n;
    for (const struct llama_case *c = llama_cases; *b->llama && c < llama_cases + 2; c++)
        s[n++] = (struct side){.name = c->name, .llama = c};
    rc = open_prefill(&f, e) || measure(&f, s, n, e) ? -1 : 0;
    for (int i = 0; !rc && i < 3; i++)
        put(&f, &s[i], i ? &s[0] : NULL);
    if (!rc && first_llama > 3)
        put(&f, &s[3], &s[2]);
    for (int i = first_llama; !rc && i < n; i++)
        put(&f, &s[i], &s[2]);
    if (!rc && n > first_llama) {
        const struct side *a = &s[first_llama], *best = median(a) >= median(a + 1) ? a : a + 1;
        for (int i = 2; i < first_llama; i++)
            put(&f, &s[i], best);
    }
    close_prefill(&f);
    return rc;
}

static int run(struct bench *b, struct err *e)
{
    return bench_each_context(b, "reading a prompt", contexts, sizeof contexts / sizeof *contexts,
                              CONTEXT_QUICK, run_context, e);
}

const struct bench_kind bench_prefill = {
    .name = "prefill", .summary = "tokens a second of a prompt, against BLAS", .run = run};
