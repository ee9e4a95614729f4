#include "runner/sweep_key.h"

#include <stdio.h>
#include <string.h>

#include "harness/base/near.h"
#include "harness/tensor/quant.h"

static const char weights_prefix[] = "weights.";
enum { PREFIX = sizeof weights_prefix - 1 };

/* Every key that a chain allows, for a hint. */
struct candidates {
    char full[256][OPT_STR_MAX];
    const char *list[512];
    size_t n, n_full;
};

static void add_table(struct candidates *c, const char *owner, const struct opt *table, bool bare)
{
    for (const struct opt *o = table; o && o->name && c->n_full < 256; o++) {
        char *full = c->full[c->n_full++];
        snprintf(full, OPT_STR_MAX, "%s.%s", owner, o->name);
        if (bare)
            c->list[c->n++] = o->name;
        c->list[c->n++] = full;
    }
}

static int unknown(const char *key, const struct kv_chain *chain, const char *where, struct err *e)
{
    struct candidates c = {.list = {"chain"}, .n = 1};
    struct buf methods;
    char hint[128];
    buf_init(&methods);
    for (int i = 0; i < chain->n && !chain->links[i].implied; i++) {
        add_table(&c, chain->links[i].method->name, chain->links[i].method->options, true);
        buf_printf(&methods, "%s%s", i ? " or " : "", chain->links[i].method->name);
    }
    add_table(&c, "weights", quant_options, false);
    err_user(e, "%s: unknown key '%s'%s (an option of %s, weights.OPTION or chain)", where, key,
             near_hint(hint, key, c.list, c.n), methods.s);
    buf_release(&methods);
    return -1;
}

static const struct opt *find_row(const struct opt *table, const char *name)
{
    for (const struct opt *o = table; o && o->name; o++)
        if (!strcmp(o->name, name))
            return o;
    return NULL;
}

static int authors_name(const struct opt *table, const char *name, const char *key,
                        const char *where, struct err *e)
{
    for (const struct opt *o = table; o && o->name; o++)
        if (o->alias && !strcmp(o->alias, name))
            return err_user(e, "%s: unknown key '%s': it is called '%s' here (%s)", where, key,
                            o->name, o->help);
    return 0;
}

/* The option's name in a key that is meant for this method, else NULL. */
static const char *option_of(const struct kv_method *m, const char *key)
{
    size_t n = strlen(m->name);
    if (!strncmp(key, m->name, n) && key[n] == '.')
        return key + n + 1;
    return strchr(key, '.') ? NULL : key;
}

static int ambiguous(const struct sweep_key *k, const struct kv_method *other, const char *key,
                     const char *where, struct err *e)
{
    return err_user(e, "%s: key '%s' is an option of several methods: write '%s' or '%s.%s'", where,
                    key, k->factor, other->name, key);
}

int sweep_key_find(struct sweep_key *k, const char *key, const struct kv_chain *chain,
                   const char *where, struct err *e)
{
    k->link = -1;
    snprintf(k->factor, sizeof k->factor, "%.255s", key);
    if (!strcmp(key, "chain") ||
        (!strncmp(key, weights_prefix, PREFIX) && find_row(quant_options, key + PREFIX)))
        return 0;
    for (int i = 0; i < chain->n && !chain->links[i].implied; i++) {
        const struct kv_method *m = chain->links[i].method;
        const char *name = option_of(m, key);
        if (!name)
            continue;
        if (authors_name(m->options, name, key, where, e))
            return -1;
        if (!find_row(m->options, name))
            continue;
        if (k->link >= 0)
            return ambiguous(k, m, key, where, e);
        k->link = i;
        snprintf(k->factor, sizeof k->factor, "%s.%s", m->name, name);
    }
    return k->link >= 0 ? 0 : unknown(key, chain, where, e);
}

/* "kvo" in a chain is {"kvo": {}}, which has a place for options. */
static int open_link(struct json *entry, const struct sweep_key *k, struct err *e)
{
    char path[64];
    const struct json *link = json_at(json_get(entry, "chain"), (size_t)k->link);
    if (json_type(link) != JSON_STRING)
        return 0;
    struct json *object = json_object_new();
    json_add(object, json_string(link).s, json_object_new());
    snprintf(path, sizeof path, "chain.%d", k->link);
    return json_set(entry, path, object, e);
}

static int put_option(struct json *entry, const struct sweep_key *k, const struct json *value,
                      struct err *e)
{
    struct buf path;
    if (open_link(entry, k, e))
        return -1;
    buf_init(&path);
    buf_printf(&path, "chain.%d.%s", k->link, k->factor);
    int rc = json_set(entry, path.s, json_dup(value), e);
    buf_release(&path);
    return rc;
}

int sweep_key_put(struct json *entry, const char *key, const struct json *value, const char *where,
                  struct sweep_key *k, struct err *e)
{
    struct kv_chain chain;
    const struct json *weights = json_get(entry, "weights");
    if (kv_chain_read(&chain, json_get(entry, "chain"), where, e))
        return -1;
    int rc = sweep_key_find(k, key, &chain, where, e);
    kv_chain_release(&chain);
    if (rc)
        return rc;
    if (weights && json_type(weights) != JSON_OBJECT)
        return err_user(e, "%s: key 'weights' is %s, must be an object", where,
                        json_type_name(json_type(weights)));
    rc = k->link >= 0 ? put_option(entry, k, value, e) : json_set(entry, key, json_dup(value), e);
    return rc ? err_in(e, "%s", where) : 0;
}

int sweep_value_put(const struct json *value, const char *where, struct buf *out, struct err *e)
{
    struct kv_chain chain;
    if (json_type(value) == JSON_STRING) {
        buf_text(out, json_string(value));
    } else if (json_type(value) == JSON_ARRAY) {
        if (kv_chain_read(&chain, value, where, e))
            return -1;
        kv_chain_describe(&chain, out);
        kv_chain_release(&chain);
    } else {
        json_put_canonical(out, value);
    }
    return 0;
}
