#include "runner/experiment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/near.h"
#include "runner/experiment_int.h"
#include "runner/setting.h"

/* The whole configuration's keys; anything else is refused. */
static const char *const known_keys[] = {"name", "about", "model",    "models",  "samples",
                                         "data", "tasks", "protocol", "settings"};
enum { N_KEYS = sizeof known_keys / sizeof *known_keys };

static int check_keys(const struct json *root, const char *path, struct err *e)
{
    char hint[128];
    if (json_type(root) != JSON_OBJECT)
        return err_user(e, "%s: is %s, must be an object", path, json_type_name(json_type(root)));
    for (const struct json *m = json_first(root); m; m = json_next(m)) {
        bool known = false;
        for (int i = 0; i < N_KEYS; i++)
            known |= !strcmp(json_key(m), known_keys[i]);
        if (!known)
            return err_user(e, "%s: unknown key '%s'%s", path, json_key(m),
                            near_hint(hint, json_key(m), known_keys, N_KEYS));
    }
    return 0;
}

static int apply_sets(struct json *root, const char *const *sets, int n, struct err *e)
{
    for (int i = 0; i < n; i++)
        if (json_set_text(root, sets[i], e))
            return err_in(e, "--set");
    return 0;
}

static int read_name(struct experiment *x, const struct json *root, const char *path, struct err *e)
{
    const struct json *name = json_need(root, "name", JSON_STRING, e);
    if (!name)
        return err_in(e, "%s", path);
    struct text t = json_string(name);
    if (t.n == 0 || t.n >= sizeof x->name || memchr(t.s, 0, t.n))
        return err_user(e, "%s: key 'name' must have from 1 to %zu bytes", path,
                        sizeof x->name - 1);
    memcpy(x->name, t.s, t.n + 1);
    return 0;
}

static void put_variants(const struct experiment *x, struct buf *b)
{
    buf_str(b, x->n_variants > 1 ? ",\"variants\":[" : ",");
    for (int i = 0; i < x->n_variants; i++) {
        const char *before = x->n_variants == 1 ? "" : i ? ",{" : "{";
        buf_printf(b, "%s\"model\":", before);
        opt_put_json(model_spec_options, &x->models[x->variants[i].model], b);
        buf_str(b, ",\"protocol\":");
        protocol_put_options(&x->variants[i].protocol, b);
        buf_str(b, x->n_variants > 1 ? "}" : "");
    }
    buf_str(b, x->n_variants > 1 ? "]" : "");
}

static void put_member(struct buf *b, const char *key, const char *value)
{
    buf_printf(b, "\"%s\":", key);
    json_put_string(b, text_of(value));
    buf_char(b, ',');
}

static void put_factors(const struct exp_setting *s, struct buf *b)
{
    buf_str(b, ",\"ablations\":[");
    for (int i = 0; i < s->n_factors; i++) {
        const struct exp_factor *f = &s->factors[i];
        buf_str(b, i ? ",{" : "{");
        put_member(b, "ablation", f->ablation);
        put_member(b, "factor", f->factor);
        put_member(b, "value", f->value);
        buf_printf(b, "\"base\":%s}", f->base ? "true" : "false");
    }
    buf_char(b, ']');
}

static void put_setting(const struct exp_setting *s, struct buf *b)
{
    buf_str(b, "{\"name\":");
    json_put_string(b, text_of(s->name));
    buf_str(b, ",\"chain\":");
    kv_chain_canonical(&s->chain, b);
    if (quant_format_on(&s->weights)) {
        buf_str(b, ",\"weights\":");
        quant_format_canonical(&s->weights, b);
    }
    if (s->n_factors)
        put_factors(s, b);
    buf_char(b, '}');
}

/* Of one variant it is the text that it was before there were several: experiments that were
 * planned then are found again. */
static void put_canonical(struct experiment *x)
{
    struct buf *b = &x->canonical;
    buf_str(b, "{\"name\":");
    json_put_string(b, text_of(x->name));
    put_variants(x, b);
    buf_str(b, ",\"tasks\":[");
    for (int i = 0; i < x->n_tasks; i++) {
        buf_str(b, i ? "," : "");
        exp_task_put(&x->tasks[i], b);
    }
    buf_str(b, "],\"settings\":[");
    for (int i = 0; i < x->n_settings; i++) {
        buf_str(b, i ? "," : "");
        put_setting(&x->settings[i], b);
    }
    buf_str(b, "]}");
}

static int read_root(struct experiment *x, const struct json *root, const char *path,
                     const char *model, const char *model_dir, struct err *e)
{
    if (check_keys(root, path, e) || read_name(x, root, path, e) ||
        experiment_read_variants(x, root, path, model, model_dir, e) ||
        experiment_read_tasks(x, root, path, e) || experiment_read_settings(x, root, path, e))
        return -1;
    put_canonical(x);
    return 0;
}

int experiment_read(struct experiment *x, const char *path, const char *const *sets, int n_sets,
                    const char *model, const char *model_dir, int limit, struct err *e)
{
    memset(x, 0, sizeof *x); // too big for a copy on the stack
    x->limit = limit;
    buf_init(&x->canonical);
    struct json *root = json_read_file(path, e);
    int rc = root ? apply_sets(root, sets, n_sets, e) : -1;
    if (!rc)
        rc = read_root(x, root, path, model, model_dir, e);
    json_free(root);
    if (rc)
        experiment_release(x);
    return rc;
}

void experiment_release(struct experiment *x)
{
    for (int i = 0; i < x->n_settings; i++) {
        kv_chain_release(&x->settings[i].chain);
        free(x->settings[i].factors);
    }
    buf_release(&x->canonical); // a released buf may be released again
    x->n_settings = 0;
}
