#include "runner/decode.h"

#include "harness/base/clock.h"

void decoded_init(struct decoded *d)
{
    *d = (struct decoded){0};
    tokens_init(&d->ids);
}

void decoded_release(struct decoded *d)
{
    tokens_release(&d->ids);
}

static bool is_stop(const struct stop_rules *r, int32_t id)
{
    for (int i = 0; i < r->n_ids; i++)
        if (r->ids[i] == id)
            return true;
    return false;
}

static int32_t choose(const struct model *m, const struct stop_rules *r, const float *logits,
                      size_t n_new)
{
    int n_banned = n_new < (size_t)r->min_new ? r->n_ids : 0;
    return model_argmax(logits, model_get_config(m)->vocab, r->ids, n_banned);
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

void decode_greedy(struct model *m, struct kv_cache *cache, const float *prompt_logits,
                   const struct stop_rules *rules, float *logits, struct decoded *out)
{
    double start = clock_seconds();
    uint64_t before = model_weight_bits_read(m);
    tokens_reset(&out->ids);
    out->steps = 0;
    tokens_add(&out->ids, choose(m, rules, prompt_logits, 0));
    while (!(out->stop = ended(m, rules, &out->ids, cache))) {
        model_step(m, &out->ids.v[out->ids.n - 1], &cache, 1, logits);
        out->steps++;
        tokens_add(&out->ids, choose(m, rules, logits, out->ids.n));
    }
    out->seconds = clock_seconds() - start;
    out->weight_bits = model_weight_bits_read(m) - before;
}
