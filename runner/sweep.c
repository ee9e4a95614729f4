#include "runner/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/base/near.h"
#include "runner/product.h"
#include "runner/sweep_grid.h"
#include "runner/sweep_key.h"

enum { WHERE_MAX = 512 };

struct expansion {
    struct sweep *s;
    const char *path;
    char where[WHERE_MAX]; // of the entry at work
    int place;
};

static struct sweep_item *add(struct expansion *x, struct json *entry)
{
    struct sweep *s = x->s;
    s->list = xrealloc(s->list, mem_size((size_t)s->n + 1, sizeof *s->list));
    struct sweep_item *item = &s->list[s->n++];
    *item = (struct sweep_item){.entry = entry, .place = x->place};
    return item;
}

/* ---- keys ---- */

static const char *const setting_keys[] = {"name", "chain", "weights", "grid", "zip", "exclude"};
static const char *const ablation_keys[] = {"ablation", "base", "vary"};

static int check_keys(const struct json *object, const char *const *keys, size_t n,
                      const char *where, struct err *e)
{
    char hint[128];
    for (const struct json *m = json_first(object); m; m = json_next(m)) {
        size_t i = 0;
        while (i < n && strcmp(json_key(m), keys[i]))
            i++;
        if (i == n)
            return err_user(e, "%s: unknown key '%s'%s", where, json_key(m),
                            near_hint(hint, json_key(m), keys, n));
    }
    return 0;
}

static bool is_ablation(const struct json *entry)
{
    return json_get(entry, "ablation") || json_get(entry, "base") || json_get(entry, "vary");
}

static int check_entry(const struct expansion *x, const struct json *entry, struct err *e)
{
    if (json_type(entry) != JSON_OBJECT)
        return err_user(e, "%s: is %s, must be {\"name\": ..., \"chain\": [...]}", x->where,
                        json_type_name(json_type(entry)));
    if (is_ablation(entry))
        return check_keys(entry, ablation_keys, 3, x->where, e);
    return check_keys(entry, setting_keys, 6, x->where, e);
}

static int need_both(const struct json *setting, const char *where, struct err *e)
{
    if (json_need(setting, "name", JSON_STRING, e) && json_need(setting, "chain", JSON_ARRAY, e))
        return 0;
    return err_in(e, "%s", where);
}

/* ---- ablations ---- */

static int check_ablation(const struct expansion *x, const struct json *entry, size_t *n,
                          struct err *e)
{
    const struct json *name, *vary;
    char where[WHERE_MAX + 8];
    if (!(name = json_need(entry, "ablation", JSON_STRING, e)) ||
        !(vary = json_need(entry, "vary", JSON_OBJECT, e)))
        return err_in(e, "%s", x->where);
    if (!json_get(entry, "base"))
        return err_user(e, "%s: key 'base' is missing", x->where);
    if (json_string(name).n == 0 || json_string(name).n >= OPT_STR_MAX)
        return err_user(e, "%s: key 'ablation' must have from 1 to %d bytes", x->where,
                        OPT_STR_MAX - 1);
    snprintf(where, sizeof where, "%s: vary", x->where);
    if (json_length(vary) == 0)
        return err_user(e, "%s: must have a list for each key that varies", where);
    *n = 1;
    for (const struct json *m = json_first(vary); m; m = json_next(m)) {
        if (json_type(m) != JSON_ARRAY)
            return err_user(e, "%s: key '%s' is %s, must be a list", where, json_key(m),
                            json_type_name(json_type(m)));
        if (product_check_list(m, json_key(m), where, e))
            return -1;
        *n += json_length(m);
    }
    return 0;
}

/* The setting called so among those above. */
static const struct json *find_base(const struct expansion *x, struct text name, struct err *e)
{
    const char **names = xmalloc(mem_size((size_t)x->s->n + 1, sizeof *names));
    const struct json *found = NULL;
    size_t n = 0;
    char hint[128];
    for (int i = 0; i < x->s->n && !found; i++) {
        const struct json *other = json_get(x->s->list[i].entry, "name");
        if (!other || json_type(other) != JSON_STRING)
            continue;
        names[n++] = json_string(other).s;
        if (text_eq(json_string(other), name))
            found = x->s->list[i].entry;
    }
    if (!found)
        err_user(e, "%s: base: no setting above is called '%.100s'%s", x->where, name.s,
                 near_hint(hint, name.s, names, n));
    free(names);
    return found;
}

static const struct json *read_base(const struct expansion *x, const struct json *base,
                                    struct err *e)
{
    char where[WHERE_MAX + 8];
    snprintf(where, sizeof where, "%s: base", x->where);
    if (json_type(base) == JSON_STRING)
        return find_base(x, json_string(base), e);
    if (json_type(base) != JSON_OBJECT) {
        err_user(e, "%s: is %s, must be a setting or the name of one above", where,
                 json_type_name(json_type(base)));
        return NULL;
    }
    return check_keys(base, setting_keys, 3, where, e) || need_both(base, where, e) ? NULL : base;
}

static int vary(struct expansion *x, const struct json *base, const char *ablation, const char *key,
                const struct json *value, struct err *e)
{
    char where[WHERE_MAX + 8];
    struct json *entry = json_dup(base);
    struct sweep_key k;
    struct buf name;
    snprintf(where, sizeof where, "%s: vary", x->where);
    buf_init(&name);
    buf_printf(&name, "%s %s=", json_string(json_get(base, "name")).s, key);
    int rc = sweep_key_put(entry, key, value, where, &k, e);
    if (!rc)
        rc = sweep_value_put(value, where, &name, e);
    if (!rc)
        rc = json_set(entry, "name", json_string_new(text_buf(&name)), e);
    buf_release(&name);
    if (rc) {
        json_free(entry);
        return rc;
    }
    struct sweep_item *item = add(x, entry);
    item->made = true;
    snprintf(item->ablation, sizeof item->ablation, "%s", ablation);
    memcpy(item->factor, k.factor, sizeof item->factor);
    return 0;
}

static int add_ablation(struct expansion *x, const struct json *entry, struct err *e)
{
    const char *name = json_string(json_get(entry, "ablation")).s;
    const struct json *found = read_base(x, json_get(entry, "base"), e);
    if (!found)
        return -1;
    for (int i = 0; i < x->s->n; i++)
        if (!strcmp(x->s->list[i].ablation, name))
            return err_user(e, "%s: two ablations are called '%.100s'", x->where, name);
    struct json *base = json_dup(found); // the list that holds it grows
    struct sweep_item *item = add(x, base);
    item->made = true;
    snprintf(item->ablation, sizeof item->ablation, "%s", name);
    for (const struct json *m = json_first(json_get(entry, "vary")); m; m = json_next(m))
        for (const struct json *v = json_first(m); v; v = json_next(v))
            if (vary(x, base, name, json_key(m), v, e))
                return -1;
    return 0;
}

/* ---- all entries ---- */

/* How many settings an entry makes, and that its form is right. */
static int count(struct expansion *x, const struct json *entry, size_t *n, struct err *e)
{
    struct sweep_grid g;
    *n = 1;
    if (check_entry(x, entry, e))
        return -1;
    if (is_ablation(entry))
        return check_ablation(x, entry, n, e);
    return sweep_grid_is(entry) ? sweep_grid_open(&g, entry, x->where, n, e) : 0;
}

static int add_grid(struct expansion *x, const struct json *entry, struct err *e)
{
    struct sweep_grid g;
    struct json *setting;
    size_t kept;
    if (sweep_grid_open(&g, entry, x->where, &kept, e))
        return -1;
    for (size_t i = 0; i < g.n_grid * g.n_zip; i++) {
        if (sweep_grid_at(&g, i, &setting, e))
            return -1;
        if (setting)
            add(x, setting)->made = true;
    }
    return 0;
}

static int expand(struct expansion *x, const struct json *entry, struct err *e)
{
    if (is_ablation(entry))
        return add_ablation(x, entry, e);
    if (sweep_grid_is(entry))
        return add_grid(x, entry, e);
    if (need_both(entry, x->where, e))
        return -1;
    add(x, json_dup(entry));
    return 0;
}

static void move_to(struct expansion *x, int place)
{
    x->place = place;
    snprintf(x->where, sizeof x->where, "%.400s: settings[%d]", x->path, place);
}

static int count_all(struct expansion *x, const struct json *settings, size_t max, struct err *e)
{
    size_t all = 0, n;
    int place = 0;
    for (const struct json *m = json_first(settings); m; m = json_next(m)) {
        move_to(x, place++);
        if (count(x, m, &n, e))
            return -1;
        if (n > max)
            return err_user(e, "%s: makes %zu settings, at most %zu are allowed", x->where, n, max);
        all += n;
    }
    if (all > max)
        return err_user(e, "%s: key 'settings' makes %zu settings, at most %zu are allowed",
                        x->path, all, max);
    return 0;
}

int sweep_expand(struct sweep *s, const struct json *settings, int max, const char *path,
                 struct err *e)
{
    struct expansion x = {.s = s, .path = path};
    int place = 0;
    *s = (struct sweep){0};
    int rc = count_all(&x, settings, (size_t)max, e);
    for (const struct json *m = json_first(settings); m && !rc; m = json_next(m)) {
        move_to(&x, place++);
        rc = expand(&x, m, e);
    }
    if (rc)
        sweep_release(s);
    return rc;
}

void sweep_release(struct sweep *s)
{
    for (int i = 0; i < s->n; i++)
        json_free(s->list[i].entry);
    free(s->list);
    *s = (struct sweep){0};
}
