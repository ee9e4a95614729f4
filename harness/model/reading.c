#include "harness/model/reading.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"

/* ---- what is fed ---- */

static void add_text(const struct model *m, const char *text, struct tokens *out)
{
    struct err e;
    if (!text || !model_get_tokenizer(m))
        return;
    int rc = tokenizer_encode(model_get_tokenizer(m), text_of(text), false, out, &e);
    assert(rc == 0); // texts of methods and wrappers
    (void)rc;
}

static void add_ids(const struct reading *r, int from, int to, struct tokens *out)
{
    for (int i = from; i < to; i++)
        tokens_add(out, r->ids[i]);
}

/* What asks for the part that begins at `from`. */
static void add_request(const struct model *m, const struct reading *r,
                        const struct kv_replay_form *f, int from, struct tokens *out)
{
    int lead = f->chunk < f->lead ? f->chunk : f->lead;
    if (!f->first)
        return;
    add_text(m, from == f->skip ? f->first : f->later, out);
    add_ids(r, from == f->skip ? from : from - lead, from, out);
    add_text(m, r->end ? r->end : f->end, out);
}

static void make_part(const struct model *m, const struct reading *r,
                      const struct kv_replay_form *f, int i, struct tokens *out)
{
    int from = kv_replay_from(f, r->n, i);
    tokens_reset(out);
    add_request(m, r, f, from, out);
    add_ids(r, from, kv_replay_from(f, r->n, i + 1), out);
}

/* Tokens of the longest request: the first one's, or the second one's, where there is one. */
static int longest_request(const struct model *m, const struct reading *r,
                           const struct kv_replay_form *f)
{
    struct tokens ids;
    size_t most = 0;
    tokens_init(&ids);
    for (int i = 0; i < kv_replay_parts(f, r->n) && i < 2; i++) {
        tokens_reset(&ids);
        add_request(m, r, f, kv_replay_from(f, r->n, i), &ids);
        most = ids.n > most ? ids.n : most;
    }
    tokens_release(&ids);
    return (int)most;
}

static int longest_part(const struct model *m, const struct reading *r,
                        const struct kv_replay_form *f)
{
    int own = r->n - f->skip < f->chunk ? r->n - f->skip : f->chunk;
    return own > 0 ? longest_request(m, r, f) + own : 0;
}

/* Shorter parts may be more of them, with a longer request. */
static int fitting_chunk(const struct model *m, const struct reading *r, struct kv_replay_form f,
                         int room)
{
    int own = r->n - f.skip;
    f.chunk = f.chunk < own ? f.chunk : own;
    for (int part; f.chunk > 0 && (part = longest_part(m, r, &f)) > room;)
        f.chunk -= part - room;
    return f.chunk;
}

int reading_check(const struct model *m, const struct reading *r, const struct kv_chain *chain,
                  struct err *e)
{
    const struct kv_link *l = kv_replay_link(chain);
    struct kv_replay_form f;
    if (!l)
        return 0;
    l->method->replay(l->opt, &f);
    int part = longest_part(m, r, &f), all = model_get_config(m)->max_positions;
    if (part <= all - r->n)
        return 0;
    int most = fitting_chunk(m, r, f, all - r->n);
    if (most < 1)
        return err_item(e,
                        "%s: a replay behind a prompt of %d tokens has no room in the model's %d "
                        "positions",
                        l->method->name, r->n, all);
    return err_item(e,
                    "%s: %d tokens fed again behind a prompt of %d need %d positions, the model "
                    "has %d: chunk %d at most",
                    l->method->name, part, r->n, r->n + part, all, most);
}

/* ---- passes ---- */

static void feed(struct model *m, const struct reading *r, struct kv_prefix *x,
                 const struct kv_chain *class, struct kv_replay *to, int i)
{
    struct tokens part, all;
    tokens_init(&part);
    tokens_init(&all);
    make_part(m, r, &to->form, i, &part);
    add_ids(r, 0, r->n, &all);
    for (size_t t = 0; t < part.n; t++)
        tokens_add(&all, part.v[t]);
    struct kv_prefill *p = kv_prefill_new(model_engine(m), model_shape(m), NULL, 0, (int)all.n);
    kv_prefill_append_as(p, class);
    kv_prefill_watch(p, to, kv_replay_from(&to->form, r->n, i),
                     kv_replay_from(&to->form, r->n, i + 1));
    kv_prefill_share(p, x, r->n, r->n);
    model_prefill(m, all.v, (int)all.n, p, NULL);
    kv_prefill_free(p);
    to->tokens += (int)part.n;
    tokens_release(&part);
    tokens_release(&all);
}

static double replay_all(struct model *m, const struct reading *r, struct kv_prefix *x,
                         const struct kv_chain *class, struct kv_replays *all)
{
    double sum = 0;
    for (int k = 0; k < all->n; k++) {
        struct kv_replay *one = &all->list[k];
        double start = clock_seconds();
        for (int i = 0; i < kv_replay_parts(&one->form, r->n); i++)
            feed(m, r, x, class, one, i);
        one->seconds = clock_seconds() - start;
        sum += one->seconds;
    }
    return sum;
}

/* Of the prompt, with its rows into x up to token keep. */
static void read_for(struct model *m, const struct reading *r, struct kv_cache *const *caches,
                     int n, struct kv_prefix *x, int keep, const struct kv_chain *class,
                     float *logits)
{
    struct kv_prefill *p = kv_prefill_new(model_engine(m), model_shape(m), caches, n, r->n);
    if (!n)
        kv_prefill_append_as(p, class);
    kv_prefill_share(p, x, r->have, keep);
    model_prefill(m, r->ids, r->n, p, logits);
    kv_prefill_free(p);
}

static void take_rows(struct model *m, const struct reading *r, struct kv_cache *const *caches,
                      int n, struct kv_prefix *x, const struct kv_replays *all)
{
    struct kv_prefill *p = kv_prefill_new(model_engine(m), model_shape(m), caches, n, r->n);
    kv_prefill_replayed(p, all);
    kv_prefill_share(p, x, r->n, r->n);
    kv_prefill_shared_all(p);
    kv_prefill_free(p);
}

/* Caches whose methods want a replay, or those of the others; returns how many. */
static int some_of(struct kv_cache *const *caches, int n, bool replayed, struct kv_cache **out)
{
    int some = 0;
    for (int i = 0; i < n; i++)
        if (!kv_replay_link(kv_cache_chain(caches[i])) != replayed)
            out[some++] = caches[i];
    return some;
}

static bool observes(const struct kv_chain *c)
{
    return kv_chain_method(c, KV_OBSERVE);
}

static double read_and_replay(struct model *m, const struct reading *r,
                              struct kv_cache *const *caches, int n, float *logits,
                              struct kv_replays *all)
{
    struct kv_cache **some = xcalloc((size_t)n, sizeof(struct kv_cache *));
    const struct kv_chain *class = kv_cache_chain(caches[0]);
    bool queries = false;
    for (int i = 0; i < n; i++)
        queries |= observes(kv_cache_chain(caches[i]));
    struct kv_prefix *x = r->prefix ? r->prefix : kv_prefix_new(model_shape(m), queries);
    read_for(m, r, some, some_of(caches, n, false, some), x, r->n, class, logits);
    double seconds = replay_all(m, r, x, class, all);
    take_rows(m, r, some, some_of(caches, n, true, some), x, all);
    if (r->prefix)
        kv_prefix_cut(x, r->keep > r->have ? r->keep : r->have);
    else
        kv_prefix_free(x);
    free(some);
    return seconds;
}

double reading_run(struct model *m, const struct reading *r, struct kv_cache *const *caches, int n,
                   float *logits, struct reading_replay *replayed)
{
    struct kv_replays all;
    double seconds = 0;
    kv_replays_open(&all, caches, n, model_shape(m), r->n);
    if (all.n)
        seconds = read_and_replay(m, r, caches, n, logits, &all);
    else
        read_for(m, r, caches, n, r->prefix, r->keep, kv_cache_chain(caches[0]), logits);
    for (int i = 0; i < n; i++) {
        const struct kv_replay *one =
            kv_replays_of_chain(&all, kv_cache_chain(caches[i]), model_shape(m));
        replayed[i] = one ? (struct reading_replay){one->tokens, one->seconds}
                          : (struct reading_replay){0, 0};
    }
    kv_replays_release(&all);
    return seconds;
}

/* All rows of the prompt, what is seen of them, and the part's own rows beside those of a layer. */
size_t reading_replay_bytes(const struct model *m, const struct kv_chain *chain, int n)
{
    const struct kv_shape *s = model_shape(m);
    const struct kv_link *l = kv_replay_link(chain);
    struct kv_replay_form f;
    if (!l)
        return 0;
    l->method->replay(l->opt, &f);
    size_t seen = mem_size((size_t)s->n_layers * (size_t)s->n_heads, (size_t)n * sizeof(float));
    size_t part =
        (size_t)(f.chunk < n ? f.chunk : n) *
        ((size_t)s->n_kv_heads * (size_t)s->head_dim * 2 + (size_t)model_get_config(m)->hidden) *
        sizeof(float);
    return kv_prefix_bytes(s, true, n) + seen + part;
}
