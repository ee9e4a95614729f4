/*
 * Decoding at batch 1 behind a context: settings of ours in turns, and llama.cpp's caches on the
 * same weights. Each step's time also stands against its bytes (weights, and what the ledger says
 * was read of the cache) at the rate of the memory; a step whose bytes stay in the processor's
 * caches may come below that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "runner/bench_llama.h"

enum { SIDES_MAX = 16, ROUNDS = 5, ROUNDS_QUICK = 2, QUICK_TOKENS = 8, CONTEXT_QUICK = 500 };

static const int contexts[] = {3500, 32000};

/* A way of decoding, ours or theirs. */
struct side {
    const char *name;
    const struct llama_case *llama; // NULL: ours
    struct kv_chain chain;
    struct kv_cache *cache;
    double rate[BENCH_REPEATS_MAX];
    int n;
    double step_bytes;
};

struct decode {
    struct bench *b;
    const struct bench_shape *shape;
    struct model *model;
    float *logits;
    int context, new_tokens, rounds, warm_up;
    int weights; // descriptor of llama.cpp's file, or -1
    struct side sides[SIDES_MAX];
    int n, n_ours;
};

static double bits_read(const struct kv_cache *c)
{
    struct kv_ledger l;
    kv_cache_ledger(c, &l);
    return (double)kv_ledger_sum(l.read);
}

static int open_ours(struct decode *d, const struct bench_setting *s, struct err *e)
{
    struct side *side = &d->sides[d->n];
    side->name = s->name;
    if (bench_open_chain(&side->chain, s, e))
        return -1;
    d->n = ++d->n_ours;
    side->cache = bench_fill_cache(d->model, &side->chain, d->context,
                                   d->rounds * (d->new_tokens + d->warm_up));
    return 0;
}

static int open_theirs(struct decode *d, struct err *e)
{
    if (!*d->b->llama)
        return 0;
    d->weights = llama_open_weights(d->model, bench_weights_of(d->b)->gguf, e);
    for (const struct llama_case *c = llama_cases; c->name; c++)
        d->sides[d->n++] = (struct side){.name = c->name, .llama = c};
    return d->weights < 0 ? -1 : 0;
}

static int open_decode(struct decode *d, struct err *e)
{
    int room = d->rounds * (d->new_tokens + d->warm_up);
    d->model = bench_open_model(d->b, d->shape, d->context + room, e);
    if (!d->model)
        return -1;
    d->logits = mem_aligned(mem_size((size_t)d->shape->config.vocab, sizeof *d->logits));
    for (const struct bench_setting *s = bench_settings; s->name; s++)
        if (open_ours(d, s, e))
            return -1;
    return open_theirs(d, e);
}

static void close_decode(struct decode *d)
{
    for (int i = 0; i < d->n_ours; i++) {
        kv_cache_free(d->sides[i].cache);
        kv_chain_release(&d->sides[i].chain);
    }
    if (d->weights >= 0)
        close(d->weights);
    free(d->logits);
    model_close(d->model);
}

static void sample_ours(struct decode *d, struct side *s)
{
    bench_time_steps(d->model, s->cache, d->warm_up, d->logits); // as llama-bench does
    double before = bits_read(s->cache) + (double)model_weight_bits_read(d->model);
    double seconds = bench_time_steps(d->model, s->cache, d->new_tokens, d->logits);
    s->rate[s->n++] = d->new_tokens / seconds;
    double after = bits_read(s->cache) + (double)model_weight_bits_read(d->model);
    s->step_bytes = (after - before) / 8 / d->new_tokens;
}

/* Where reading the prompt takes long, llama-bench reads it once for all its samples. */
static bool reads_once(const struct decode *d)
{
    const struct model_config *c = &d->shape->config;
    double attention = 2.0 * c->n_layers * c->n_heads * c->head_dim * d->context;
    double seconds =
        (2.0 * (double)model_parameters(d->model) * 1e-11 + attention * 4e-11) * d->context;
    if (seconds > 5)
        log_note("bench: llama.cpp reads %d tokens %d times, some %.0f minutes", d->context,
                 d->n - d->n_ours, seconds * (d->n - d->n_ours) / 60 + 1);
    return seconds > 5;
}

static int sample_theirs(struct decode *d, struct side *s, int times, struct err *e)
{
    int rc = llama_rates(d->b, d->weights, s->llama, 0, d->context, d->new_tokens, times,
                         s->rate + s->n, e);
    s->n += times;
    return rc ? err_in(e, "%s", s->name) : 0;
}

static int measure(struct decode *d, struct err *e)
{
    bool once = *d->b->llama && reads_once(d);
    for (int round = 0; round < d->rounds; round++)
        for (int i = 0; i < d->n; i++) {
            struct side *s = &d->sides[i];
            if (!s->llama)
                sample_ours(d, s);
            else if ((!once || round == 0) && sample_theirs(d, s, once ? d->rounds : 1, e))
                return -1;
        }
    return 0;
}

static void put_side(const struct decode *d, const struct side *s, const struct side *against)
{
    char name[96];
    snprintf(name, sizeof name, "%s %d %s", d->shape->name, d->context, s->name);
    struct bench_row r = {.name = name, .unit = "token/s", .value = bench_spread(s->rate, s->n)};
    if (against != s) {
        r.against = against->name;
        r.ratio = bench_ratio(s->rate, s->n, against->rate, against->n);
    }
    bench_put(d->b, &r);
}

static void put_step(const struct decode *d, const struct side *s)
{
    char name[96];
    double ms[BENCH_REPEATS_MAX], bound = s->step_bytes * 1e-6 / bench_memory_rate(d->b);
    snprintf(name, sizeof name, "%s %d %s, step", d->shape->name, d->context, s->name);
    for (int i = 0; i < s->n; i++)
        ms[i] = 1e3 / s->rate[i];
    struct bench_row r = {name, "ms", bench_spread(ms, s->n), "its bytes at the memory's rate",
                          bench_ratio(ms, s->n, &bound, 1)};
    bench_put(d->b, &r);
}

static const struct side *best_of_theirs(const struct decode *d)
{
    const struct side *best = NULL;
    double most = 0;
    for (int i = d->n_ours; i < d->n; i++) {
        double rate = bench_spread(d->sides[i].rate, d->sides[i].n).median;
        if (rate > most) {
            most = rate;
            best = &d->sides[i];
        }
    }
    return best;
}

static void report(const struct decode *d)
{
    const struct side *best = best_of_theirs(d), *base = &d->sides[d->n_ours - 1];
    for (int i = 0; i < d->n; i++)
        put_side(d, &d->sides[i], base);
    for (int i = 0; best && i < d->n_ours; i++)
        put_side(d, &d->sides[i], best);
    for (int i = 0; i < d->n_ours; i++)
        put_step(d, &d->sides[i]);
}

static int run_context(struct bench *b, int context, struct err *e)
{
    struct decode d = {.b = b, .shape = bench_shape_of(b), .context = context, .weights = -1};
    d.rounds = b->quick ? ROUNDS_QUICK : ROUNDS;
    d.new_tokens = b->quick ? QUICK_TOKENS : d.shape->new_tokens;
    d.warm_up = d.new_tokens / 2;
    bench_memory_rate(b);
    int rc = open_decode(&d, e) || measure(&d, e) ? -1 : 0;
    if (!rc)
        report(&d);
    close_decode(&d);
    return rc;
}

static int run(struct bench *b, struct err *e)
{
    return bench_each_context(b, "one token at a time", contexts,
                              sizeof contexts / sizeof *contexts, CONTEXT_QUICK, run_context, e);
}

const struct bench_kind bench_decode = {
    .name = "decode", .summary = "tokens a second behind a context, by cache", .run = run};
