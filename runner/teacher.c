#include "runner/teacher.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/model/reading.h"

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
    layer_full_free(t->full);
}

/* ---- the full cache ---- */

static bool wants_logits(int judge)
{
    return judge == JUDGE_KL || judge == JUDGE_AGREE;
}

static size_t logits_bytes(const struct model *m, int judge, int n_answer)
{
    size_t row = (size_t)model_get_config(m)->vocab * sizeof(float);
    return wants_logits(judge) ? mem_size((size_t)n_answer, row) : 0;
}

/* first: answer token that counts. The token at n - 1 predicts the answer's first one. */
static struct layer_span span_of(bool layers, int read, int n, int first, int n_answer)
{
    return (struct layer_span){.read = read,
                               .first = n - 1 + first,
                               .steps = layers ? n_answer - first : 0,
                               .room = n + n_answer};
}

size_t teacher_need(const struct model *m, int judge, bool layers, int n_prompt, int n_answer)
{
    if (!wants_logits(judge) && !layers)
        return 0;
    struct layer_span span = span_of(layers, n_prompt, n_prompt, 0, n_answer);
    return layer_full_bytes(model_shape(m), model_engine(m), span) +
           logits_bytes(m, judge, n_answer);
}

size_t teacher_bytes(const struct teacher *t, const struct model *m, int n_prompt)
{
    return teacher_need(m, t->judge, t->layers, n_prompt, (int)t->ids.n);
}

size_t teacher_kept_bytes(const struct teacher *t, const struct model *m, int n_prompt)
{
    return t->layers ? teacher_bytes(t, m, n_prompt) : logits_bytes(m, t->judge, (int)t->ids.n);
}

/* Where the logits of answer token i go. */
static float *row_of(const struct teacher *t, float *room, size_t i)
{
    return t->reference ? t->reference + i * (size_t)t->vocab : room;
}

static void feed(struct teacher *t, struct model *m, struct kv_cache *c, const int32_t *prompt,
                 int read, int n)
{
    float *room = mem_aligned((size_t)t->vocab * sizeof *room);
    struct reading_replay none;
    reading_run(m, &(struct reading){.ids = prompt, .n = read}, &c, 1, row_of(t, room, 0), &none);
    for (int i = read; i < n; i++)
        model_step(m, &prompt[i], &c, 1, row_of(t, room, 0));
    for (size_t i = 1; i < t->ids.n; i++)
        model_step(m, &t->ids.v[i - 1], &c, 1, row_of(t, room, i));
    free(room);
}

void teacher_read(struct teacher *t, struct model *m, const int32_t *prompt, int read, int n)
{
    int n_answer = (int)t->ids.n;
    if (!wants_logits(t->judge) && !t->layers)
        return;
    if (wants_logits(t->judge))
        t->reference = mem_aligned(logits_bytes(m, t->judge, n_answer));
    struct layer_span span = span_of(t->layers, read, n, t->first, n_answer);
    struct layer_full *full = layer_full_new(model_shape(m), model_engine(m), span);
    feed(t, m, layer_full_cache(full), prompt, read, n);
    if (t->layers)
        t->full = full;
    else
        layer_full_free(full);
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
