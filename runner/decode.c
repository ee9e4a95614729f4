#include "runner/decode.h"

#include <assert.h>

#include "harness/base/clock.h"

void decoded_init(struct decoded *d)
{
    *d = (struct decoded){0};
    tokens_init(&d->ids);
    tokens_init(&d->said);
}

void decoded_release(struct decoded *d)
{
    tokens_release(&d->ids);
    tokens_release(&d->said);
}

static bool is_stop(const struct stop_rules *r, int32_t id)
{
    for (int i = 0; i < r->n_ids; i++)
        if (r->ids[i] == id)
            return true;
    return false;
}

/* Why generation ends after the last token of ids, or NULL. */
static const char *ended(const struct model *m, const struct stop_rules *r,
                         const struct tokens *ids, const struct kv_cache *cache)
{
    bool tested = ids->n > 1 || r->first_may_stop;
    if (tested && is_stop(r, ids->v[ids->n - 1]))
        return "eos";
    if (ids->n >= (size_t)r->max_new)
        return "length";
    if (kv_cache_length(cache) >= model_get_config(m)->max_positions)
        return "positions";
    return NULL;
}

static void take_taught(struct sequence *s, const struct model *m, const float *logits)
{
    const struct teacher *t = s->teacher;
    int at = (int)s->out.ids.n;
    tokens_add(&s->out.said, model_argmax(logits, model_get_config(m)->vocab, NULL, 0));
    tokens_add(&s->out.ids, t->ids.v[at]);
    if (at >= t->first)
        s->out.taught += teacher_value(t, at, logits);
    if (s->out.ids.n == t->ids.n)
        s->out.stop = "taught";
}

static void take_token(struct sequence *s, const struct model *m, const float *logits)
{
    const struct stop_rules *r = s->rules;
    if (s->teacher) {
        take_taught(s, m, logits);
        return;
    }
    int n_banned = s->out.ids.n < (size_t)r->min_new ? r->n_ids : 0;
    tokens_add(&s->out.ids, model_argmax(logits, model_get_config(m)->vocab, r->ids, n_banned));
    s->out.stop = ended(m, r, &s->out.ids, s->cache);
}

void decode_begin(struct sequence *s, const struct model *m, const float *prompt_logits)
{
    tokens_reset(&s->out.ids);
    tokens_reset(&s->out.said);
    if (s->n_tail == 0)
        take_token(s, m, prompt_logits);
}

/* What a step of n sequences has cost. */
struct bill {
    int n;
    double seconds, attention;   // wall time, and of it in attention
    double thread_seconds;       // of all threads in attention
    double own[MODEL_BATCH_MAX]; // of which for each sequence
    uint64_t weight_bits;
};

/* in_tail: the step began with a token of the prompt. */
static void account(struct sequence *s, const struct bill *b, int i, bool in_tail)
{
    double share = b->thread_seconds > 0 ? b->own[i] / b->thread_seconds : 1.0 / b->n;
    double *seconds = in_tail ? &s->out.tail_seconds : &s->out.seconds;
    *seconds += share * b->attention + (b->seconds - b->attention) / b->n;
    s->out.company += b->n;
    s->out.weight_bits += b->weight_bits;
    s->out.steps++;
}

static void bill_begin(struct bill *b, const struct model *m, struct kv_cache *const *caches, int n)
{
    b->n = n;
    b->seconds = clock_seconds();
    b->attention = model_attention_seconds(m);
    b->weight_bits = model_weight_bits_read(m);
    for (int i = 0; i < n; i++)
        b->own[i] = kv_cache_seconds(caches[i]);
}

static void bill_end(struct bill *b, const struct model *m, struct kv_cache *const *caches)
{
    b->seconds = clock_seconds() - b->seconds;
    b->attention = model_attention_seconds(m) - b->attention;
    b->weight_bits = model_weight_bits_read(m) - b->weight_bits;
    b->thread_seconds = 0;
    for (int i = 0; i < b->n; i++) {
        b->own[i] = kv_cache_seconds(caches[i]) - b->own[i];
        b->thread_seconds += b->own[i];
    }
}

/* The token that goes in: of the prompt, or the one that came out last. */
static int32_t next_token(struct sequence *s)
{
    if (s->n_tail == 0)
        return s->out.ids.v[s->out.ids.n - 1];
    s->n_tail--;
    return *s->tail++;
}

void decode_step(struct model *m, struct sequence *const *s, int n, float *logits)
{
    struct kv_cache *caches[MODEL_BATCH_MAX];
    int32_t ids[MODEL_BATCH_MAX];
    bool in_tail[MODEL_BATCH_MAX];
    size_t vocab = (size_t)model_get_config(m)->vocab;
    struct bill bill;
    for (int i = 0; i < n; i++) {
        assert(!s[i]->out.stop);
        caches[i] = s[i]->cache;
        in_tail[i] = s[i]->n_tail > 0;
        ids[i] = next_token(s[i]);
    }
    bill_begin(&bill, m, caches, n);
    model_step(m, ids, caches, n, logits);
    for (int i = 0; i < n; i++)
        if (s[i]->n_tail == 0)
            take_token(s[i], m, logits + (size_t)i * vocab);
    bill_end(&bill, m, caches);
    for (int i = 0; i < n; i++)
        account(s[i], &bill, i, in_tail[i]);
}

void decode_greedy(struct model *m, struct sequence *s, const float *prompt_logits, float *logits)
{
    decode_begin(s, m, prompt_logits);
    while (!s->out.stop)
        decode_step(m, &s, 1, logits);
}
