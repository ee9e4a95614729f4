#include "runner/sweep_grid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/near.h"
#include "runner/product.h"
#include "runner/sweep_key.h"

bool sweep_grid_is(const struct json *entry)
{
    return json_get(entry, "grid") || json_get(entry, "zip") || json_get(entry, "exclude");
}

/* ---- checks ---- */

/* The member of that name, which must be an object of lists with at least one; *out NULL: absent.
 */
static int read_lists(const struct sweep_grid *g, const char *name, const struct json **out,
                      struct err *e)
{
    const struct json *lists = *out = json_get(g->entry, name);
    if (!lists)
        return 0;
    if (json_type(lists) != JSON_OBJECT || json_length(lists) == 0)
        return err_user(e, "%s: key '%s' must be an object with a list for each key that varies",
                        g->where, name);
    for (const struct json *m = json_first(lists); m; m = json_next(m))
        if (json_type(m) != JSON_ARRAY)
            return err_user(e, "%s: %s: key '%s' is %s, must be a list", g->where, name,
                            json_key(m), json_type_name(json_type(m)));
    return 0;
}

/* Rows of a zip may repeat a value in one list, not in all of them. */
static bool same_rows(const struct json *zip, size_t i, size_t k)
{
    for (const struct json *m = json_first(zip); m; m = json_next(m))
        if (!json_equal(json_at(m, i), json_at(m, k)))
            return false;
    return true;
}

static int check_zip(struct sweep_grid *g, struct err *e)
{
    const struct json *first = json_first(g->zip);
    g->n_zip = json_length(first);
    for (const struct json *m = first; m; m = json_next(m)) {
        if (json_length(m) != g->n_zip)
            return err_user(e,
                            "%s: zip: key '%s' lists %zu values and '%s' %zu: they must be "
                            "equally many",
                            g->where, json_key(first), g->n_zip, json_key(m), json_length(m));
        if (g->grid && json_get(g->grid, json_key(m)))
            return err_user(e, "%s: key '%s' is in both 'grid' and 'zip'", g->where, json_key(m));
    }
    if (g->n_zip == 0 || g->n_zip > PRODUCT_LIST_MAX)
        return err_user(e, "%s: zip: lists of %zu values, must have from 1 to %d", g->where,
                        g->n_zip, PRODUCT_LIST_MAX);
    for (size_t i = 0; i < g->n_zip; i++)
        for (size_t k = 0; k < i; k++)
            if (same_rows(g->zip, i, k))
                return err_user(e, "%s: zip: values %zu and %zu are the same in all lists",
                                g->where, k + 1, i + 1);
    return 0;
}

static int check_grid(struct sweep_grid *g, struct err *e)
{
    char where[600];
    snprintf(where, sizeof where, "%.590s: grid", g->where);
    if (product_check(g->grid, where, e))
        return -1;
    g->n_grid = product_count(g->grid);
    return 0;
}

/* ---- points ---- */

static struct json *point_at(const struct sweep_grid *g, size_t i)
{
    struct json *p = g->grid ? product_at(g->grid, i / g->n_zip) : json_object_new();
    for (const struct json *m = g->zip ? json_first(g->zip) : NULL; m; m = json_next(m))
        json_add(p, json_key(m), json_dup(json_at(m, i % g->n_zip)));
    return p;
}

static bool agrees(const struct json *point, const struct json *rule)
{
    for (const struct json *m = json_first(rule); m; m = json_next(m))
        if (!json_equal(m, json_get(point, json_key(m))))
            return false;
    return true;
}

static bool excluded(const struct sweep_grid *g, const struct json *point)
{
    const struct json *rule = g->exclude ? json_first(g->exclude) : NULL;
    while (rule && !agrees(point, rule))
        rule = json_next(rule);
    return rule;
}

/* ---- exclusions ---- */

static int check_varied(const struct json *point, const char *key, const char *where, struct err *e)
{
    const char *keys[64];
    size_t n = 0;
    char hint[128];
    if (json_get(point, key))
        return 0;
    for (const struct json *m = json_first(point); m && n < 64; m = json_next(m))
        keys[n++] = json_key(m);
    return err_user(e, "%s: '%s' does not vary here%s", where, key, near_hint(hint, key, keys, n));
}

static bool in_list(const struct json *list, const struct json *value)
{
    const struct json *m = json_first(list);
    while (m && !json_equal(m, value))
        m = json_next(m);
    return m;
}

static bool in_row(const struct json *zip, size_t row, const struct json *rule)
{
    for (const struct json *m = json_first(rule); m; m = json_next(m)) {
        const struct json *list = zip ? json_get(zip, json_key(m)) : NULL;
        if (list && !json_equal(m, json_at(list, row)))
            return false;
    }
    return true;
}

/* Is there a point that agrees with the rule? */
static bool can_match(const struct sweep_grid *g, const struct json *rule)
{
    size_t row = 0;
    for (const struct json *m = json_first(rule); m; m = json_next(m)) {
        const struct json *list = g->grid ? json_get(g->grid, json_key(m)) : NULL;
        if (list && !in_list(list, m))
            return false;
    }
    while (row < g->n_zip && !in_row(g->zip, row, rule))
        row++;
    return row < g->n_zip;
}

static int check_rule(const struct sweep_grid *g, const struct json *rule, const char *where,
                      struct err *e)
{
    if (json_type(rule) != JSON_OBJECT || json_length(rule) == 0)
        return err_user(e, "%s: must be an object that names at least one key that varies", where);
    struct json *point = point_at(g, 0);
    int rc = 0;
    for (const struct json *m = json_first(rule); m && !rc; m = json_next(m))
        rc = check_varied(point, json_key(m), where, e);
    json_free(point);
    if (rc || can_match(g, rule))
        return rc;
    struct buf text;
    buf_init(&text);
    json_put_canonical(&text, rule);
    err_user(e, "%s: no point of the grid agrees with %.100s", where, text.s);
    buf_release(&text);
    return -1;
}

static int check_exclude(const struct sweep_grid *g, struct err *e)
{
    int i = 0;
    if (!g->grid && !g->zip)
        return err_user(e, "%s: key 'exclude' without 'grid' or 'zip'", g->where);
    if (json_type(g->exclude) != JSON_ARRAY)
        return err_user(e, "%s: key 'exclude' is %s, must be a list", g->where,
                        json_type_name(json_type(g->exclude)));
    if (json_length(g->exclude) > PRODUCT_LIST_MAX)
        return err_user(e, "%s: key 'exclude' lists %zu points, at most %d are allowed", g->where,
                        json_length(g->exclude), PRODUCT_LIST_MAX);
    for (const struct json *m = json_first(g->exclude); m; m = json_next(m)) {
        char where[640];
        snprintf(where, sizeof where, "%.590s: exclude[%d]", g->where, i++);
        if (check_rule(g, m, where, e))
            return -1;
    }
    return 0;
}

static size_t count_kept(const struct sweep_grid *g)
{
    size_t kept = 0;
    for (size_t i = 0; i < g->n_grid * g->n_zip; i++) {
        struct json *point = point_at(g, i);
        kept += !excluded(g, point);
        json_free(point);
    }
    return kept;
}

int sweep_grid_open(struct sweep_grid *g, const struct json *entry, const char *where, size_t *n,
                    struct err *e)
{
    *g = (struct sweep_grid){.entry = entry, .n_grid = 1, .n_zip = 1, .where = where};
    g->exclude = json_get(entry, "exclude");
    if (read_lists(g, "grid", &g->grid, e) || read_lists(g, "zip", &g->zip, e) ||
        (g->grid && check_grid(g, e)) || (g->zip && check_zip(g, e)))
        return -1;
    if (g->n_grid * g->n_zip > PRODUCT_MAX)
        return err_user(e, "%s: grid and zip have %zu combinations, at most %d are allowed", where,
                        g->n_grid * g->n_zip, PRODUCT_MAX);
    if (g->exclude && check_exclude(g, e))
        return -1;
    *n = count_kept(g);
    return *n ? 0 : err_user(e, "%s: 'exclude' leaves no point of the grid", where);
}

/* ---- names ---- */

/* The value of a key between braces. */
static int put_placeholder(struct text key, const struct json *point, const char *where,
                           struct buf *out, struct err *e)
{
    struct text name = text_dup(key);
    int rc = check_varied(point, name.s, where, e)
                 ? -1
                 : sweep_value_put(json_get(point, name.s), where, out, e);
    free((void *)name.s);
    return rc;
}

/* Replaces {key} by its value. */
static int put_template(const char *name, const struct json *point, const char *where,
                        struct buf *out, struct err *e)
{
    while (*name) {
        size_t n = strcspn(name, "{");
        buf_add(out, name, n);
        name += n;
        if (!*name)
            return 0;
        n = strcspn(name, "}");
        if (!name[n])
            return err_user(e, "%s: '%.60s' has no '}'", where, name);
        if (put_placeholder((struct text){name + 1, n - 1}, point, where, out, e))
            return -1;
        name += n + 1;
    }
    return 0;
}

static bool names_key(const char *name, const char *key)
{
    struct buf b;
    buf_init(&b);
    buf_printf(&b, "{%s}", key);
    bool yes = strstr(name, b.s);
    buf_release(&b);
    return yes;
}

/* Of keys that advance together one tells the others. */
static bool names_any(const char *name, const struct json *keys)
{
    for (const struct json *m = keys ? json_first(keys) : NULL; m; m = json_next(m))
        if (names_key(name, json_key(m)))
            return true;
    return false;
}

static int put_name(const struct sweep_grid *g, const struct json *point, struct buf *out,
                    struct err *e)
{
    const char *name = json_string(json_get(g->entry, "name")).s;
    bool zip_named = names_any(name, g->zip);
    char where[600];
    snprintf(where, sizeof where, "%.580s: key 'name'", g->where);
    if (put_template(name, point, where, out, e))
        return -1;
    for (const struct json *m = json_first(point); m; m = json_next(m)) {
        bool zipped = g->zip && json_get(g->zip, json_key(m));
        if (zipped ? zip_named : names_key(name, json_key(m)))
            continue;
        buf_printf(out, " %s=", json_key(m));
        if (sweep_value_put(m, g->where, out, e))
            return -1;
    }
    return 0;
}

/* ---- settings ---- */

/* One option under two keys ("key_bits", "kvo.key_bits"). */
static int check_once(struct buf *seen, const struct sweep_key *key, const char *where,
                      struct err *e)
{
    struct buf line;
    buf_init(&line);
    buf_printf(&line, "\n%s\n", key->factor);
    bool twice = strstr(seen->s, line.s);
    buf_str(seen, line.s + 1);
    buf_release(&line);
    return twice ? err_user(e, "%s: '%s' varies under two keys", where, key->factor) : 0;
}

static int put_options(struct json *entry, const struct sweep_grid *g, const struct json *point,
                       struct buf *seen, struct err *e)
{
    struct sweep_key key;
    char where[600];
    for (const struct json *m = json_first(point); m; m = json_next(m)) {
        bool gridded = g->grid && json_get(g->grid, json_key(m));
        snprintf(where, sizeof where, "%.590s: %s", g->where, gridded ? "grid" : "zip");
        if (strcmp(json_key(m), "chain") && (sweep_key_put(entry, json_key(m), m, where, &key, e) ||
                                             check_once(seen, &key, where, e)))
            return -1;
    }
    return 0;
}

/* The chain first: the other keys are options of its methods. */
static int fill(struct json *entry, const struct sweep_grid *g, const struct json *point,
                struct err *e)
{
    const struct json *chain = json_get(point, "chain");
    const struct json *weights = json_get(g->entry, "weights");
    struct buf seen;
    json_add(entry, "chain", json_dup(chain ? chain : json_get(g->entry, "chain")));
    if (weights)
        json_add(entry, "weights", json_dup(weights));
    buf_init(&seen);
    buf_char(&seen, '\n');
    int rc = put_options(entry, g, point, &seen, e);
    buf_release(&seen);
    return rc;
}

static int check_entry(const struct sweep_grid *g, const struct json *point, struct err *e)
{
    bool varies = json_get(point, "chain"), stated = json_get(g->entry, "chain");
    if (varies && stated)
        return err_user(e, "%s: key 'chain' is stated and varied", g->where);
    if (!json_need(g->entry, "name", JSON_STRING, e) ||
        (!varies && !json_need(g->entry, "chain", JSON_ARRAY, e)))
        return err_in(e, "%s", g->where);
    return 0;
}

static struct json *make(const struct sweep_grid *g, const struct json *point, struct err *e)
{
    struct buf name;
    struct json *entry = json_object_new();
    buf_init(&name);
    int rc = check_entry(g, point, e) || put_name(g, point, &name, e) ? -1 : 0;
    json_add(entry, "name", json_string_new(text_buf(&name)));
    buf_release(&name);
    if (!rc && !fill(entry, g, point, e))
        return entry;
    json_free(entry);
    return NULL;
}

int sweep_grid_at(const struct sweep_grid *g, size_t i, struct json **out, struct err *e)
{
    struct json *point = point_at(g, i);
    bool left_out = excluded(g, point);
    *out = left_out ? NULL : make(g, point, e);
    json_free(point);
    return *out || left_out ? 0 : -1;
}
