/*
 * Whole models against the authors' code. Each run feeds the reference's own ids and compares the
 * logits of 64 positions; where every argmax is the next id, a free run gives the same ids. Twice:
 * with the fast products and with the plain ones.
 *
 * Uncompressed: each logit within 1e-3, and ids equal. KVO rounds, so that sums in another order
 * put a key or two on the other side of a rounding: the reference gives the allowed rms and maximum
 * for each run, twenty times what noise of an ulp does and a tenth of the least real difference.
 */
#include "tests/golden/golden_kvo.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/file.h"
#include "harness/base/mem.h"
#include "harness/model/model.h"

struct run {
    struct golden_kvo *g;
    const struct json *c;
    struct tally *t;
    struct model *model;
    struct kv_chain chain;
    int n_prompt, n_new, vocab;
    const int32_t *prompt, *ids; // ids [n_new]
    const float *want;           // [n_new][vocab]
    float *logits;               // [vocab]
    bool compressed;
    double squares, worst;
    int other_ids;
};

static int open_chain(struct run *r)
{
    const struct json *kv = json_get(r->c, "kv");
    if (r->compressed)
        return golden_kvo_chain(r->g, kv, golden_kvo_int(r->c, "kvo_from_layer"), &r->chain);
    struct json *list = json_read(text_of("[\"f32\"]"), r->g->err);
    int rc = list ? kv_chain_read(&r->chain, list, "kv", r->g->err) : -1;
    json_free(list);
    return rc;
}

static int find_data(struct run *r)
{
    long n = r->n_new;
    const struct tensor *prompt = golden_kvo_shared(r->g, r->c, "prompt", DT_I32);
    r->ids = golden_kvo_data(r->g, r->c, "ids", DT_I32, n);
    r->want = golden_kvo_data(r->g, r->c, "logits", DT_F32, n * r->vocab);
    if (!prompt || !r->ids || !r->want)
        return -1;
    if (prompt->bytes != (size_t)r->n_prompt * sizeof(int32_t))
        return err_user(r->g->err, "prompt: not %d ids", r->n_prompt);
    r->prompt = prompt->data;
    return 0;
}

static int open_run(struct run *r, const char *dir, bool plain)
{
    struct model_options o = {.threads = 1, .reference = plain};
    r->n_prompt = golden_kvo_int(r->c, "prompt"), r->n_new = golden_kvo_int(r->c, "new_tokens");
    r->model = model_open_bare(dir, &o, r->g->err);
    if (!r->model)
        return -1;
    r->vocab = model_get_config(r->model)->vocab;
    if (find_data(r) || open_chain(r))
        return -1;
    r->logits = xmalloc((size_t)r->vocab * sizeof *r->logits);
    return kv_chain_check(&r->chain, model_shape(r->model), !plain, "kv", r->g->err);
}

static void close_run(struct run *r)
{
    free(r->logits);
    kv_chain_release(&r->chain);
    model_close(r->model);
}

static void compare(struct run *r, int i)
{
    const float *want = r->want + (long)i * r->vocab;
    for (int j = 0; j < r->vocab; j++) {
        double off = (double)r->logits[j] - want[j];
        r->squares += off * off;
        r->worst = fabs(off) <= r->worst ? r->worst : fabs(off); // NaN stays
    }
    r->other_ids += model_argmax(r->logits, r->vocab, NULL, 0) != r->ids[i];
}

static void run_model(struct run *r)
{
    struct model *m = r->model;
    struct kv_cache *cache =
        model_read(m, &r->chain, r->prompt, r->n_prompt, r->n_prompt + r->n_new, r->logits);
    compare(r, 0);
    for (int i = 1; i < r->n_new; i++) {
        model_step(m, &r->ids[i - 1], &cache, 1, r->logits);
        compare(r, i);
    }
    kv_cache_free(cache);
}

/* The deviation tallied is the share of what is allowed. */
static void tally_run(struct run *r, const char *products)
{
    const char *name = golden_kvo_name(r->c);
    double most_rms = json_number(json_get(r->c, "suggested_max_rms"));
    double most = json_number(json_get(r->c, "suggested_max_abs"));
    double rms = sqrt(r->squares / ((double)r->n_new * r->vocab));
    tally_add(r->t, r->worst <= most, r->worst / most, "%s, %s products: off by %.3g, allowed %g",
              name, products, r->worst, most);
    if (r->compressed)
        tally_add(r->t, rms <= most_rms, rms / most_rms, "%s, %s products: rms %.3g, allowed %g",
                  name, products, rms, most_rms);
    else
        tally_add(r->t, r->other_ids == 0, 0, "%s, %s products: %d other ids", name, products,
                  r->other_ids);
}

static int run_case(struct golden_kvo *g, const struct json *c, struct tally *t, const char *dir,
                    bool plain)
{
    struct run r = {.g = g, .c = c, .t = t};
    r.compressed = json_type(json_get(c, "kv")) == JSON_OBJECT;
    int rc = open_run(&r, dir, plain);
    if (!rc) {
        run_model(&r);
        tally_run(&r, plain ? "plain" : "fast");
    }
    close_run(&r);
    return rc;
}

static int both(struct golden_kvo *g, const struct json *c, struct tally *t, bool compressed)
{
    char inside[256];
    const struct json *kv = json_get(c, "kv");
    snprintf(inside, sizeof inside, "kvo/%s", golden_kvo_text(c, "model"));
    const char *dir = golden_path(g->dir, inside);
    if ((kv && json_type(kv) == JSON_OBJECT) != compressed || !file_is_dir(dir))
        return 0;
    return run_case(g, c, t, dir, false) || run_case(g, c, t, dir, true) ? -1 : 0;
}

static int plain_case(struct golden_kvo *g, const struct json *c, struct tally *t)
{
    return both(g, c, t, false);
}

static int compressed_case(struct golden_kvo *g, const struct json *c, struct tally *t)
{
    return both(g, c, t, true);
}

int golden_model_uncompressed(const char *dir, struct tally *t, struct err *e)
{
    int rc = golden_kvo_run(dir, "model", plain_case, t, e);
    return rc == GOLDEN_RAN && t->total == 0 ? GOLDEN_ABSENT : rc;
}

int golden_kvo_model(const char *dir, struct tally *t, struct err *e)
{
    int rc = golden_kvo_run(dir, "model", compressed_case, t, e);
    return rc == GOLDEN_RAN && t->total == 0 ? GOLDEN_ABSENT : rc;
}
