/*
 * A sweep for the price of one pass: 16 settings of KVO on one random prompt of the built-in model.
 * They share its prefill and decode together; against one pass of the full f16 cache over the same
 * prompt, and against the settings one after the other, of which every round runs a few. No stop
 * ids: every sequence decodes to the end.
 */
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"
#include "harness/base/rng.h"
#include "runner/bench_setup.h"

enum { CONTEXT = 2000, CONTEXT_QUICK = 300, NEW = 64, NEW_QUICK = 8, ROUNDS = 5, ROUNDS_QUICK = 2 };
enum { ALONE = 2 }; // separate runs of a round

struct sweep {
    struct bench *b;
    struct model *model;
    struct kv_chain group[BENCH_GROUP], full;
    int32_t *ids;  // [context]
    float *logits; // [BENCH_GROUP][vocab]
    int context, n_new, rounds, n_chains;
    double pass[BENCH_REPEATS_MAX], sweep[BENCH_REPEATS_MAX], decode[BENCH_REPEATS_MAX];
    double alone[BENCH_REPEATS_MAX];
};

static int open_sweep(struct sweep *s, struct err *e)
{
    struct model_options o = {.threads = s->b->threads};
    s->model = model_open_bare(s->b->model_dir, &o, e);
    if (!s->model || bench_open_chain(&s->full, &(struct bench_setting){"f16", "[\"f16\"]"}, e) ||
        bench_open_group(s->group, e))
        return -1;
    s->n_chains = BENCH_GROUP;
    const struct model_config *c = model_get_config(s->model);
    if (s->context + s->n_new > c->max_positions)
        return err_user(e, "bench sweep: --context %d and %d new tokens: the model ends at %d",
                        s->context, s->n_new, c->max_positions);
    s->ids = xmalloc(mem_size((size_t)s->context, sizeof *s->ids));
    s->logits = mem_aligned(mem_size((size_t)c->vocab, BENCH_GROUP * sizeof *s->logits));
    return 0;
}

static void close_sweep(struct sweep *s)
{
    for (int i = 0; i < s->n_chains; i++)
        kv_chain_release(&s->group[i]);
    kv_chain_release(&s->full);
    free(s->ids);
    free(s->logits);
    model_close(s->model);
}

/* The prompt into caches of n settings, and their tokens. decode: seconds of the latter. */
static double run_settings(struct sweep *s, const struct kv_chain *chains, int n, double *decode)
{
    struct kv_cache *caches[BENCH_GROUP];
    int32_t ids[BENCH_GROUP];
    int vocab = model_get_config(s->model)->vocab;
    double start = clock_seconds();
    for (int i = 0; i < n; i++)
        caches[i] = kv_cache_new(&chains[i], model_shape(s->model), model_engine(s->model),
                                 s->context + s->n_new);
    struct kv_prefill *p =
        kv_prefill_new(model_engine(s->model), model_shape(s->model), caches, n, s->context);
    model_prefill(s->model, s->ids, s->context, p, s->logits);
    kv_prefill_free(p);
    double read = clock_seconds();
    for (int i = 0; i < n; i++)
        ids[i] = model_argmax(s->logits, vocab, NULL, 0);
    for (int step = 0; step < s->n_new; step++) {
        model_step(s->model, ids, caches, n, s->logits);
        for (int i = 0; i < n; i++)
            ids[i] = model_argmax(s->logits + (size_t)i * (size_t)vocab, vocab, NULL, 0);
    }
    double end = clock_seconds();
    for (int i = 0; i < n; i++)
        kv_cache_free(caches[i]);
    *decode = end - read;
    return end - start;
}

static void measure_round(struct sweep *s, int round)
{
    struct rng r = {(uint64_t)round + 1};
    double ignored, alone = 0;
    for (int i = 0; i < s->context; i++)
        s->ids[i] = rng_below(&r, model_get_config(s->model)->vocab);
    s->pass[round] = run_settings(s, &s->full, 1, &ignored);
    s->sweep[round] = run_settings(s, s->group, BENCH_GROUP, &s->decode[round]);
    for (int i = 0; i < ALONE; i++) // both halves of the group, as their cost differs
        alone += run_settings(s, &s->group[(round * 5 + i * BENCH_GROUP / ALONE) % BENCH_GROUP], 1,
                              &ignored);
    s->alone[round] = alone / ALONE * BENCH_GROUP;
}

static void put(const struct sweep *s, const char *what, const double *seconds, const char *against,
                const double *base)
{
    char name[96];
    double ms[BENCH_REPEATS_MAX];
    snprintf(name, sizeof name, "%d tokens and %d, %s", s->context, s->n_new, what);
    for (int i = 0; i < s->rounds; i++)
        ms[i] = 1e3 * seconds[i];
    struct bench_row r = {.name = name, .unit = "ms", .value = bench_spread(ms, s->rounds)};
    if (against) {
        r.against = against;
        r.ratio = bench_ratio(seconds, s->rounds, base, s->rounds);
    }
    bench_put(s->b, &r);
}

static int run(struct bench *b, struct err *e)
{
    static struct sweep s;
    s = (struct sweep){.b = b, .context = b->quick ? CONTEXT_QUICK : CONTEXT};
    s.context = b->n_contexts ? b->contexts[0] : s.context;
    s.n_new = b->quick ? NEW_QUICK : NEW;
    s.rounds = b->quick ? ROUNDS_QUICK : ROUNDS;
    bench_title(b, "16 settings of one prompt, read once and decoded together");
    int rc = open_sweep(&s, e);
    for (int round = 0; !rc && round < s.rounds; round++)
        measure_round(&s, round);
    if (!rc) {
        put(&s, "full f16 pass", s.pass, NULL, NULL);
        put(&s, "sweep of 16", s.sweep, "one full pass", s.pass);
        put(&s, "sweep's decoding", s.decode, "the sweep", s.sweep);
        put(&s, "16 runs (2 measured)", s.alone, "one full pass", s.pass);
        put(&s, "sweep of 16", s.sweep, "16 separate runs", s.alone);
    }
    close_sweep(&s);
    return rc;
}

const struct bench_kind bench_sweep = {.name = "sweep",
                                       .summary = "16 settings together against one full pass",
                                       .slow = true,
                                       .run = run};
