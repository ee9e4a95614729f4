#include "runner/experiment.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/base/near.h"
#include "runner/setting.h"

#define AT(field) offsetof(struct exp_task, field)
/* clang-format off */
const struct opt exp_task_options[] = {
    {.name = "name", .type = OPT_STR, .offset = AT(name), .def_str = "",
     .help = "kvlab list tasks"},
    {.name = "samples", .type = OPT_INT, .offset = AT(samples), .min = 0, .max = 1e6, .def = 0,
     .help = "the first so many records; 0: all (of a generated task 10)"},
    {.name = "data_dir", .type = OPT_STR, .offset = AT(data_dir), .def_str = "",
     .help = "LongBench: folder with data.zip or data/*.jsonl and its two configs"},
    {.name = "words", .type = OPT_INT, .offset = AT(words), .min = 1, .max = 1e5, .def = 1000,
     .help = "generated tasks: length of a document"},
    {.name = "seed", .type = OPT_INT, .offset = AT(seed), .min = 0, .max = 2147483647, .def = 1,
     .help = "generated tasks: which records"},
    {0}};
/* clang-format on */

enum { GENERATED_SAMPLES = 10 };

void exp_task_data(const struct exp_task *t, struct data_options *out)
{
    *out = (struct data_options){.words = t->words, .seed = t->seed};
    snprintf(out->data_dir, sizeof out->data_dir, "%s", t->data_dir);
}

/* The whole configuration's keys; anything else is refused. */
static const char *const known_keys[] = {"name", "about", "model",    "samples",
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

/* Defaults of all tasks: "samples" and "data" at the top. */
static int read_task_defaults(struct exp_task *t, const struct json *root, const char *path,
                              struct err *e)
{
    const struct json *samples = json_get(root, "samples"), *data = json_get(root, "data");
    opt_defaults(exp_task_options, t);
    if (samples && opt_read_member(exp_task_options, t, samples, path, e))
        return -1;
    if (!data)
        return 0;
    struct buf where;
    buf_init(&where);
    buf_printf(&where, "%s: data", path);
    int rc = opt_read(exp_task_options, t, data, where.s, e);
    buf_release(&where);
    if (!rc && t->name[0])
        return err_user(e, "%s: data: unknown key 'name'", path);
    return rc;
}

static int read_task(struct exp_task *t, const struct json *entry, const char *where, struct err *e)
{
    if (json_type(entry) == JSON_STRING)
        snprintf(t->name, sizeof t->name, "%.255s", json_string(entry).s);
    else if (opt_read(exp_task_options, t, entry, where, e))
        return -1;
    t->task = task_find(t->name, e);
    if (!t->task)
        return err_in(e, "%s", where);
    if (t->task->source == SOURCE_MINI && t->samples == 0)
        t->samples = GENERATED_SAMPLES;
    if (t->task->source == SOURCE_LONGBENCH && !t->data_dir[0])
        return err_user(e,
                        "%s: task '%s' reads LongBench's files: name their folder as data.data_dir "
                        "(README: LongBench)",
                        where, t->name);
    return 0;
}

/* Only other records make a task of the same name another one. */
static bool same_records(const struct exp_task *a, const struct exp_task *b)
{
    return !strcmp(a->name, b->name) &&
           (a->task->source != SOURCE_MINI || (a->words == b->words && a->seed == b->seed));
}

static int read_tasks(struct experiment *x, const struct json *root, const char *path,
                      struct err *e)
{
    const struct json *list = json_need(root, "tasks", JSON_ARRAY, e);
    struct exp_task defaults;
    if (!list)
        return err_in(e, "%s", path);
    if (json_length(list) == 0 || json_length(list) > TASKS_MAX)
        return err_user(e, "%s: key 'tasks' must list from 1 to %d tasks", path, TASKS_MAX);
    if (read_task_defaults(&defaults, root, path, e))
        return -1;
    x->n_tasks = 0;
    for (const struct json *m = json_first(list); m; m = json_next(m)) {
        char where[512];
        snprintf(where, sizeof where, "%.400s: tasks[%d]", path, x->n_tasks);
        struct exp_task *t = &x->tasks[x->n_tasks];
        *t = defaults;
        if (read_task(t, m, where, e))
            return -1;
        if (x->limit && (t->samples == 0 || t->samples > x->limit))
            t->samples = x->limit;
        for (int i = 0; i < x->n_tasks; i++)
            if (same_records(&x->tasks[i], t))
                return err_user(e, "%s: task '%s' is listed twice%s", where, t->name,
                                t->task->source == SOURCE_MINI ? " with equal words and seed" : "");
        x->n_tasks++;
    }
    return 0;
}

static int read_weights(struct quant_format *f, const struct json *object, const char *where,
                        struct err *e)
{
    char place[600];
    opt_defaults(quant_options, f);
    snprintf(place, sizeof place, "%s: weights", where);
    return object ? quant_format_read(f, object, place, e) : 0;
}

static int read_setting(struct exp_setting *s, const struct json *entry, const char *where,
                        struct err *e)
{
    const struct json *name, *chain;
    static const char *const keys[] = {"name", "chain", "weights"};
    char hint[128];
    if (json_type(entry) != JSON_OBJECT)
        return err_user(e, "%s: is %s, must be {\"name\": ..., \"chain\": [...]}", where,
                        json_type_name(json_type(entry)));
    for (const struct json *m = json_first(entry); m; m = json_next(m))
        if (strcmp(json_key(m), "name") && strcmp(json_key(m), "chain") &&
            strcmp(json_key(m), "weights"))
            return err_user(e, "%s: unknown key '%s'%s", where, json_key(m),
                            near_hint(hint, json_key(m), keys, 3));
    if (!(name = json_need(entry, "name", JSON_STRING, e)) ||
        !(chain = json_need(entry, "chain", JSON_ARRAY, e)))
        return err_in(e, "%s", where);
    struct text t = json_string(name);
    if (t.n == 0 || t.n >= sizeof s->name)
        return err_user(e, "%s: key 'name' must have from 1 to %zu bytes", where,
                        sizeof s->name - 1);
    memcpy(s->name, t.s, t.n + 1);
    if (read_weights(&s->weights, json_get(entry, "weights"), where, e))
        return -1;
    return kv_chain_read(&s->chain, chain, where, e);
}

static bool same_setting(const struct exp_setting *a, const struct exp_setting *b)
{
    struct buf ta, tb;
    buf_init(&ta);
    buf_init(&tb);
    setting_canonical(a, &ta);
    setting_canonical(b, &tb);
    bool same = text_eq(text_buf(&ta), text_buf(&tb));
    buf_release(&ta);
    buf_release(&tb);
    return same;
}

static int read_settings(struct experiment *x, const struct json *root, const char *path,
                         struct err *e)
{
    const struct json *list = json_need(root, "settings", JSON_ARRAY, e);
    if (!list)
        return err_in(e, "%s", path);
    if (json_length(list) == 0 || json_length(list) > SETTINGS_MAX)
        return err_user(e, "%s: key 'settings' must list from 1 to %d settings", path,
                        SETTINGS_MAX);
    for (const struct json *m = json_first(list); m; m = json_next(m)) {
        char where[512];
        snprintf(where, sizeof where, "%.400s: settings[%d]", path, x->n_settings);
        struct exp_setting *s = &x->settings[x->n_settings];
        if (read_setting(s, m, where, e))
            return -1;
        x->n_settings++;
        for (int i = 0; i + 1 < x->n_settings; i++) {
            if (!strcmp(x->settings[i].name, s->name))
                return err_user(e, "%s: two settings are called '%s'", where, s->name);
            if (same_setting(&x->settings[i], s))
                return err_user(e, "%s: settings '%s' and '%s' are the same", where,
                                x->settings[i].name, s->name);
        }
    }
    return 0;
}

static void put_canonical(struct experiment *x)
{
    struct buf *b = &x->canonical;
    buf_str(b, "{\"name\":");
    json_put_string(b, text_of(x->name));
    buf_str(b, ",\"model\":");
    opt_put_json(model_spec_options, &x->model, b);
    buf_str(b, ",\"protocol\":");
    protocol_put_options(&x->protocol, b);
    buf_str(b, ",\"tasks\":[");
    for (int i = 0; i < x->n_tasks; i++) {
        buf_str(b, i ? "," : "");
        opt_put_json(exp_task_options, &x->tasks[i], b);
    }
    buf_str(b, "],\"settings\":[");
    for (int i = 0; i < x->n_settings; i++) {
        buf_str(b, i ? ",{\"name\":" : "{\"name\":");
        json_put_string(b, text_of(x->settings[i].name));
        buf_str(b, ",\"chain\":");
        kv_chain_canonical(&x->settings[i].chain, b);
        if (quant_format_on(&x->settings[i].weights)) {
            buf_str(b, ",\"weights\":");
            quant_format_canonical(&x->settings[i].weights, b);
        }
        buf_char(b, '}');
    }
    buf_str(b, "]}");
}

static int read_model(struct experiment *x, const struct json *root, const char *path,
                      const char *model, struct err *e)
{
    char where[512];
    snprintf(where, sizeof where, "%.400s: model", path);
    const struct json *value = json_get(root, "model");
    if (model)
        return model_spec_named(&x->model, model, e) ? err_in(e, "--model") : 0;
    if (!value)
        return err_user(e, "%s: key 'model' is missing", path);
    return model_spec_read(&x->model, value, where, e);
}

static int read_model_dir(struct experiment *x, const char *dir, struct err *e)
{
    if (!dir)
        return 0;
    if (strlen(dir) >= sizeof x->model.dir)
        return err_user(e, "--model-dir: '%.60s...' is too long", dir);
    snprintf(x->model.dir, sizeof x->model.dir, "%s", dir);
    return 0;
}

static int read_root(struct experiment *x, const struct json *root, const char *path,
                     const char *model, const char *model_dir, struct err *e)
{
    char where[512];
    snprintf(where, sizeof where, "%.400s: protocol", path);
    if (check_keys(root, path, e) || read_name(x, root, path, e) ||
        read_model(x, root, path, model, e) || read_model_dir(x, model_dir, e) ||
        protocol_read(&x->protocol, json_get(root, "protocol"), &x->model, where, e) ||
        read_tasks(x, root, path, e) || read_settings(x, root, path, e))
        return -1;
    if (!x->model.dir[0])
        return err_user(
            e, "%s: model '%s': name the folder of its checkpoint, as \"dir\" or --model-dir", path,
            x->model.name);
    put_canonical(x);
    return 0;
}

int experiment_read(struct experiment *x, const char *path, const char *const *sets, int n_sets,
                    const char *model, const char *model_dir, int limit, struct err *e)
{
    *x = (struct experiment){.limit = limit};
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
    for (int i = 0; i < x->n_settings; i++)
        kv_chain_release(&x->settings[i].chain);
    buf_release(&x->canonical); // a released buf may be released again
    x->n_settings = 0;
}
