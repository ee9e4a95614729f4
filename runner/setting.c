#include "runner/setting.h"

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
