#include "runner/estimate.h"

#include <stdlib.h>

#include "harness/base/mem.h"

/* A step's operations take so many times as long as those of a prefill, whose rows share weights.
 */
static const double step_factor = 2;

/* 1e9 operations of a token that attends to n. */
static double token(const struct model *m, double n)
{
    const struct model_config *c = model_get_config(m);
    double width = (double)c->n_heads * c->head_dim, kv = (double)c->n_kv_heads * c->head_dim;
    double weights = 2 * c->hidden * (width + kv) + 3.0 * c->hidden * c->mlp;
    return 2e-9 * c->n_layers * (weights + 2 * width * n);
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

static void measure_task(struct lengths *l, int task)
{
    const struct plan_task *t = &l->plan->tasks[task];
    double ratio = 0;
    struct buf text;
    buf_init(&text);
    l->tokens[task] = xcalloc(t->samples.n, sizeof(double));
    for (size_t i = 0; i < t->samples.n; i++) {
        struct err ignored;
        buf_reset(&text);
        if (task_prompt_fill(&t->prompt, &t->samples.list[i], &text, &ignored))
            continue;
        if (ratio == 0)
            ratio = tokens_of_byte(l->plan->model, text_buf(&text));
        l->tokens[task][i] = ratio * (double)text.n;
    }
    buf_release(&text);
}

void lengths_open(struct lengths *l, const struct plan *p)
{
    *l = (struct lengths){.plan = p};
    for (int t = 0; t < p->x->n_tasks; t++)
        measure_task(l, t);
}

void lengths_release(struct lengths *l)
{
    for (int t = 0; t < TASKS_MAX; t++)
        free(l->tokens[t]);
    *l = (struct lengths){0};
}

int lengths_prompt(const struct lengths *l, int task, int sample)
{
    double n = l->tokens[task][sample], most = l->plan->x->protocol.max_prompt_tokens;
    return (int)(n < most ? n : most);
}
