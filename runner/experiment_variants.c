/* "model" or "models", and "protocol" of a configuration: the variants in which settings run. */
#include "runner/experiment_int.h"

#include <stdio.h>
#include <string.h>

#include "runner/product.h"

/* ---- models ---- */

static int read_list(struct experiment *x, const struct json *list, const char *path, struct err *e)
{
    if (json_type(list) != JSON_ARRAY || json_length(list) == 0 || json_length(list) > MODELS_MAX)
        return err_user(e, "%s: key 'models' must list from 1 to %d models", path, MODELS_MAX);
    for (const struct json *m = json_first(list); m; m = json_next(m)) {
        char where[512];
        struct model_spec *spec = &x->models[x->n_models];
        snprintf(where, sizeof where, "%.400s: models[%d]", path, x->n_models);
        if (model_spec_read(spec, m, where, e))
            return -1;
        for (int i = 0; i < x->n_models; i++)
            if (!strcmp(x->models[i].name, spec->name))
                return err_user(e,
                                "%s: two models are called '%s': give one of them another "
                                "\"name\", with its \"dir\"",
                                where, spec->name);
        x->n_models++;
    }
    return 0;
}

static int read_models(struct experiment *x, const struct json *root, const char *path,
                       const char *model, struct err *e)
{
    char where[512];
    const struct json *one = json_get(root, "model"), *list = json_get(root, "models");
    snprintf(where, sizeof where, "%.400s: model", path);
    if (one && list)
        return err_user(e, "%s: keys 'model' and 'models' are both there: one of them is enough",
                        path);
    if (!model && list)
        return read_list(x, list, path, e);
    x->n_models = 1;
    if (model)
        return model_spec_named(&x->models[0], model, e) ? err_in(e, "--model") : 0;
    if (!one)
        return err_user(e, "%s: key 'model' is missing", path);
    return model_spec_read(&x->models[0], one, where, e);
}

static int use_dir(struct experiment *x, const char *dir, struct err *e)
{
    struct model_spec *spec = &x->models[0];
    if (!dir)
        return 0;
    if (x->n_models > 1)
        return err_user(e, "--model-dir: there are %d models, --model says which", x->n_models);
    if (strlen(dir) >= sizeof spec->dir)
        return err_user(e, "--model-dir: '%.60s...' is too long", dir);
    snprintf(spec->dir, sizeof spec->dir, "%s", dir);
    return 0;
}

static int check_dirs(const struct experiment *x, const char *path, struct err *e)
{
    for (int i = 0; i < x->n_models; i++)
        if (!x->models[i].dir[0])
            return err_user(
                e, "%s: model '%s': name the folder of its checkpoint, as \"dir\" or --model-dir",
                path, x->models[i].name);
    return 0;
}

/* ---- protocols ---- */

/* The model's name where there are several, and the options of which the configuration has lists.
 */
static void put_name(struct exp_variant *v, const struct experiment *x, const struct json *protocol)
{
    struct buf b;
    buf_init(&b);
    if (x->n_models > 1)
        buf_str(&b, x->models[v->model].name);
    for (const struct opt *o = protocol_options; o->name && protocol; o++) {
        const struct json *value = json_get(protocol, o->name);
        if (!value || json_type(value) != JSON_ARRAY || json_length(value) < 2)
            continue;
        buf_printf(&b, "%s%s=", b.n ? " " : "", o->name);
        opt_put_value(o, &v->protocol, &b);
    }
    snprintf(v->name, sizeof v->name, "%.255s", b.s);
    buf_release(&b);
}

static bool same_variant(const struct experiment *x, const struct exp_variant *a,
                         const struct exp_variant *b)
{
    struct buf ta, tb;
    buf_init(&ta);
    buf_init(&tb);
    protocol_canonical(&a->protocol, &x->models[a->model], &ta);
    protocol_canonical(&b->protocol, &x->models[b->model], &tb);
    bool same = a->model == b->model && text_eq(text_buf(&ta), text_buf(&tb));
    buf_release(&ta);
    buf_release(&tb);
    return same;
}

static int add_variant(struct experiment *x, int model, const struct json *point,
                       const struct json *protocol, const char *where, struct err *e)
{
    struct exp_variant *v = &x->variants[x->n_variants];
    v->model = model;
    if (protocol_read(&v->protocol, point, &x->models[model], where, e))
        return -1;
    put_name(v, x, protocol);
    for (int i = 0; i < x->n_variants; i++)
        if (same_variant(x, &x->variants[i], v))
            return err_user(e, "%s: '%s' and '%s' are the same protocol", where,
                            x->variants[i].name, v->name);
    x->n_variants++;
    return 0;
}

static int add_variants(struct experiment *x, const struct json *protocol, const char *where,
                        struct err *e)
{
    size_t n = protocol ? product_count(protocol) : 1, all = n * (size_t)x->n_models;
    if (all > VARIANTS_MAX)
        return err_user(e,
                        "%s: %d models and %zu protocols make %zu variants, at most %d are "
                        "allowed",
                        where, x->n_models, n, all, VARIANTS_MAX);
    for (int m = 0; m < x->n_models; m++)
        for (size_t i = 0; i < n; i++) {
            struct json *point = protocol ? product_at(protocol, i) : NULL;
            int rc = add_variant(x, m, point, protocol, where, e);
            json_free(point);
            if (rc)
                return rc;
        }
    return 0;
}

int experiment_read_variants(struct experiment *x, const struct json *root, const char *path,
                             const char *model, const char *model_dir, struct err *e)
{
    char where[512];
    const struct json *protocol = json_get(root, "protocol");
    snprintf(where, sizeof where, "%.400s: protocol", path);
    if (read_models(x, root, path, model, e) || use_dir(x, model_dir, e))
        return -1;
    if (protocol && json_type(protocol) != JSON_OBJECT)
        return err_user(e, "%s: is %s, must be an object", where,
                        json_type_name(json_type(protocol)));
    if (protocol && product_check(protocol, where, e))
        return -1;
    return add_variants(x, protocol, where, e) || check_dirs(x, path, e) ? -1 : 0;
}
