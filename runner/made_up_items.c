#include "runner/made_up_int.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/rng.h"

enum { TOKENS_MIN = 1200, TOKENS_MAX = 3500, FULL_BYTES_TOKEN = 2 * 2 * 32 * 32 * 128 };

static const char *const words[] = {
    "the",    "first",  "model",   "keeps",  "a",      "cache",  "of",      "keys",
    "and",    "values", "for",     "every",  "layer",  "while",  "answers", "depend",
    "on",     "few",    "tokens",  "in",     "report", "city",   "council", "decided",
    "that",   "water",  "would",   "be",     "shared", "among",  "three",   "villages",
    "before", "winter", "because", "river",  "was",    "low",    "Mira",    "Holdale",
    "bought", "goat",   "from",    "market", "1994",   "north",  "station", "return",
    "value",  "index",  "paper",   "method", "uses",   "larger", "dataset", "than",
    "others", "it",     "wins",    "by",     "points", "most",   "tasks",   "however"};

bool made_task_is_binary(const struct task *t)
{
    return !strcmp(t->metric, "classification_score") || !strncmp(t->metric, "retrieval", 9) ||
           !strcmp(t->metric, "count_score");
}

void made_item_fill(struct made_item *i, uint64_t seed, const struct task *t, int index)
{
    char key[128], hex[SHA256_HEX];
    snprintf(key, sizeof key, "%llu %s %d", (unsigned long long)seed, t->name, index);
    hash_sha256(text_of(key), i->sample_hash);
    snprintf(key, sizeof key, "%.64s id", i->sample_hash);
    hash_sha256(text_of(key), hex);
    snprintf(i->sample_id, sizeof i->sample_id, "%.48s", hex);
    struct rng r = {seed};
    for (const char *p = i->sample_hash; *p; p++)
        r.state = r.state * 31 + (unsigned char)*p;
    i->prompt_tokens = TOKENS_MIN + rng_below(&r, TOKENS_MAX - TOKENS_MIN + 1);
    i->level = 1.2 * rng_normal(&r) - 0.3 * (double)t->category;
    i->seed = rng_next(&r);
}

/* 5 to 32 words. */
static void put_prediction(struct rng *r, char out[512])
{
    size_t n = 0;
    int count = 5 + rng_below(r, 28);
    for (int i = 0; i < count; i++) {
        const char *w = words[rng_below(r, sizeof words / sizeof *words)];
        size_t length = strlen(w);
        memcpy(out + n, w, length);
        n += length;
        out[n++] = i == count - 1 ? '.' : ' ';
    }
    out[n] = 0;
}

/* In [0, 1], of two digits where the metric knows shares. */
static double score_of(const struct task *t, double level)
{
    if (made_task_is_binary(t))
        return level > 0;
    return level < -1.5 ? 0 : round(100 / (1 + exp(-1.7 * level))) / 100;
}

static void put_bytes(struct made_row *row, const struct made_setting *c, bool ledger)
{
    struct store_result *r = &row->result;
    int steps = r->new_tokens - 1;
    int64_t tokens = r->prompt_tokens + r->new_tokens;
    double read = c->full || c->token_budget <= 0 ? 1 : fmin(1, 1.3 * c->token_budget / tokens);
    r->kv_full_bytes = tokens * FULL_BYTES_TOKEN;
    r->kv_bytes = llround(c->held * (double)r->kv_full_bytes);
    r->kv_basis = "held";
    r->kv_read_full_bytes = steps * (int64_t)r->prompt_tokens * FULL_BYTES_TOKEN;
    r->kv_read_bytes = llround(c->held * read * (double)r->kv_read_full_bytes);
    if (!ledger)
        return;
    static const char *const class[] = {"bases", "diffs", "values", "pairs"};
    for (int k = 0; k < 4; k++)
        row->ledger[k] = (struct store_ledger){c->full ? "rows" : class[k], r -> kv_bytes / 4,
                                               r -> kv_read_bytes / 4, steps * 1000};
    r->ledger = row->ledger;
    r->n_ledger = c->full ? 1 : 4;
}

static void put_times(struct store_result *r, const struct made_setting *c, struct rng *draw)
{
    double noise = 1 + 0.05 * rng_uniform(draw);
    r->prefill_seconds = r->prompt_tokens / 800.0 * noise;
    r->decode_seconds = r->new_tokens * (c->full ? 0.04 : 0.04 * (0.4 + 0.6 * c->held)) * noise;
    r->decode_batch = 8;
    r->shared_tokens = 0;
    r->tail_tokens = 0;
    r->replay_tokens = 0;
    r->replay_seconds = 0;
}

/* Most answers of a setting are those of the full cache, words and score. */
static double answer(struct made_row *row, const struct made_setting *c, const struct task *t,
                     const struct made_item *i, struct rng *draw)
{
    struct rng same = {i->seed};
    double level = i->level;
    bool changed = rng_uniform(draw) < c->touched;
    put_prediction(changed ? draw : &same, row->prediction);
    if (changed)
        level += 0.5 * rng_normal(draw) - c->hurt * rng_uniform(draw);
    return score_of(t, level);
}

void made_row_fill(struct made_row *row, const struct made_setting *c, const struct task *t,
                   const struct made_item *i, bool ledger)
{
    struct rng draw = {i->seed};
    for (const char *p = c->name; *p; p++)
        draw.state = draw.state * 31 + (unsigned char)*p;
    struct store_result *r = &row->result;
    *r = STORE_RESULT;
    r->prompt_tokens = r->prompt_tokens_before_cut = i->prompt_tokens;
    if (!c->full && rng_below(&draw, 1000) == 0) {
        r->error = "no room for the cache: 8.0 GiB needed, 7.5 GiB left";
        return;
    }
    double score = answer(row, c, t, i, &draw);
    row->score = (struct store_score){t->metric, 1, score};
    r->prediction = text_of(row->prediction);
    r->new_tokens = 2 + (int)r->prediction.n / 4;
    r->stop = "eos";
    put_bytes(row, c, ledger);
    put_times(r, c, &draw);
}
