#include "runner/bench_setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/json.h"
#include "harness/base/mem.h"
#include "harness/base/near.h"
#include "harness/base/rng.h"
#include "runner/bench_llama.h"
#include "runner/command.h"

enum { CONTEXT_MAX = 1 << 20, WEIGHTS_SEED = 20, ROWS_CHUNK = 256 };

/* The built-in model's shape, and TinyLlama's. */
const struct bench_shape bench_shapes[] = {{.name = "mini",
                                            .config = {.family = "llama",
                                                       .n_layers = 8,
                                                       .hidden = 256,
                                                       .mlp = 768,
                                                       .n_heads = 4,
                                                       .n_kv_heads = 4,
                                                       .head_dim = 64,
                                                       .vocab = 4096,
                                                       .rms_eps = 1e-5,
                                                       .rope_theta = 10000,
                                                       .rope_factor = 1,
                                                       .tied_head = true,
                                                       .bos = -1},
                                            .new_tokens = 64},
                                           {.name = "1.1b",
                                            .config = {.family = "llama",
                                                       .n_layers = 22,
                                                       .hidden = 2048,
                                                       .mlp = 5632,
                                                       .n_heads = 32,
                                                       .n_kv_heads = 4,
                                                       .head_dim = 64,
                                                       .vocab = 32000,
                                                       .rms_eps = 1e-5,
                                                       .rope_theta = 10000,
                                                       .rope_factor = 1,
                                                       .bos = -1},
                                            .new_tokens = 16},
                                           {0}};

static const struct bench_weights weights[] = {
    {"bf16", DT_BF16, GGUF_STORED, {.bits = 16}},
    {"f16", DT_F16, GGUF_STORED, {.bits = 16}},
    {"f32", DT_F32, GGUF_STORED, {.bits = 16}},
    {"q8_0", DT_BF16, GGUF_Q8_0, {.bits = 8, .group = 32, .symmetric = 1, .clip = 1}}};
enum { N_WEIGHTS = sizeof weights / sizeof *weights };

const struct bench_setting bench_settings[] = {
    {"kvo", "[{\"kvo\":{\"first_layer\":0}}]"},
    {"kvo paper", "[\"kvo\"]"},
    {"kvo unselected", "[{\"kvo\":{\"first_layer\":0,\"token_budget\":1000000}}]"},
    {"q8", "[\"q8\"]"},
    {"f16", "[\"f16\"]"},
    {0}};

int bench_each_context(struct bench *b, const char *what, const int *list, int n, int quick,
                       int (*run)(struct bench *b, int context, struct err *e), struct err *e)
{
    char title[128];
    if (b->n_contexts)
        list = b->contexts, n = b->n_contexts;
    else if (b->quick)
        list = &quick, n = 1;
    snprintf(title, sizeof title, "%s, %s weights, %d threads", what, b->weights, b->threads);
    bench_title(b, title);
    for (int i = 0; i < n; i++)
        if (run(b, list[i], e))
            return -1;
    return 0;
}

const struct bench_shape *bench_shape_of(const struct bench *b)
{
    const struct bench_shape *s = bench_shapes;
    while (b->shape && s->name && strcmp(b->shape, s->name))
        s++;
    return s->name ? s : NULL;
}

const struct bench_weights *bench_weights_of(const struct bench *b)
{
    for (size_t i = 0; i < N_WEIGHTS; i++)
        if (!strcmp(b->weights, weights[i].name))
            return &weights[i];
    return NULL;
}

static int refuse(const char *flag, const char *value, const char *const *names, size_t n,
                  struct err *e)
{
    struct buf all;
    char hint[128];
    buf_init(&all);
    for (size_t i = 0; i < n; i++)
        buf_printf(&all, "%s%s", i ? ", " : "", names[i]);
    err_user(e, "bench: %s is '%s', must be one of %s%s", flag, value, all.s,
             near_hint(hint, value, names, n));
    buf_release(&all);
    return -1;
}

static int check_names(struct bench *b, struct err *e)
{
    const char *names[8];
    size_t n = 0;
    b->weights = b->weights ? b->weights : weights[0].name;
    if (!bench_shape_of(b)) {
        while (bench_shapes[n].name) {
            names[n] = bench_shapes[n].name;
            n++;
        }
        return refuse("--shape", b->shape, names, n, e);
    }
    for (; n < N_WEIGHTS; n++)
        names[n] = weights[n].name;
    return bench_weights_of(b) ? 0 : refuse("--weights", b->weights, names, n, e);
}

static int read_contexts(struct bench *b, const char *list, struct err *e)
{
    long n;
    char one[32];
    for (const char *at = list; *at; at += *at == ',') {
        size_t len = strcspn(at, ",");
        if (b->n_contexts == BENCH_CONTEXTS_MAX)
            return err_user(e, "bench: --context: more than %d lengths", BENCH_CONTEXTS_MAX);
        snprintf(one, sizeof one, "%.*s", (int)(len < 31 ? len : 31), at);
        if (command_int("bench: --context", one, 1, CONTEXT_MAX, &n, e))
            return -1;
        b->contexts[b->n_contexts++] = (int)n;
        at += len;
    }
    return 0;
}

int bench_read_cases(struct bench *b, const char *contexts, const char *llama, struct err *e)
{
    if (check_names(b, e) || (contexts && read_contexts(b, contexts, e)))
        return -1;
    return llama ? llama_find(llama, b->llama, sizeof b->llama, e) : 0;
}

int bench_open_chain(struct kv_chain *c, const struct bench_setting *s, struct err *e)
{
    struct json *list = json_read(text_of(s->chain), e);
    int rc = list ? kv_chain_read(c, list, "bench", e) : -1;
    json_free(list);
    return rc;
}

int bench_open_group(struct kv_chain chains[BENCH_GROUP], struct err *e)
{
    static const int budgets[] = {64, 128, 256, 384};
    char text[128];
    for (int i = 0; i < BENCH_GROUP; i++) {
        snprintf(text, sizeof text,
                 "[{\"kvo\":{\"first_layer\":0,\"key_bits\":%d,\"value_bits\":%d,"
                 "\"token_budget\":%d}}]",
                 1 + i / 4, 1 + i / 4, budgets[i % 4]);
        if (bench_open_chain(&chains[i], &(struct bench_setting){"kvo", text}, e))
            return -1;
    }
    return 0;
}

struct model *bench_open_model(const struct bench *b, const struct bench_shape *shape,
                               int max_positions, struct err *e)
{
    struct model_options o = {.threads = b->threads};
    struct model_config c = shape->config;
    c.max_positions = max_positions;
    const struct bench_weights *w = bench_weights_of(b);
    struct model *m = model_open_random(&c, WEIGHTS_SEED, w->dtype, &o, e);
    if (m && model_use_weights(m, &w->packed, e)) {
        model_close(m);
        return NULL;
    }
    return m;
}

static void fill_rows(float *x, size_t n, struct rng *r)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(int32_t)(rng_next(r) >> 32) * 0x1.8p-31f;
}

void bench_fill_caches(struct model *m, struct kv_cache *const *caches, int n, int context)
{
    const struct kv_shape *s = model_shape(m);
    struct kv_prefill *p = kv_prefill_new(model_engine(m), s, caches, n, context);
    size_t width = (size_t)s->n_kv_heads * (size_t)s->head_dim;
    float *k = xmalloc(mem_size(width, 2 * ROWS_CHUNK * sizeof *k)), *v = k + width * ROWS_CHUNK;
    struct rng r = {5};
    for (int l = 0; l < s->n_layers; l++) {
        for (int at = 0; at < context; at += ROWS_CHUNK) {
            fill_rows(k, 2 * width * ROWS_CHUNK, &r);
            kv_prefill_push(p, NULL, k, v, context - at < ROWS_CHUNK ? context - at : ROWS_CHUNK);
        }
        kv_prefill_end_layer(p);
    }
    free(k);
    kv_prefill_free(p);
}

struct kv_cache *bench_fill_cache(struct model *m, const struct kv_chain *chain, int context,
                                  int n_new)
{
    struct kv_cache *c = kv_cache_new(chain, model_shape(m), model_engine(m), context + n_new);
    bench_fill_caches(m, &c, 1, context);
    return c;
}

double bench_time_steps(struct model *m, struct kv_cache *c, int n, float *logits)
{
    struct rng r = {(uint64_t)kv_cache_length(c)};
    double start = clock_seconds();
    for (int i = 0; i < n; i++) {
        int32_t id = rng_below(&r, model_get_config(m)->vocab);
        model_step(m, &id, &c, 1, logits);
    }
    return clock_seconds() - start;
}
