#include "harness/kv/chain.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/base/near.h"

const struct kv_method *kv_chain_method(const struct kv_chain *c, enum kv_hook h)
{
    return c->owner[h] < 0 ? NULL : c->links[c->owner[h]].method;
}

const char *kv_hook_name(enum kv_hook h)
{
    static const char *const names[KV_HOOKS] = {
        [KV_APPEND] = "append",     [KV_OBSERVE] = "observe", [KV_SCORE] = "score",
        [KV_ALLOT] = "allot",       [KV_MERGE] = "merge",     [KV_ORDER] = "order",
        [KV_CODEC] = "codec",       [KV_SELECT] = "select",   [KV_EVICT] = "evict",
        [KV_CHANNELS] = "channels", [KV_REPLAY] = "replay",
    };
    assert(h < KV_HOOKS);
    return names[h];
}

void kv_method_put_hooks(const struct kv_method *m, struct buf *out)
{
    const char *blank = "";
    for (int h = 0; h < KV_HOOKS; h++)
        if (m->hooks & 1u << h) {
            buf_printf(out, "%s%s", blank, kv_hook_name((enum kv_hook)h));
            blank = " ";
        }
    buf_str(out, m->hooks ? "" : "none");
}

const struct kv_method *kv_method_find(const char *name, struct err *e)
{
    const char *names[64];
    char hint[128];
    size_t n = 0;
    for (; kv_method_all[n] && n < 64; n++) {
        names[n] = kv_method_all[n]->name;
        if (!strcmp(names[n], name))
            return kv_method_all[n];
    }
    err_user(e, "unknown method '%s'%s (kvlab list methods)", name,
             near_hint(hint, name, names, n));
    return NULL;
}

static int claim_hooks(struct kv_chain *c, int link, const char *where, struct err *e)
{
    const struct kv_method *m = c->links[link].method;
    for (int h = 0; h < KV_HOOKS; h++) {
        if (!(m->hooks & 1u << h))
            continue;
        if (c->owner[h] >= 0 && h != KV_OBSERVE) // any number of them may look on
            return err_user(e,
                            "%s: '%s' and '%s' both fill the hook '%s': a chain takes one of them",
                            where, c->links[c->owner[h]].method->name, m->name, kv_hook_name(h));
        c->owner[h] = link;
    }
    return 0;
}

static const struct opt *options_of(const struct kv_method *m)
{
    static const struct opt none[] = {{0}};
    return m->options ? m->options : none;
}

/* Rows that no codec was named for are kept as f16, what a 16-bit cache is. */
static int imply_codec(struct kv_chain *c, struct err *e)
{
    const struct kv_method *m = kv_method_find("f16", e);
    if (!m)
        return -1;
    c->links[c->n] = (struct kv_link){m, xcalloc(1, m->opt_size), true};
    opt_defaults(options_of(m), c->links[c->n].opt);
    c->owner[KV_CODEC] = c->n++;
    return 0;
}

static int read_link(struct kv_chain *c, const struct json *entry, const char *where, struct err *e)
{
    struct kv_link *l = &c->links[c->n];
    const struct json *options = NULL;
    const char *name = NULL;
    if (json_type(entry) == JSON_STRING) {
        name = json_string(entry).s;
    } else if (json_type(entry) == JSON_OBJECT && json_length(entry) == 1) {
        options = json_first(entry);
        name = json_key(options);
    }
    if (!name)
        return err_user(e, "%s: an entry of a chain is a method's name or {\"name\": {options}}",
                        where);
    const struct kv_method *m = kv_method_find(name, e);
    if (!m)
        return err_in(e, "%s", where);
    l->method = m;
    l->opt = xcalloc(1, m->opt_size);
    c->n++;
    struct buf place;
    buf_init(&place);
    buf_printf(&place, "%s: %s", where, name);
    opt_defaults(options_of(m), l->opt);
    int rc = options ? opt_read(options_of(m), l->opt, options, place.s, e) : 0;
    buf_release(&place);
    return rc ? rc : claim_hooks(c, c->n - 1, where, e);
}

/* Hooks that need another one, or cannot do with it. */
static int check_hooks(const struct kv_chain *c, const char *where, struct err *e)
{
    static const enum kv_hook follows[] = {KV_ALLOT, KV_MERGE};
    for (size_t i = 0; i < sizeof follows / sizeof *follows; i++)
        if (c->owner[follows[i]] >= 0 && c->owner[KV_SCORE] < 0)
            return err_user(e,
                            "%s: '%s' needs a method beside it that scores tokens, as \"snapkv\" "
                            "(kvlab list methods: score)",
                            where, kv_chain_method(c, follows[i])->name);
    for (int h = KV_SCORE; h <= KV_EVICT; h++)
        if ((h == KV_SCORE || h == KV_EVICT) && c->owner[h] >= 0 && c->owner[KV_ORDER] >= 0)
            return err_user(e, "%s: '%s' orders tokens where they stand, which '%s' removes", where,
                            kv_chain_method(c, KV_ORDER)->name, kv_chain_method(c, h)->name);
    return 0;
}

int kv_chain_read(struct kv_chain *c, const struct json *list, const char *where, struct err *e)
{
    *c = (struct kv_chain){0};
    for (int h = 0; h < KV_HOOKS; h++)
        c->owner[h] = -1;
    if (json_type(list) != JSON_ARRAY || json_length(list) == 0)
        return err_user(e, "%s: a chain is a list of at least one method", where);
    for (const struct json *m = json_first(list); m; m = json_next(m)) {
        if (c->n == KV_CHAIN_MAX - 1) { // one is left for the codec
            kv_chain_release(c);
            return err_user(e, "%s: a chain has at most %d methods", where, KV_CHAIN_MAX - 1);
        }
        if (read_link(c, m, where, e)) {
            kv_chain_release(c);
            return -1;
        }
    }
    if (check_hooks(c, where, e) || (c->owner[KV_CODEC] < 0 && imply_codec(c, e))) {
        kv_chain_release(c);
        return -1;
    }
    return 0;
}

void kv_chain_release(struct kv_chain *c)
{
    for (int i = 0; i < c->n; i++)
        free(c->links[i].opt);
    c->n = 0;
}

/* Of every layer: a method may use another codec in some. */
static int check_codec(const struct kv_chain *c, const struct kv_shape *shape, struct err *e)
{
    const struct kv_link *l = &c->links[c->owner[KV_CODEC]];
    for (int i = 0; i < shape->n_layers; i++) {
        const struct kv_codec *codec = l->method->codec(l->opt, i);
        if (codec->check && codec->check(l->opt, shape, e))
            return err_in(e, "%s", l->method->name);
    }
    return 0;
}

/* Does a codec do what another hook asks of it, in all layers? */
static int check_moves(const struct kv_chain *c, const struct kv_shape *shape, const char *where,
                       struct err *e)
{
    const struct kv_link *l = &c->links[c->owner[KV_CODEC]];
    for (int i = 0; i < shape->n_layers; i++) {
        const struct kv_codec *codec = l->method->codec(l->opt, i);
        if (c->owner[KV_EVICT] >= 0 && !codec->drop)
            return err_user(e, "%s: '%s' drops single tokens, which '%s' packs together", where,
                            kv_chain_method(c, KV_EVICT)->name, l->method->name);
        if (c->owner[KV_ORDER] >= 0 && !codec->permute)
            return err_user(e, "%s: '%s' orders tokens, which '%s' leaves where they are", where,
                            kv_chain_method(c, KV_ORDER)->name, l->method->name);
    }
    return 0;
}

int kv_chain_check(const struct kv_chain *c, const struct kv_shape *shape, bool packed,
                   const char *where, struct err *e)
{
    for (int i = 0; i < c->n; i++)
        if (c->links[i].method->check && c->links[i].method->check(c->links[i].opt, shape, e))
            return err_in(e, "%s: %s", where, c->links[i].method->name);
    if (check_moves(c, shape, where, e))
        return -1;
    return packed && check_codec(c, shape, e) ? err_in(e, "%s", where) : 0;
}

void kv_chain_canonical(const struct kv_chain *c, struct buf *out)
{
    buf_char(out, '[');
    for (int i = 0; i < c->n; i++) {
        const struct kv_method *m = c->links[i].method;
        buf_printf(out, "%s{\"%s\":", i ? "," : "", m->name);
        if (m->options)
            opt_put_json(m->options, c->links[i].opt, out);
        else
            buf_str(out, "{}");
        buf_printf(out, ",\"version\":%d}", m->version);
    }
    buf_char(out, ']');
}

void kv_chain_content(const struct kv_chain *c, struct buf *out)
{
    for (int i = 0; i < c->n; i++) {
        const struct kv_method *m = c->links[i].method;
        buf_printf(out, "%s%s %d: ", i ? "; " : "", m->name, m->version);
        if (m->content_key)
            m->content_key(c->links[i].opt, out);
        else if (m->options)
            opt_put_json(m->options, c->links[i].opt, out);
    }
}

static void describe_link(const struct kv_link *l, struct buf *out)
{
    void *defaults = xcalloc(1, l->method->opt_size);
    struct buf now, usual;
    buf_init(&now);
    buf_init(&usual);
    opt_defaults(l->method->options, defaults);
    for (const struct opt *o = l->method->options; o->name; o++) {
        buf_reset(&now);
        buf_reset(&usual);
        opt_put_value(o, l->opt, &now);
        opt_put_value(o, defaults, &usual);
        if (!text_eq(text_buf(&now), text_buf(&usual)))
            buf_printf(out, " %s=%s", o->name, now.s);
    }
    buf_release(&now);
    buf_release(&usual);
    free(defaults);
}

void kv_chain_describe(const struct kv_chain *c, struct buf *out)
{
    for (int i = 0; i < c->n && !c->links[i].implied; i++) {
        buf_printf(out, "%s%s", i ? " + " : "", c->links[i].method->name);
        if (c->links[i].method->options)
            describe_link(&c->links[i], out);
    }
}

void kv_chain_class(const struct kv_chain *c, struct buf *out)
{
    const struct kv_method *m = kv_chain_method(c, KV_APPEND);
    if (m)
        m->class_key(c->links[c->owner[KV_APPEND]].opt, out);
    else
        buf_str(out, "plain");
}

enum kv_heads kv_chain_heads(const struct kv_chain *c)
{
    enum kv_heads finest = KV_HEADS_LAYER;
    for (int i = 0; i < c->n; i++) {
        const struct kv_method *m = c->links[i].method;
        enum kv_heads mine = m->heads ? m->heads(c->links[i].opt) : KV_HEADS_LAYER;
        finest = mine > finest ? mine : finest;
    }
    return finest;
}
