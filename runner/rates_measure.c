/* Rates measured on the spot: workers in miniature, forked, so that they get in each other's way as
 * workers do and nothing of it stays. */
#define _GNU_SOURCE
#include "runner/rates.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"
#include "harness/base/rng.h"
#include "runner/estimate.h"

/* Prompts that are read: the shortest say what the weights cost, a longer one what attention does,
 * as long as the time allows. */
enum { TOKENS_FEW = 8, TOKENS_MORE = 64, TOKENS_MOST = 1024, STEPS_ROOM = 16, BATCH_TIMED = 24 };
static const double seconds_all = 0.6; // of all classes together, where a prompt can be so short
static const double quick = 0.05, slow = 0.5; // seconds: worth another time; not even a second one

struct bench_of_class {
    struct model *model;
    const struct plan *plan;
    const struct rate_want *want;
    int32_t ids[TOKENS_MOST];
    float *logits; // [BATCH_TIMED][vocab]
    double budget;
    struct rate rate;
};

/* ---- a prompt and steps ---- */

/* Seconds a sequence of a step; the first one finds its memory. */
static double time_steps(struct bench_of_class *b, struct kv_cache *const *caches, int n)
{
    double best = 0;
    for (int i = 0; i < STEPS_ROOM - 1; i++) {
        double start = clock_seconds();
        model_step(b->model, b->ids, caches, n, b->logits);
        double t = clock_seconds() - start;
        best = i < 2 || t < best ? t : best;
        if (i > 0 && t > quick)
            break;
    }
    return best / n;
}

/* Reads tokens for n caches, the settings in turn; *step (or NULL): of them together. */
static double time_prompt(struct bench_of_class *b, int tokens, int n, double *step)
{
    struct kv_cache *caches[BATCH_TIMED];
    const struct kv_shape *shape = model_shape(b->model);
    const struct kv_engine *engine = model_engine(b->model);
    double start = clock_seconds();
    for (int i = 0; i < n; i++) {
        int k = b->want->settings[i % b->want->n];
        caches[i] =
            kv_cache_new(&b->plan->x->settings[k].chain, shape, engine, tokens + STEPS_ROOM);
    }
    struct kv_prefill *p = kv_prefill_new(engine, shape, caches, n, tokens);
    model_prefill(b->model, b->ids, tokens, p, b->logits);
    kv_prefill_free(p);
    double seconds = clock_seconds() - start;
    if (step)
        *step = time_steps(b, caches, n);
    for (int i = 0; i < n; i++)
        kv_cache_free(caches[i]);
    return seconds;
}

static double time_prompt_well(struct bench_of_class *b, int tokens, int n)
{
    double t = time_prompt(b, tokens, n, NULL);
    for (int i = 0; i < 2 && t < quick; i++) {
        double again = time_prompt(b, tokens, n, NULL);
        t = again < t ? again : t;
    }
    return t;
}

/* ---- a class ---- */

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* What every token costs is split between reading and the settings as estimate.h has it; attention
 * is as fast as the rest until a longer prompt says otherwise. */
static void split_token(struct bench_of_class *b, double token, int n_caches)
{
    struct estimate_token t = estimate_token(b->model);
    double unit = token / (t.weights + n_caches * t.keep);
    b->rate.token = unit * t.weights;
    b->rate.keep = unit * t.keep;
    b->rate.attend = unit * t.attend;
    b->rate.step_attend = b->rate.step / t.weights * t.attend;
}

/* A long prompt: what it takes beyond its tokens is attention. */
static void measure_attention(struct bench_of_class *b, int n_caches, double few_step, int few)
{
    double one = rate_prefill(&b->rate, TOKENS_MORE, n_caches), step;
    int n = least(least(TOKENS_MOST, b->want->tokens),
                  (int)(TOKENS_MORE * b->budget / (1.5 * one)));
    if (n < 2 * TOKENS_MORE)
        return;
    double t = time_prompt(b, n, n_caches, &step);
    b->rate.attend = 0;
    double rest = t - rate_prefill(&b->rate, n, n_caches);
    if (rest > 0)
        b->rate.attend = rest / (0.5 * n * n);
    else
        split_token(b, t / n, n_caches), b->rate.attend = 0;
    b->rate.step_attend = step > few_step ? (step - few_step) / (n - few) : 0;
}

static void measure_class(struct bench_of_class *b)
{
    int n_caches = least(b->want->n, BATCH_TIMED), few = least(TOKENS_FEW, b->want->tokens);
    int batch = least(b->want->batch > n_caches ? b->want->batch : n_caches, BATCH_TIMED);
    double few_step;
    double t = time_prompt(b, few, batch, &b->rate.step); // finds all memory
    double t_few = t < slow ? time_prompt_well(b, few, n_caches) : t;
    int more = least(TOKENS_MORE, b->want->tokens);
    double t_more = more > few ? time_prompt_well(b, more, n_caches) : t_few;
    double token = more > few && t_more > t_few ? (t_more - t_few) / (more - few) : t_more / more;
    b->rate.source = RATE_MEASURED;
    b->rate.chunk = t_more > token * more ? t_more - token * more : 0;
    split_token(b, token, n_caches);
    if (t_more > slow)
        return;
    time_prompt(b, few, n_caches, &few_step);
    measure_attention(b, n_caches, few_step, few);
}

/* Packing large weights takes longer than a plan may. */
static bool can_pack(const struct bench_of_class *b, const struct quant_format *f)
{
    enum { PARAMETERS_MOST = 1 << 28 };
    return !quant_format_on(f) || model_parameters(b->model) < PARAMETERS_MOST;
}

static struct rate measure(const struct plan *p, const struct rate_want *want, int threads,
                           double budget)
{
    struct bench_of_class b = {
        .model = p->variants[want->variant].model, .plan = p, .want = want, .budget = budget};
    struct quant_format as_stored = {.bits = QUANT_BITS_OFF};
    const struct quant_format *f = &p->x->settings[want->class].weights;
    int vocab = model_get_config(b.model)->vocab;
    struct rng r = {1};
    struct err e;
    model_set_threads(b.model, threads);
    if (model_use_weights(b.model, can_pack(&b, f) ? f : &as_stored, &e))
        return b.rate;
    for (int i = 0; i < TOKENS_MOST; i++)
        b.ids[i] = rng_below(&r, vocab);
    b.logits = mem_aligned(mem_size((size_t)vocab, BATCH_TIMED * sizeof *b.logits));
    measure_class(&b);
    free(b.logits);
    return b.rate;
}

/* ---- processes ---- */

static _Noreturn void be_child(const struct plan *p, const struct rate_want *wants, int n,
                               int threads, int fd)
{
    double start = clock_seconds();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < n; i++) {
        double left = start + seconds_all - clock_seconds();
        struct rate r = {0};
        if (i == 0 || left > 0)
            r = measure(p, &wants[i], threads, left / (n - i));
        if (write(fd, &r, sizeof r) != sizeof r)
            _exit(1);
    }
    _exit(0);
}

/* One that could not be started has said nothing, as one that died. */
static pid_t start_child(const struct plan *p, const struct rate_want *wants, int n, int threads,
                         int *fd)
{
    int ends[2];
    *fd = -1;
    if (pipe(ends))
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        be_child(p, wants, n, threads, ends[1]);
    }
    close(ends[1]);
    *fd = ends[0];
    return pid;
}

/* The mean of those that have measured it. */
static void take(struct rate *sum, int *n, const struct rate *r)
{
    if (r->source != RATE_MEASURED)
        return;
    double a = (double)*n / (*n + 1), b = 1.0 / (*n + 1);
    *sum = (struct rate){RATE_MEASURED,
                         a * sum->chunk + b * r->chunk,
                         a * sum->token + b * r->token,
                         a * sum->attend + b * r->attend,
                         a * sum->keep + b * r->keep,
                         a * sum->step + b * r->step,
                         a * sum->step_attend + b * r->step_attend};
    ++*n;
}

static void listen_to(struct rates *r, const struct rate_want *wants, int n, int *heard, int fd)
{
    struct rate got;
    for (int i = 0; i < n && fd >= 0 && read(fd, &got, sizeof got) == sizeof got; i++)
        take(rates_at(r, wants[i].variant, wants[i].class), &heard[i], &got);
}

void rates_measure(struct rates *r, const struct plan *p, const struct rate_want *wants, int n,
                   int workers, int threads_each)
{
    pid_t *pids = xcalloc((size_t)workers, sizeof *pids);
    int *fds = xcalloc((size_t)workers, sizeof *fds);
    int *heard = xcalloc((size_t)n + 1, sizeof *heard);
    for (int w = 0; w < workers && n; w++)
        pids[w] = start_child(p, wants, n, threads_each, &fds[w]);
    for (int w = 0; w < workers && n; w++) {
        listen_to(r, wants, n, heard, fds[w]);
        if (fds[w] >= 0)
            close(fds[w]);
        while (pids[w] > 0 && waitpid(pids[w], NULL, 0) < 0 && errno == EINTR)
            ;
    }
    for (int i = 0; i < n; i++)
        r->measured += heard[i] > 0;
    free(pids);
    free(fds);
    free(heard);
}
