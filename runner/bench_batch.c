/*
 * Decoding many sequences together: tokens a second in all, by batch. Caches of settings that an
 * ablation would sweep, and full f16 ones, against our own batch of one, against llama.cpp with a
 * cache for each sequence, and against what the bytes of a step (weights once, and what the ledgers
 * say was read) take at the rate of the memory. Every sample decodes from new caches, so that all
 * batches and both programs are equally deep in their context.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"
#include "harness/base/rng.h"
#include "runner/bench_llama.h"

enum { CONTEXT = 2000, CONTEXT_QUICK = 300, ROUNDS = 5, ROUNDS_QUICK = 2, QUICK_TOKENS = 8 };
enum { WARM_UP = 4, BATCHES = 4, MOST = 32 };

static const int batches[BATCHES] = {1, 4, 16, MOST};

/* The caches of one kind: setting i % n_chains for sequence i. */
struct side {
    const char *name;
    struct kv_chain chains[BENCH_GROUP];
    int n_chains;
    double rate[BATCHES][BENCH_REPEATS_MAX];
    double step_bytes[BATCHES];
};

struct batch {
    struct bench *b;
    const struct bench_shape *shape;
    struct model *model;
    float *logits; // [MOST][vocab]
    int context, new_tokens, rounds;
    struct side sides[2];
    double llama[BATCHES]; // the better of both ways of attention; 0: not run
};

static int open_batch(struct batch *t, struct err *e)
{
    struct side *kvo = &t->sides[0], *full = &t->sides[1];
    const struct bench_setting *s = bench_settings;
    while (s[1].name) // the last one is the full cache
        s++;
    t->model = bench_open_model(t->b, t->shape, t->context + t->new_tokens + WARM_UP, e);
    if (!t->model)
        return -1;
    t->logits = mem_aligned(mem_size((size_t)t->shape->config.vocab, MOST * sizeof *t->logits));
    kvo->name = "kvo";
    full->name = s->name;
    if (bench_open_group(kvo->chains, e) || bench_open_chain(&full->chains[0], s, e))
        return -1;
    kvo->n_chains = BENCH_GROUP;
    full->n_chains = 1;
    return 0;
}

static void close_batch(struct batch *t)
{
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < t->sides[i].n_chains; k++)
            kv_chain_release(&t->sides[i].chains[k]);
    free(t->logits);
    model_close(t->model);
}

static double bits_read(const struct batch *t, struct kv_cache *const *caches, int n)
{
    double bits = (double)model_weight_bits_read(t->model);
    for (int i = 0; i < n; i++) {
        struct kv_ledger l;
        kv_cache_ledger(caches[i], &l);
        bits += (double)kv_ledger_sum(l.read);
    }
    return bits;
}

static double time_steps(struct batch *t, struct kv_cache *const *caches, int n, int steps)
{
    struct rng r = {(uint64_t)kv_cache_length(caches[0])};
    int32_t ids[MOST];
    double start = clock_seconds();
    for (int step = 0; step < steps; step++) {
        for (int i = 0; i < n; i++)
            ids[i] = rng_below(&r, t->shape->config.vocab);
        model_step(t->model, ids, caches, n, t->logits);
    }
    return clock_seconds() - start;
}

static void sample(struct batch *t, struct side *s, int which, int round)
{
    struct kv_cache *caches[MOST];
    int n = batches[which];
    for (int i = 0; i < n; i++)
        caches[i] = kv_cache_new(&s->chains[i % s->n_chains], model_shape(t->model),
                                 model_engine(t->model), t->context + t->new_tokens + WARM_UP);
    bench_fill_caches(t->model, caches, n, t->context);
    time_steps(t, caches, n, WARM_UP);
    double before = bits_read(t, caches, n);
    double seconds = time_steps(t, caches, n, t->new_tokens);
    s->rate[which][round] = n * t->new_tokens / seconds;
    s->step_bytes[which] = (bits_read(t, caches, n) - before) / 8 / t->new_tokens;
    for (int i = 0; i < n; i++)
        kv_cache_free(caches[i]);
}

/* Once each: it reads every sequence's prompt before. */
static int measure_llama(struct batch *t, struct err *e)
{
    double rates[BATCHES];
    if (!*t->b->llama)
        return 0;
    int weights = llama_open_weights(t->model, bench_weights_of(t->b)->gguf, e), rc = weights < 0;
    for (const char *flash = "01"; !rc && *flash; flash++) {
        rc = llama_batched_rates(t->b, weights, flash, t->context, t->new_tokens, batches, BATCHES,
                                 rates, e);
        for (int i = 0; !rc && i < BATCHES; i++)
            t->llama[i] = rates[i] > t->llama[i] ? rates[i] : t->llama[i];
    }
    if (weights >= 0)
        close(weights);
    return rc ? -1 : 0;
}

static void put(const struct batch *t, const char *what, int which, struct bench_row r)
{
    char name[96];
    snprintf(name, sizeof name, "%s %d %s, batch %d", t->shape->name, t->context, what,
             batches[which]);
    r.name = name;
    bench_put(t->b, &r);
}

static void put_side(const struct batch *t, const struct side *s, int which)
{
    double bound = bench_memory_rate(t->b) * 1e9 / s->step_bytes[which] * batches[which];
    const double *rate = s->rate[which];
    struct bench_row r = {.unit = "token/s",
                          .value = bench_spread(rate, t->rounds),
                          .against = "batch 1",
                          .ratio = bench_ratio(rate, t->rounds, s->rate[0], t->rounds)};
    put(t, s->name, which, r);
    r.against = "its bytes at the memory's rate";
    r.ratio = bench_ratio(rate, t->rounds, &bound, 1);
    put(t, s->name, which, r);
    if (t->llama[which] > 0) {
        r.against = "llama.cpp's batch";
        r.ratio = bench_ratio(rate, t->rounds, &t->llama[which], 1);
        put(t, s->name, which, r);
    }
}

static void report(const struct batch *t)
{
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < BATCHES; k++)
            put_side(t, &t->sides[i], k);
    for (int k = 0; k < BATCHES; k++)
        if (t->llama[k] > 0)
            put(t, "llama.cpp", k,
                (struct bench_row){.unit = "token/s", .value = bench_spread(&t->llama[k], 1)});
}

static int run_context(struct bench *b, int context, struct err *e)
{
    static struct batch t;
    t = (struct batch){.b = b, .shape = bench_shape_of(b), .context = context};
    t.rounds = b->quick ? ROUNDS_QUICK : ROUNDS;
    t.new_tokens = b->quick ? QUICK_TOKENS : t.shape->new_tokens;
    bench_memory_rate(b);
    int rc = open_batch(&t, e) || measure_llama(&t, e) ? -1 : 0;
    for (int round = 0; !rc && round < t.rounds; round++)
        for (int i = 0; i < 2; i++)
            for (int k = 0; k < BATCHES; k++)
                sample(&t, &t.sides[i], k, round);
    if (!rc)
        report(&t);
    close_batch(&t);
    return rc;
}

static int check(const struct bench *b, struct err *e)
{
    char program[4096 + 32];
    return *b->llama ? llama_batched_find(b, program, sizeof program, e) : 0;
}

static int run(struct bench *b, struct err *e)
{
    const int usual = b->quick ? CONTEXT_QUICK : CONTEXT;
    const int *list = b->n_contexts ? b->contexts : &usual;
    char title[128];
    snprintf(title, sizeof title, "sequences together, %s weights, %d threads", b->weights,
             b->threads);
    bench_title(b, title);
    for (int i = 0; i < (b->n_contexts ? b->n_contexts : 1); i++)
        if (run_context(b, list[i], e))
            return -1;
    return 0;
}

const struct bench_kind bench_batch = {.name = "batch",
                                       .summary = "tokens a second of many sequences together",
                                       .slow = true,
                                       .check = check,
                                       .run = run};
