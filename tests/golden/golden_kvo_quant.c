/*
 * KVO's quantizers against the authors' code, bit for bit: what the cache holds afterwards and, of
 * the detailed cases, codes, scales, offsets and what was pruned.
 */
#include "tests/golden/golden_kvo.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"

/* One case: its shape, its input, and where compressed groups are gathered from. */
struct work {
    struct golden_kvo *g;
    const struct json *c;
    struct tally *t;
    struct kvo_quant q;
    int heads, tokens, dim, channels;
    long n;
    const float *in; // [heads][tokens][dim]
};

static int begin(struct work *w, struct golden_kvo *g, const struct json *c, struct tally *t)
{
    *w = (struct work){.g = g, .c = c, .t = t, .q = golden_kvo_quant(json_get(c, "config"))};
    w->heads = golden_kvo_int(c, "heads");
    w->tokens = golden_kvo_int(c, "tokens");
    w->dim = golden_kvo_int(c, "head_dim");
    w->channels = w->heads * w->dim;
    w->n = (long)w->channels * w->tokens;
    w->in = golden_kvo_input(g, c, w->n);
    return w->in ? 0 : -1;
}

static float in_at(const struct work *w, int token, int channel)
{
    return w->in[((long)(channel / w->dim) * w->tokens + token) * w->dim + channel % w->dim];
}

static int compare_rows(const struct work *w, const float *got)
{
    const float *want = golden_kvo_data(w->g, w->c, "out", DT_F32, w->n);
    if (!want)
        return -1;
    golden_kvo_equal_f32(w->t, w->c, "out", got, want, w->n);
    return 0;
}

static int compare_floats(const struct work *w, const char *tensor, const float *got, long n)
{
    const float *want = golden_kvo_data(w->g, w->c, tensor, DT_F32, n);
    if (want)
        golden_kvo_equal_f32(w->t, w->c, tensor, got, want, n);
    return want ? 0 : -1;
}

static int compare_ints(const struct work *w, const char *tensor, int *got, long n)
{
    int *want = golden_kvo_ints_dup(w->g, w->c, tensor, n);
    if (want)
        golden_kvo_equal_int(w->t, w->c, tensor, got, want, n);
    free(want);
    return want ? 0 : -1;
}

/* Compressed in the steps that the case lists, each on the output of the last. */
static int compare_cache(const struct work *w, void (*compress)(const struct kvo_rows *, int, int,
                                                                const struct kvo_quant *))
{
    float *x = xmalloc(mem_size((size_t)w->n, sizeof *x));
    memcpy(x, w->in, (size_t)w->n * sizeof *x);
    struct kvo_rows rows = {x, (size_t)w->tokens * (size_t)w->dim, (size_t)w->dim, w->heads,
                            w->dim};
    int done = 0;
    const struct json *lengths = json_get(w->c, "diff_len");
    for (const struct json *v = json_first(lengths); v; v = json_next(v)) {
        int to = (int)json_number(v);
        if (to > done)
            compress(&rows, done, to, &w->q);
        done = to > done ? to : done;
    }
    int rc = compare_rows(w, x);
    free(x);
    return rc;
}

/* Where details of groups are gathered, laid out as the reference tensors are. */
struct detail {
    int *codes, *base_codes, *pruned;
    float *scale, *zero, *base_scale, *base_zero;
};

static void detail_init(struct detail *d, long n)
{
    int **ints[] = {&d->codes, &d->base_codes, &d->pruned};
    float **floats[] = {&d->scale, &d->zero, &d->base_scale, &d->base_zero};
    for (int i = 0; i < 3; i++)
        *ints[i] = xcalloc((size_t)n, sizeof(int));
    for (int i = 0; i < 4; i++)
        *floats[i] = xcalloc((size_t)n, sizeof(float));
}

static void detail_release(struct detail *d)
{
    free(d->codes), free(d->base_codes), free(d->pruned);
    free(d->scale), free(d->zero), free(d->base_scale), free(d->base_zero);
}

/* A group of INT8 codes; decoded into x, which came with the values. */
static void int8_detail(const struct work *w, float *x, int *codes, float *scale, float *zero)
{
    uint8_t u[KVO_GROUP_MAX];
    struct kvo_pair p = kvo_encode(kernels_best(), u, x, w->q.group, 8, &w->q);
    kvo_decode(x, u, p, w->q.group, 8, &w->q);
    for (int i = 0; i < w->q.group; i++)
        codes[i] = u[i] + kvo_lowest(8, w->q.symmetric);
    *scale = p.scale, *zero = p.zero;
}

static void key_detail(const struct work *w, struct detail *d, int token, int channel,
                       const float *base)
{
    float x[KVO_GROUP_MAX] = {0};
    uint8_t codes[KVO_GROUP_MAX], kept[KVO_GROUP_MAX];
    struct kvo_group out = {.codes = codes, .kept = kept};
    int g = w->q.group;
    for (int i = 0; i < g; i++) // the salient token's difference to itself is zeros
        x[i] = token % w->q.chunk ? in_at(w, token, channel + i) : base[i];
    kvo_key_encode(kernels_best(), &out, x, base, &w->q);
    long at = (long)token * w->channels + channel;
    for (int i = 0; i < g; i++) {
        d->codes[at + i] = codes[i] + kvo_lowest(w->q.bits, w->q.symmetric);
        d->pruned[at + i] = !kept[i];
    }
    d->scale[at / g] = out.pair.scale, d->zero[at / g] = out.pair.zero;
}

static void key_details(const struct work *w, struct detail *d)
{
    float base[KVO_GROUP_MAX] = {0};
    int g = w->q.group;
    for (int c = 0; c < w->channels; c += g)
        for (int t = 0; t < w->tokens; t++) {
            long at = (long)(t / w->q.chunk) * w->channels + c;
            if (t % w->q.chunk == 0) {
                for (int i = 0; i < g; i++)
                    base[i] = in_at(w, t, c + i);
                int8_detail(w, base, d->base_codes + at, d->base_scale + at / g,
                            d->base_zero + at / g);
            }
            if (w->q.bits < KVO_BITS_OFF)
                key_detail(w, d, t, c, base);
        }
}

static int compare_keys(const struct work *w, struct detail *d)
{
    long bases = w->n / w->q.chunk, g = w->q.group;
    if (compare_ints(w, "base_codes", d->base_codes, bases) ||
        compare_floats(w, "base_scale", d->base_scale, bases / g) ||
        compare_floats(w, "base_zero", d->base_zero, bases / g))
        return -1;
    if (!golden_kvo_has(w->c, "codes"))
        return 0;
    if (compare_ints(w, "codes", d->codes, w->n) ||
        compare_floats(w, "scale", d->scale, w->n / g) ||
        compare_floats(w, "zero", d->zero, w->n / g))
        return -1;
    return golden_kvo_has(w->c, "pruned") ? compare_ints(w, "pruned", d->pruned, w->n) : 0;
}

static int key_case(struct golden_kvo *g, const struct json *c, struct tally *t)
{
    struct work w;
    struct detail d;
    if (begin(&w, g, c, t) || compare_cache(&w, kvo_key_rows))
        return -1;
    if (!golden_kvo_has(c, "base_codes"))
        return 0;
    detail_init(&d, w.n);
    key_details(&w, &d);
    int rc = compare_keys(&w, &d);
    detail_release(&d);
    return rc;
}

/* Row r of the reference: group r / channels, channel r % channels. The salient tokens' scale
 * follows from the pair and is worked out once more here. */
static void value_detail(const struct work *w, struct detail *d, int r)
{
    float x[KVO_GROUP_MAX] = {0};
    uint8_t codes[KVO_GROUP_MAX], kept[KVO_GROUP_MAX];
    uint16_t base[KVO_GROUP_MAX];
    struct kvo_group out = {codes, kept, base, {0, 0}};
    int g = w->q.group, b = w->q.bits, first = r / w->channels * g;
    for (int i = 0; i < g; i++)
        x[i] = in_at(w, first + i, r % w->channels);
    kvo_value_encode(&out, x, &w->q);
    for (int i = 0; i < g; i++) {
        d->codes[r * g + i] = codes[i] + kvo_lowest(b, w->q.symmetric);
        d->pruned[r * g + i] = !kept[i];
    }
    for (int j = 0; j < g / w->q.chunk; j++)
        d->base_codes[r * (g / w->q.chunk) + j] = base[j] + kvo_lowest(2 * b, w->q.symmetric);
    float high = (float)((1 << (b - w->q.symmetric)) - 1);
    float base_high = (float)((1 << (2 * b - w->q.symmetric)) - 1);
    float scale = out.pair.scale * high / base_high;
    d->base_scale[r] = scale > 1e-5f ? scale : 1e-5f;
    d->zero[r] = out.pair.zero;
}

/* Codes at the salient tokens' columns mean nothing. */
static int compare_value_codes(const struct work *w, struct detail *d)
{
    int *want = golden_kvo_ints_dup(w->g, w->c, "codes", w->n);
    if (!want)
        return -1;
    for (long i = 0; i < w->n; i += w->q.chunk)
        d->codes[i] = want[i];
    golden_kvo_equal_int(w->t, w->c, "codes", d->codes, want, w->n);
    free(want);
    return 0;
}

static int compare_values(const struct work *w, struct detail *d)
{
    long n_groups = w->n / w->q.group;
    if (compare_value_codes(w, d) ||
        compare_ints(w, "base_codes", d->base_codes, w->n / w->q.chunk) ||
        compare_floats(w, "base_scale", d->base_scale, n_groups) ||
        compare_floats(w, "zero", d->zero, n_groups))
        return -1;
    return golden_kvo_has(w->c, "pruned") ? compare_ints(w, "pruned", d->pruned, w->n) : 0;
}

static int value_case(struct golden_kvo *g, const struct json *c, struct tally *t)
{
    struct work w;
    struct detail d;
    if (begin(&w, g, c, t) || compare_cache(&w, kvo_value_rows))
        return -1;
    if (!golden_kvo_has(c, "codes"))
        return 0;
    detail_init(&d, w.n);
    for (int r = 0; r < w.n / w.q.group; r++)
        value_detail(&w, &d, r);
    int rc = compare_values(&w, &d);
    detail_release(&d);
    return rc;
}

/* Other widths than the 8 bits that the cache uses: through the encoder alone. */
static void any_width(const struct work *w, float *x)
{
    float v[KVO_GROUP_MAX] = {0};
    uint8_t codes[KVO_GROUP_MAX];
    int g = w->q.group;
    for (long at = 0; at < w->n; at += g) {
        int t = (int)(at / w->channels), c = (int)(at % w->channels);
        for (int i = 0; i < g; i++)
            v[i] = in_at(w, t, c + i);
        struct kvo_pair p = kvo_encode(kernels_best(), codes, v, g, w->q.bits, &w->q);
        kvo_decode(v, codes, p, g, w->q.bits, &w->q);
        for (int i = 0; i < g; i++)
            x[((long)((c + i) / w->dim) * w->tokens + t) * w->dim + (c + i) % w->dim] = v[i];
    }
}

static int int8_cache(const struct work *w)
{
    float *x = xmalloc(mem_size((size_t)w->n, sizeof *x));
    memcpy(x, w->in, (size_t)w->n * sizeof *x);
    struct kvo_rows rows = {x, (size_t)w->tokens * (size_t)w->dim, (size_t)w->dim, w->heads,
                            w->dim};
    if (w->q.bits == 8)
        kvo_int8_rows(&rows, 0, w->tokens, &w->q);
    else if (w->q.bits < KVO_BITS_OFF)
        any_width(w, x);
    int rc = compare_rows(w, x);
    free(x);
    return rc;
}

static int int8_case(struct golden_kvo *g, const struct json *c, struct tally *t)
{
    struct work w;
    struct detail d;
    float x[KVO_GROUP_MAX] = {0};
    if (begin(&w, g, c, t) || int8_cache(&w))
        return -1;
    if (!golden_kvo_has(c, "codes"))
        return 0;
    detail_init(&d, w.n);
    for (long at = 0; at < w.n; at += w.q.group) {
        for (int i = 0; i < w.q.group; i++)
            x[i] = in_at(&w, (int)(at / w.channels), (int)(at % w.channels) + i);
        int8_detail(&w, x, d.codes + at, d.scale + at / w.q.group, d.zero + at / w.q.group);
    }
    int rc = compare_ints(&w, "codes", d.codes, w.n) ||
                     compare_floats(&w, "scale", d.scale, w.n / w.q.group) ||
                     compare_floats(&w, "zero", d.zero, w.n / w.q.group)
                 ? -1
                 : 0;
    detail_release(&d);
    return rc;
}

int golden_kvo_key_quant(const char *dir, struct tally *t, struct err *e)
{
    return golden_kvo_run(dir, "key", key_case, t, e);
}

int golden_kvo_value_quant(const char *dir, struct tally *t, struct err *e)
{
    return golden_kvo_run(dir, "value", value_case, t, e);
}

int golden_kvo_int8_quant(const char *dir, struct tally *t, struct err *e)
{
    return golden_kvo_run(dir, "int8", int8_case, t, e);
}
