#include "runner/estimate.h"

#include <string.h>

#include "harness/kv/replay.h"

/* A step's operations take so many times as long as those of a prefill, whose rows share weights.
 */
static const double step_factor = 2;

/* To take over one number of a row (KVO, packed) lasts as long as so many operations: measured on
 * the built-in model. */
static const double keep_operations = 800;

struct estimate_token estimate_token(const struct model *m)
{
    const struct model_config *c = model_get_config(m);
    double width = (double)c->n_heads * c->head_dim, kv = (double)c->n_kv_heads * c->head_dim;
    double weights = 2 * c->hidden * (width + kv) + 3.0 * c->hidden * c->mlp;
    double unit = 1e-9 * c->n_layers;
    return (struct estimate_token){unit * 2 * weights, unit * 4 * width,
                                   unit * 2 * kv * keep_operations};
}

/* A token that attends to n. */
static double token(const struct model *m, double n)
{
    struct estimate_token t = estimate_token(m);
    return t.weights + t.attend * n;
}

double estimate_prefill(const struct model *m, int n_prompt)
{
    return n_prompt * token(m, n_prompt / 2.0);
}

double estimate_decode(const struct model *m, int n_prompt, int max_new)
{
    return step_factor * max_new * token(m, n_prompt + max_new / 2.0);
}

double estimate_group(const struct model *m, int n_prompt, int max_new, int n_settings)
{
    return estimate_prefill(m, n_prompt) + n_settings * estimate_decode(m, n_prompt, max_new);
}

/* Of a request, more or less: its words and the end of a wrapper. */
enum { REQUEST_TOKENS = 30 };

static void add_replay(struct estimate_replay *r, const struct kv_link *l, int n_prompt)
{
    struct kv_replay_form f;
    l->method->replay(l->opt, &f);
    int parts = kv_replay_parts(&f, n_prompt);
    for (int i = 0; i < parts; i++) {
        int own = kv_replay_from(&f, n_prompt, i + 1) - kv_replay_from(&f, n_prompt, i);
        double fed = own + (f.first ? REQUEST_TOKENS : 0);
        r->parts++;
        r->tokens += fed;
        r->attended += fed * (n_prompt + fed / 2);
    }
}

struct estimate_replay estimate_replay(const struct model *m, const struct kv_chain *const *chains,
                                       int n, int n_prompt)
{
    struct estimate_replay r = {0};
    for (int i = 0; i < n; i++) {
        int j = 0;
        while (j < i && !kv_replay_same(chains[j], chains[i], model_shape(m), n_prompt))
            j++;
        if (j == i && kv_replay_link(chains[i]))
            add_replay(&r, kv_replay_link(chains[i]), n_prompt);
    }
    return r;
}

double estimate_replay_cost(const struct model *m, const struct estimate_replay *r)
{
    struct estimate_token t = estimate_token(m);
    return r->tokens * t.weights + r->attended * t.attend;
}

/* ---- lengths of prompts ---- */

/* Tokens of a byte of this text; what cannot be encoded fails when its turn comes. */
static double tokens_of_byte(const struct model *m, struct text t)
{
    struct tokens ids;
    struct err ignored;
    double ratio = 0.25;
    tokens_init(&ids);
    if (t.n && !tokenizer_encode(model_get_tokenizer(m), t, false, &ids, &ignored))
        ratio = (double)ids.n / (double)t.n;
    tokens_release(&ids);
    return ratio;
}

void lengths_open(struct lengths *l, const struct plan *p)
{
    struct buf text;
    struct err ignored;
    memset(l, 0, sizeof *l);
    l->plan = p;
    buf_init(&text);
    for (int v = 0; v < p->x->n_variants; v++)
        for (int t = 0; t < p->x->n_tasks; t++) {
            const struct plan_task *task = &p->tasks[t];
            buf_reset(&text);
            if (task->samples.n &&
                !task_prompt_fill(&task->prompt, &task->samples.list[0], &text, &ignored))
                l->ratio[v][t] = tokens_of_byte(p->variants[v].model, text_buf(&text));
        }
    buf_release(&text);
}

int lengths_prompt(const struct lengths *l, int variant, int task, size_t sample)
{
    double n = l->ratio[variant][task] * (double)l->plan->tasks[task].bytes[sample];
    double most = l->plan->variants[variant].variant->protocol.max_prompt_tokens;
    return (int)(n < most ? n : most) + 1;
}

int lengths_tail(const struct lengths *l, int variant, int task, size_t sample)
{
    const struct protocol *p = &l->plan->variants[variant].variant->protocol;
    const struct plan_task *t = &l->plan->tasks[task];
    int n = lengths_prompt(l, variant, task, sample) - 1;
    double tail = p->decode_tail;
    if (p->compress_at == AT_CONTEXT) {
        size_t bytes = task_prompt_tail(&t->prompt, &t->samples.list[sample]);
        double question = l->ratio[variant][task] * (bytes == SIZE_MAX ? 0 : (double)bytes);
        tail = question > tail ? question : tail;
    }
    return (int)(tail < n ? tail : n);
}

int lengths_answer(const struct lengths *l, int variant, int task)
{
    int own = l->plan->variants[variant].variant->protocol.max_new_tokens;
    return own ? own : l->plan->tasks[task].prompt.max_new_tokens;
}
