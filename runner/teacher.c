#include "runner/teacher.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/kv/method.h"

const struct judge_row judge_table[] = {
    {"task", "", 0},
    {"nll", "protocol.metric: mean -ln p of the reference answer's tokens, in nats", 1},
    {"kl", "protocol.metric: mean KL divergence from the full cache at these tokens, in nats", 1},
    {"agree", "protocol.metric: share of these tokens where the likeliest is the full cache's", 1},
    {0}};
const char *const judge_names[] = {"task", "nll", "kl", "agree", NULL};

/* ---- the answer ---- */

/* The ids of "\n" and of "\n" with the text begin alike. */
static int encode_line(const struct tokenizer *tok, struct text answer, struct tokens *out,
                       struct err *e)
{
    struct buf text;
    struct tokens newline, all;
    buf_init(&text);
    tokens_init(&newline);
    tokens_init(&all);
    buf_char(&text, '\n');
    buf_text(&text, answer);
    int rc = tokenizer_encode(tok, text_of("\n"), false, &newline, e) ||
             tokenizer_encode(tok, text_buf(&text), false, &all, e);
    for (size_t i = newline.n; i < all.n && !rc; i++)
        tokens_add(out, all.v[i]);
    tokens_release(&all);
    tokens_release(&newline);
    buf_release(&text);
    return rc ? -1 : 0;
}

static int encode_answer(const struct tokenizer *tok, struct text answer, bool ends_line,
                         struct tokens *out, struct err *e)
{
    if (ends_line)
        return encode_line(tok, answer, out, e);
    return tokenizer_encode(tok, answer, false, out, e);
}

int teacher_open(struct teacher *t, int judge, const struct model *m, struct text answer, int max,
                 struct taught_prompt prompt, struct err *e)
{
    const struct model_config *c = model_get_config(m);
    *t = (struct teacher){.judge = judge, .first = prompt.full, .vocab = c->vocab};
    tokens_init(&t->ids);
    if (encode_answer(model_get_tokenizer(m), answer, prompt.ends_line, &t->ids, e))
        return -1;
    if (t->ids.n == 0)
        return err_item(e, "metric %s: the record has no answer to read", judge_names[judge]);
    if (c->n_eos)
        tokens_add(&t->ids, c->eos[0]);
    if (t->ids.n > (size_t)max)
        t->ids.n = (size_t)max;
    if (t->ids.n <= (size_t)t->first)
        return err_item(e,
                        "metric %s: the answer's one token is predicted before anything is "
                        "compressed: set compress_at context or decode_tail",
                        judge_names[judge]);
    return 0;
}

void teacher_release(struct teacher *t)
{
    tokens_release(&t->ids);
    free(t->reference);
}

/* ---- the full cache ---- */

static bool wants_full(const struct teacher *t)
{
    return t->judge == JUDGE_KL || t->judge == JUDGE_AGREE;
}

static void open_full(struct kv_chain *chain)
{
    struct err e;
    struct json *list = json_read(text_of("[\"full\"]"), &e);
    kv_chain_read(chain, list, "full", &e);
    json_free(list);
}

size_t teacher_bytes(const struct teacher *t, const struct model *m, int n_prompt)
{
    struct kv_chain full;
    if (!wants_full(t))
        return 0;
    open_full(&full);
    size_t cache = kv_cache_bytes(&full, model_shape(m), model_engine(m), n_prompt + (int)t->ids.n);
    kv_chain_release(&full);
    return cache + t->ids.n * (size_t)t->vocab * sizeof(float);
}

void teacher_read(struct teacher *t, struct model *m, const int32_t *prompt, int read, int n)
{
    struct kv_chain full;
    size_t row = (size_t)t->vocab;
    if (!wants_full(t))
        return;
    open_full(&full);
    t->reference = mem_aligned(mem_size(t->ids.n, row * sizeof *t->reference));
    struct kv_cache *c = model_read(m, &full, prompt, read, n + (int)t->ids.n, t->reference);
    for (int i = read; i < n; i++)
        model_step(m, &prompt[i], &c, 1, t->reference);
    for (size_t i = 1; i < t->ids.n; i++)
        model_step(m, &t->ids.v[i - 1], &c, 1, t->reference + i * row);
    kv_cache_free(c);
    kv_chain_release(&full);
}

/* ---- what a token is worth ---- */

/* ln of the sum of exp(x). */
static double log_sum(const float *x, int n)
{
    double most = x[0], sum = 0;
    for (int i = 1; i < n; i++)
        most = (double)x[i] <= most ? most : (double)x[i]; // NaN, too
    for (int i = 0; i < n; i++)
        sum += exp((double)x[i] - most);
    return most + log(sum);
}

double teacher_nll(const float *logits, int vocab, int32_t id)
{
    return log_sum(logits, vocab) - (double)logits[id];
}

/* Never below 0, where rounding would have it. */
double teacher_kl(const float *full, const float *logits, int vocab)
{
    double all = log_sum(full, vocab), mine = log_sum(logits, vocab), sum = 0;
    for (int i = 0; i < vocab; i++) {
        double lnp = (double)full[i] - all;
        sum += exp(lnp) * (lnp - ((double)logits[i] - mine));
    }
    return sum < 0 ? 0 : sum;
}

double teacher_value(const struct teacher *t, int at, const float *logits)
{
    assert(t->judge == JUDGE_NLL || t->reference);
    const float *full = t->reference ? t->reference + (size_t)at * (size_t)t->vocab : NULL;
    if (t->judge == JUDGE_NLL)
        return teacher_nll(logits, t->vocab, t->ids.v[at]);
    if (t->judge == JUDGE_KL)
        return teacher_kl(full, logits, t->vocab);
    if (isnan(log_sum(logits, t->vocab)))
        return NAN;
    return model_argmax(full, t->vocab, NULL, 0) == model_argmax(logits, t->vocab, NULL, 0);
}
