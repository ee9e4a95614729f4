#include "tests/golden/golden_kvo.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"
#include "harness/base/mem.h"

const char *golden_kvo_text(const struct json *c, const char *key)
{
    const struct json *v = json_get(c, key);
    return v && json_type(v) == JSON_STRING ? json_string(v).s : "";
}

static int run_cases(struct golden_kvo *g, const struct json *cases, const char *part,
                     int (*fn)(struct golden_kvo *g, const struct json *c, struct tally *t),
                     struct tally *t)
{
    int n = 0;
    for (const struct json *c = json_first(cases); c; c = json_next(c))
        if (!strcmp(golden_kvo_text(c, "part"), part)) {
            if (fn(g, c, t))
                return err_in(g->err, "%s", golden_kvo_name(c));
            n++;
        }
    return n ? GOLDEN_RAN : GOLDEN_ABSENT;
}

int golden_kvo_run(const char *dir, const char *part,
                   int (*fn)(struct golden_kvo *g, const struct json *c, struct tally *t),
                   struct tally *t, struct err *e)
{
    struct golden_kvo g = {.dir = dir, .err = e};
    const char *path = golden_path(dir, "kvo/index.json");
    if (!file_exists(path))
        return GOLDEN_ABSENT;
    g.index = json_read_file(path, e);
    if (!g.index)
        return -1;
    const struct json *cases = json_need(g.index, "cases", JSON_ARRAY, e);
    int rc = cases ? run_cases(&g, cases, part, fn, t) : -1;
    for (int i = 0; i < g.n_open; i++)
        safetensors_close(g.open[i].file);
    json_free(g.index);
    return rc;
}

const char *golden_kvo_name(const struct json *c)
{
    return golden_kvo_text(c, "name");
}

int golden_kvo_int(const struct json *c, const char *key)
{
    const struct json *v = json_get(c, key);
    return v && json_type(v) == JSON_NUMBER ? (int)json_number(v) : 0;
}

static double number_or(const struct json *c, const char *key, double otherwise)
{
    const struct json *v = json_get(c, key);
    return v ? json_number(v) : otherwise;
}

bool golden_kvo_has(const struct json *c, const char *tensor)
{
    const struct json *list = json_get(c, "tensors");
    for (const struct json *v = list ? json_first(list) : NULL; v; v = json_next(v))
        if (text_is(json_string(v), tensor))
            return true;
    return false;
}

struct kvo_quant golden_kvo_quant(const struct json *config)
{
    return (struct kvo_quant){
        .bits = golden_kvo_int(config, "n_bits"),
        .group = golden_kvo_int(config, "group_size"),
        .chunk = golden_kvo_int(config, "chunk_size"),
        .kept = golden_kvo_int(config, "prune_en") ? number_or(config, "prune_budget", 1) : 1,
        .clip = number_or(config, "clip_ratio", 1),
        .symmetric = golden_kvo_int(config, "symmetric") != 0,
    };
}

static void put_quant(struct buf *b, const char *what, const struct json *config)
{
    struct kvo_quant q = golden_kvo_quant(config);
    buf_printf(b, "\"%s_bits\":%d,\"%s_group\":%d,\"%s_chunk\":%d,\"%s_kept\":", what, q.bits, what,
               q.group, what, q.chunk, what);
    json_put_number(b, q.kept);
    buf_printf(b, ",\"%s_clip\":", what);
    json_put_number(b, q.clip);
    buf_printf(b, ",\"%s_symmetric\":%s,", what, q.symmetric ? "true" : "false");
}

int golden_kvo_chain(struct golden_kvo *g, const struct json *kv, int first_layer,
                     struct kv_chain *out)
{
    struct buf b;
    buf_init(&b);
    buf_str(&b, "[{\"kvo\":{");
    put_quant(&b, "key", json_get(kv, "key_quant"));
    put_quant(&b, "value", json_get(kv, "value_quant"));
    buf_printf(&b,
               "\"window\":%d,\"token_budget\":%d,\"order\":%s,\"first_layer\":%d,"
               "\"pairs\":\"f32\",\"uncompressed\":\"f32\"}}]",
               golden_kvo_int(kv, "recent_budget"), golden_kvo_int(kv, "start_budget"),
               golden_kvo_int(kv, "window_diff_select") ? "true" : "false", first_layer);
    struct json *list = json_read(text_buf(&b), g->err);
    int rc = list ? kv_chain_read(out, list, "kv", g->err) : -1;
    json_free(list);
    buf_release(&b);
    return rc;
}

static struct safetensors *file_of(struct golden_kvo *g, const struct json *c)
{
    char inside[256];
    const char *name = golden_kvo_text(c, "file");
    for (int i = 0; i < g->n_open; i++)
        if (!strcmp(g->open[i].name, name))
            return g->open[i].file;
    assert(g->n_open < GOLDEN_KVO_FILES);
    snprintf(inside, sizeof inside, "kvo/%s", name);
    struct safetensors *s = safetensors_open(golden_path(g->dir, inside), g->err);
    if (s) {
        g->open[g->n_open].name = name;
        g->open[g->n_open++].file = s;
    }
    return s;
}

const struct tensor *golden_kvo_shared(struct golden_kvo *g, const struct json *c, const char *full,
                                       enum dtype type)
{
    struct safetensors *s = file_of(g, c);
    if (!s)
        return NULL;
    const struct tensor *x = safetensors_find(s, full);
    if (x && x->dtype == type)
        return x;
    err_user(g->err, "%s: %s %s", full, x ? "not of type" : "no such tensor of type",
             dtype_name(type));
    return NULL;
}

const struct tensor *golden_kvo_tensor(struct golden_kvo *g, const struct json *c,
                                       const char *tensor, enum dtype type)
{
    char full[256];
    snprintf(full, sizeof full, "%s/%s", golden_kvo_name(c), tensor);
    return golden_kvo_shared(g, c, full, type);
}

static const void *sized(struct golden_kvo *g, const struct tensor *x, long n)
{
    if (!x)
        return NULL;
    long held = (long)(x->bytes / dtype_size(x->dtype));
    if (n < 0 || held == n)
        return x->data;
    err_user(g->err, "%s: %ld entries, not %ld", x->name, held, n);
    return NULL;
}

const void *golden_kvo_data(struct golden_kvo *g, const struct json *c, const char *tensor,
                            enum dtype type, long n)
{
    return sized(g, golden_kvo_tensor(g, c, tensor, type), n);
}

const float *golden_kvo_input(struct golden_kvo *g, const struct json *c, long n)
{
    const char *shared = golden_kvo_text(c, "input");
    if (*shared)
        return sized(g, golden_kvo_shared(g, c, shared, DT_F32), n);
    return golden_kvo_data(g, c, "in", DT_F32, n);
}

static long int_at(const struct tensor *x, long i)
{
    switch (x->dtype) {
    case DT_I16:
        return ((const int16_t *)x->data)[i];
    case DT_I32:
        return ((const int32_t *)x->data)[i];
    case DT_U8:
        return ((const uint8_t *)x->data)[i];
    default:
        assert(!"a type that no case has");
        return 0;
    }
}

int *golden_kvo_ints_dup(struct golden_kvo *g, const struct json *c, const char *tensor, long n)
{
    char full[256];
    struct safetensors *s = file_of(g, c);
    if (!s)
        return NULL;
    snprintf(full, sizeof full, "%s/%s", golden_kvo_name(c), tensor);
    const struct tensor *x = safetensors_find(s, full);
    if (!x) {
        err_user(g->err, "%s: no such tensor", full);
        return NULL;
    }
    if (!sized(g, x, n))
        return NULL;
    n = (long)(x->bytes / dtype_size(x->dtype));
    int *out = xmalloc(mem_size((size_t)n, sizeof *out));
    for (long i = 0; i < n; i++)
        out[i] = (int)int_at(x, i);
    return out;
}

void golden_kvo_near_f32(struct tally *t, const struct json *c, const char *tensor,
                         const float *got, const float *want, long n, double rtol, double atol)
{
    long missed = 0, first = 0;
    double worst = 0;
    for (long i = n - 1; i >= 0; i--) {
        double off = fabs((double)got[i] - want[i]);
        if (got[i] == want[i] || (isnan(got[i]) && isnan(want[i])))
            continue;
        if (!(off <= worst))
            worst = off;
        if (!(off <= atol + rtol * fabs((double)want[i])))
            missed++, first = i;
    }
    tally_add(t, !missed, worst, "%s/%s: %ld of %ld differ, at %ld: %.9g for %.9g",
              golden_kvo_name(c), tensor, missed, n, first, n ? got[first] : 0,
              n ? want[first] : 0);
}

void golden_kvo_equal_f32(struct tally *t, const struct json *c, const char *tensor,
                          const float *got, const float *want, long n)
{
    golden_kvo_near_f32(t, c, tensor, got, want, n, 0, 0);
}

void golden_kvo_equal_int(struct tally *t, const struct json *c, const char *tensor, const int *got,
                          const int *want, long n)
{
    long missed = 0, first = 0;
    int worst = 0;
    for (long i = n - 1; i >= 0; i--)
        if (got[i] != want[i]) {
            worst = abs(got[i] - want[i]) > worst ? abs(got[i] - want[i]) : worst;
            missed++, first = i;
        }
    tally_add(t, !missed, worst, "%s/%s: %ld of %ld differ, at %ld: %d for %d", golden_kvo_name(c),
              tensor, missed, n, first, n ? got[first] : 0, n ? want[first] : 0);
}
