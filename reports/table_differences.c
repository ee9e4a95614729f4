#include "reports/table_differences.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/json.h"
#include "harness/base/mem.h"

/* An option's value as text, "" where the protocol has none: another version's. */
static struct buf value_new(const struct json *protocol, const char *name)
{
    struct buf b;
    const struct json *options = json_get(protocol, "options");
    const struct json *value = options ? json_get(options, name) : NULL;
    buf_init(&b);
    if (value && json_type(value) == JSON_STRING)
        buf_text(&b, json_string(value));
    else if (value)
        json_put_canonical(&b, value);
    return b;
}

static bool differ(struct json *const *protocols, int n, const char *name)
{
    struct buf first = value_new(protocols[0], name);
    bool yes = false;
    for (int i = 1; i < n && !yes; i++) {
        struct buf other = value_new(protocols[i], name);
        yes = !text_eq(text_buf(&first), text_buf(&other));
        buf_release(&other);
    }
    buf_release(&first);
    return yes;
}

static void add(struct table_data *d, struct json *const *protocols, const char *name)
{
    size_t n = (size_t)d->n_differing + 1;
    d->differing = xrealloc(d->differing, mem_size(n, sizeof *d->differing));
    d->differing[n - 1] = xstrdup(name);
    for (int i = 0; i < d->n_tables; i++) {
        struct table *t = &d->table[i];
        struct buf value = value_new(protocols[i], name);
        t->differs = xrealloc(t->differs, mem_size(n, sizeof *t->differs));
        t->differs[n - 1] = xstrdup(value.s);
        buf_release(&value);
    }
    d->n_differing++;
}

/* A protocol's name says it (scores.h), or another column does. */
static bool is_said(const struct table_data *d, const char *name)
{
    bool said = !strcmp(name, "preset") || !strcmp(name, "compress_at") ||
                !strcmp(name, "decode_tail") || !strcmp(name, "metric") || !strcmp(name, "layers");
    for (int i = 0; i < d->n_differing; i++)
        said |= !strcmp(name, d->differing[i]);
    return said;
}

/* Options in the order of the protocols; one that came later may be missing in some. */
static void compare(struct table_data *d, struct json *const *protocols)
{
    for (int i = 0; i < d->n_tables; i++) {
        const struct json *options = json_get(protocols[i], "options");
        if (!options || json_type(options) != JSON_OBJECT)
            continue;
        for (const struct json *m = json_first(options); m; m = json_next(m))
            if (!is_said(d, json_key(m)) && differ(protocols, d->n_tables, json_key(m)))
                add(d, protocols, json_key(m));
    }
}

int table_differences(struct table_data *d, struct err *e)
{
    int rc = 0;
    if (d->n_tables < 2)
        return 0;
    struct json **protocols = xcalloc((size_t)d->n_tables, sizeof *protocols);
    for (int i = 0; i < d->n_tables && !rc; i++) {
        protocols[i] = json_read(text_of(d->table[i].protocol_json), e);
        rc = protocols[i] ? 0 : err_in(e, "protocol %lld", (long long)d->table[i].protocol);
    }
    if (!rc)
        compare(d, protocols);
    for (int i = 0; i < d->n_tables; i++)
        json_free(protocols[i]);
    free(protocols);
    return rc;
}
