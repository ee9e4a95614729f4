#include "runner/setting.h"

#include <string.h>

void setting_canonical(const struct exp_setting *s, struct buf *out)
{
    bool packed = quant_format_on(&s->weights);
    buf_str(out, packed ? "{\"chain\":" : "");
    kv_chain_canonical(&s->chain, out);
    if (!packed)
        return;
    buf_str(out, ",\"weights\":");
    quant_format_canonical(&s->weights, out);
    buf_char(out, '}');
}

void setting_class(const struct exp_setting *s, struct buf *out)
{
    kv_chain_class(&s->chain, out);
    if (!quant_format_on(&s->weights))
        return;
    buf_str(out, " weights ");
    quant_format_canonical(&s->weights, out);
}

void setting_describe(const struct exp_setting *s, struct buf *out)
{
    kv_chain_describe(&s->chain, out);
    if (!quant_format_on(&s->weights))
        return;
    buf_str(out, " + ");
    quant_format_name(&s->weights, out);
}

static void put_option(const struct opt *table, const void *obj, const char *owner,
                       const char *factor, struct buf *out)
{
    size_t n = strlen(owner);
    if (strncmp(factor, owner, n) || factor[n] != '.')
        return;
    for (const struct opt *o = table; o && o->name; o++)
        if (!strcmp(o->name, factor + n + 1))
            opt_put_value(o, obj, out);
}

void setting_put_value(const struct exp_setting *s, const char *factor, struct buf *out)
{
    if (!strcmp(factor, "chain")) {
        kv_chain_describe(&s->chain, out);
        return;
    }
    put_option(quant_options, &s->weights, "weights", factor, out);
    for (int i = 0; i < s->chain.n; i++)
        put_option(s->chain.links[i].method->options, s->chain.links[i].opt,
                   s->chain.links[i].method->name, factor, out);
}
