/* Rates measured on the spot: workers in miniature, forked, so that they get in each other's way as
 * workers do and nothing of it stays. */
#define _GNU_SOURCE
#include "runner/rates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
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
enum { CACHES_FILLED = 2, FILL_CHUNK = 256, FILL_NUMBERS = 10 * 1000 * 1000 };
static const double seconds_all = 0.5; // of all classes together, where a prompt can be so short
static const double quick = 0.02, slow = 1; // seconds: worth another time; not even a second one

struct bench_of_class {
    struct model *model;
    const struct plan *plan;
    const struct rate_want *want;
    int32_t ids[TOKENS_MOST];
    float *logits; // [BATCH_TIMED][vocab]
    double until;  // clock
    struct rate rate;
};

/* ---- a prompt and steps ---- */

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Seconds a sequence of a step; the first one finds its memory. */
static double time_steps(struct bench_of_class *b, struct kv_cache *const *caches, int n)
{
    double best = 0, spent = 0;
    for (int i = 0; i < STEPS_ROOM && (spent < quick || (i == 1 && spent < slow)); i++) {
        double start = clock_seconds();
        model_step(b->model, b->ids, caches, n, b->logits);
        double t = clock_seconds() - start;
        best = i < 2 || t < best ? t : best;
        spent += t;
    }
    return best / n;
}

static struct kv_prefill *open_caches(struct bench_of_class *b, int tokens, int n,
                                      struct kv_cache **caches)
{
    const struct kv_shape *shape = model_shape(b->model);
    const struct kv_engine *engine = model_engine(b->model);
    for (int i = 0; i < n; i++) {
        int k = b->want->settings[i % b->want->n];
        caches[i] =
            kv_cache_new(&b->plan->x->settings[k].chain, shape, engine, tokens + STEPS_ROOM);
    }
    return kv_prefill_new(engine, shape, caches, n, tokens);
}

/* Seconds of a step, once the caches have what p was for. */
static double close_caches(struct bench_of_class *b, struct kv_prefill *p, int n,
                           struct kv_cache **caches, bool steps)
{
    kv_prefill_free(p);
    double step = steps ? time_steps(b, caches, n) : 0;
    for (int i = 0; i < n; i++)
        kv_cache_free(caches[i]);
    return step;
}

/* Reads tokens for n caches, the settings in turn; *step (or NULL): of them together. */
static double time_prompt(struct bench_of_class *b, int tokens, int n, double *step)
{
    struct kv_cache *caches[BATCH_TIMED];
    double start = clock_seconds();
    struct kv_prefill *p = open_caches(b, tokens, n, caches);
    model_prefill(b->model, b->ids, tokens, p, b->logits);
    double seconds = clock_seconds() - start;
    double s = close_caches(b, p, n, caches, step != NULL);
    if (step)
        *step = s;
    return seconds;
}

/* Random rows in place of a prompt's: steps take as long. */
static double time_filled_steps(struct bench_of_class *b, int tokens, int n)
{
    const struct kv_shape *shape = model_shape(b->model);
    size_t width = (size_t)shape->n_kv_heads * (size_t)shape->head_dim;
    size_t size = mem_size(width, FILL_CHUNK * 2);
    struct kv_cache *caches[BATCH_TIMED];
    struct kv_prefill *p = open_caches(b, tokens, n, caches);
    float *made = xmalloc(mem_size(2 * size, sizeof *made)), *k = made + size;
    struct rng r = {2};
    for (size_t i = 0; i < size; i++)
        made[i] = (float)rng_uniform(&r) - 0.5F;
    for (int layer = 0; layer < shape->n_layers; layer++) {
        for (int at = 0; at < tokens; at += FILL_CHUNK) {
            memcpy(k, made, size * sizeof *k); // pushing rounds them
            kv_prefill_push(p, NULL, k, k + size / 2, least(FILL_CHUNK, tokens - at));
        }
        kv_prefill_end_layer(p);
    }
    free(made);
    return close_caches(b, p, n, caches, true);
}

static double time_prompt_well(struct bench_of_class *b, int tokens, int n)
{
    double t = time_prompt(b, tokens, n, NULL);
    if (t >= quick)
        return t;
    double again = time_prompt(b, tokens, n, NULL);
    return again < t ? again : t;
}

/* ---- a class ---- */

/* What every token costs is split between reading and the settings as estimate.h has it. */
static void split_token(struct bench_of_class *b, double token, int n_caches)
{
    struct estimate_token t = estimate_token(b->model);
    double unit = token / (t.weights + n_caches * t.keep);
    b->rate.token = unit * t.weights;
    b->rate.keep = unit * t.keep;
}

/* Short prompts: the weights once a chunk, tokens; attention is as fast as products with weights
 * (on the built-in model, within a tenth). */
static void measure_short(struct bench_of_class *b, int n_caches)
{
    struct estimate_token shape = estimate_token(b->model);
    int few = least(TOKENS_FEW, b->want->tokens), more = least(TOKENS_MORE, b->want->tokens);
    int batch = least(b->want->batch > n_caches ? b->want->batch : n_caches, BATCH_TIMED);
    double t = time_prompt(b, few, batch, &b->rate.step); // finds all memory
    double t_few = t < slow ? time_prompt_well(b, few, n_caches) : t;
    double t_more = more > few ? time_prompt_well(b, more, n_caches) : t_few;
    double token = more > few && t_more > t_few ? (t_more - t_few) / (more - few) : t_more / more;
    b->rate.source = RATE_MEASURED;
    b->rate.chunk = t_more > token * more ? t_more - token * more : 0;
    b->rate.attend = token * shape.attend / (shape.weights + n_caches * shape.keep);
    b->rate.step_attend = b->rate.step * shape.attend / shape.weights;
    split_token(b, token, n_caches);
}

/* A longer prompt, in half of the time: methods begin to work beyond their windows. */
static void measure_long(struct bench_of_class *b, int n_caches)
{
    double one = rate_prefill(&b->rate, TOKENS_MORE, n_caches);
    double room = (b->until - clock_seconds()) / (2 * one);
    int n = least(least(TOKENS_MOST, b->want->tokens), room > 0 ? (int)(TOKENS_MORE * room) : 0);
    if (n <= TOKENS_MORE)
        return;
    double t = time_prompt(b, n, n_caches, NULL);
    split_token(b, 0, n_caches);
    double rest = t - rate_prefill(&b->rate, n, n_caches);
    split_token(b, rest > 0 ? rest / n : t / n, n_caches);
}

/* Steps behind as long a prompt as there will be. */
static void measure_long_steps(struct bench_of_class *b, int n_caches)
{
    const struct kv_shape *s = model_shape(b->model);
    size_t row = 2 * (size_t)s->n_layers * (size_t)s->n_kv_heads * (size_t)s->head_dim;
    int few = least(TOKENS_FEW, b->want->tokens), filled = least(n_caches, CACHES_FILLED);
    int n = least(b->want->tokens, (int)(FILL_NUMBERS / row));
    double few_step;
    if (n <= TOKENS_MORE)
        return;
    time_prompt(b, few, filled, &few_step);
    double step = time_filled_steps(b, n, filled);
    b->rate.step_attend = step > few_step ? (step - few_step) / (n - few) : 0;
}

static void measure_class(struct bench_of_class *b)
{
    int n_caches = least(b->want->n, BATCH_TIMED);
    measure_short(b, n_caches);
    if (rate_prefill(&b->rate, TOKENS_MORE, n_caches) > slow)
        return;
    measure_long(b, n_caches);
    measure_long_steps(b, n_caches);
}

/* Packing large weights takes longer than a plan may. */
static bool can_pack(const struct bench_of_class *b, const struct quant_format *f)
{
    enum { PARAMETERS_MOST = 1 << 28 };
    return !quant_format_on(f) || model_parameters(b->model) < PARAMETERS_MOST;
}

static struct rate measure(const struct plan *p, const struct rate_want *want, int threads,
                           double until)
{
    struct bench_of_class b = {
        .model = p->variants[want->variant].model, .plan = p, .want = want, .until = until};
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
    double end = clock_seconds() + seconds_all;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < n; i++) {
        double now = clock_seconds();
        struct rate r = {0};
        if (i == 0 || now < end)
            r = measure(p, &wants[i], threads, now + (end - now) / (n - i));
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
