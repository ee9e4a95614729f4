/* A plan in words and as JSON: a function a line or block of lines. */
#include "runner/plan.h"

#include "runner/setting.h"

enum { SHOWN_MAX = 24 }; // lines of a list; --json has all

static void put_model(const struct plan_variant *v, struct buf *out)
{
    const struct model_config *c = model_get_config(v->model);
    buf_printf(out, "model       %s (%s, %d layers, %.2f M parameters, %s)\n", v->spec->name,
               c->family, c->n_layers, (double)model_parameters(v->model) / 1e6,
               dtype_name(model_weights_dtype(v->model)));
}

static void put_models(const struct plan *p, struct buf *out)
{
    for (int i = 0; i < p->x->n_variants; i++)
        if (i == 0 || p->variants[i].spec != p->variants[i - 1].spec)
            put_model(&p->variants[i], out);
}

/* "... and 3 more" below the lines that are shown; both for a list of n. */
static int lines_shown(int n)
{
    return n > SHOWN_MAX ? SHOWN_MAX - 1 : n;
}

static void put_more(int n, struct buf *out)
{
    if (lines_shown(n) < n)
        buf_printf(out, "            ... and %d more\n", n - lines_shown(n));
}

/* The first in full, then by what they differ in. */
static void put_variants(const struct plan *p, struct buf *out)
{
    const struct experiment *x = p->x;
    buf_str(out, "protocol    ");
    opt_put_summary(protocol_options, &x->variants[0].protocol, 12, out);
    buf_char(out, '\n');
    if (x->n_variants == 1)
        return;
    buf_printf(out, "variants    %d, the first with this protocol\n", x->n_variants);
    for (int i = 0; i < lines_shown(x->n_variants); i++)
        buf_printf(out, "            %s\n", x->variants[i].name);
    put_more(x->n_variants, out);
}

static void put_settings(const struct plan *p, struct buf *out)
{
    const struct experiment *x = p->x;
    buf_printf(out, "settings    %d in %d prefill classes\n", x->n_settings, p->n_classes);
    for (int k = 0; k < lines_shown(x->n_settings); k++) {
        buf_printf(out, "            %-24s ", x->settings[k].name);
        setting_describe(&x->settings[k], out);
        buf_char(out, '\n');
    }
    put_more(x->n_settings, out);
}

static void put_tasks(const struct plan *p, struct buf *out)
{
    for (int t = 0; t < p->x->n_tasks; t++) {
        const struct exp_task *k = &p->x->tasks[t];
        buf_printf(out, "task        %-24s %zu samples", k->name, p->tasks[t].samples.n);
        if (k->task->source != SOURCE_LONGBENCH)
            buf_printf(out, " of %d words", k->words);
        if (k->task->source == SOURCE_TEXT)
            buf_printf(out, " and %d tokens behind them, %s\n", k->answer, k->file);
        else
            buf_printf(out, ", %s\n", k->task->metric);
    }
}

static int64_t samples_of(const struct plan *p)
{
    int64_t n = 0;
    for (int t = 0; t < p->x->n_tasks; t++)
        n += (int64_t)p->tasks[t].samples.n;
    return n;
}

static void put_items(const struct plan *p, struct buf *out)
{
    const struct experiment *x = p->x;
    int protocols = x->n_variants / x->n_models;
    buf_printf(out, "items       %lld", (long long)p->jobs);
    if (x->n_variants > 1)
        buf_printf(out,
                   ": %d model%s x %d protocol%s x %d setting%s x %lld samples of %d task%s\n"
                   "           ",
                   x->n_models, x->n_models == 1 ? "" : "s", protocols, protocols == 1 ? "" : "s",
                   x->n_settings, x->n_settings == 1 ? "" : "s", (long long)samples_of(p),
                   x->n_tasks, x->n_tasks == 1 ? "" : "s");
    buf_printf(out, " (a prompt is prefilled %d times for %d settings)\n", p->n_classes,
               x->n_settings);
}

void plan_describe(const struct plan *p, struct buf *out)
{
    buf_printf(out, "experiment  %s\n", p->x->name);
    put_models(p, out);
    put_variants(p, out);
    put_settings(p, out);
    put_tasks(p, out);
    put_items(p, out);
}

void plan_describe_json(const struct plan *p, struct buf *out)
{
    const struct experiment *x = p->x;
    buf_printf(out, "\"items\":%lld,\"prefill_classes\":%d,\"settings\":%d,\"tasks\":%d,",
               (long long)p->jobs, p->n_classes, x->n_settings, x->n_tasks);
    buf_printf(out, "\"models\":%d,\"protocols\":%d,\"samples\":%lld,", x->n_models,
               x->n_variants / x->n_models, (long long)samples_of(p));
}
