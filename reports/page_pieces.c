/* What all parts of the page are made of. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "reports/frame_int.h"
#include "reports/page_int.h"

void page_str(struct page *p, const char *markup)
{
    buf_str(p->out, markup);
}

void page_printf(struct page *p, const char *markup, ...)
{
    va_list ap;
    va_start(ap, markup);
    buf_vprintf(p->out, markup, ap);
    va_end(ap);
}

void page_text(struct page *p, struct text t)
{
    html_put_text(t, p->out);
}

void page_text_of(struct page *p, const char *s)
{
    html_put_text(text_of(s), p->out);
}

void page_fact(struct page *p, const char *name, const char *fmt, ...)
{
    struct buf b;
    va_list ap;
    buf_init(&b);
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    page_printf(p, "<dt>%s</dt><dd>", name);
    page_text(p, text_buf(&b));
    page_str(p, "</dd>\n");
    buf_release(&b);
}

void page_number(struct page *p, double x, int decimals, bool plus)
{
    char s[64];
    if (isnan(x)) {
        page_str(p, "-");
        return;
    }
    snprintf(s, sizeof s, "%.*f", decimals, fabs(x));
    bool zero = true; // of what is shown: no sign then
    for (const char *c = s; *c; c++)
        zero &= *c == '0' || *c == '.';
    page_printf(p, "%s%s", zero ? "" : x < 0 ? "−" : plus ? "+" : "", s);
}

/* What cannot be read is not said: the reports, which need it, say why. */
void page_variant(struct page *p, int table)
{
    const struct scores_table *t = &p->scores.table[table];
    const struct frame f = {.scores = p->scores};
    struct frame_table own = {.scores = t};
    struct err e;
    page_text_of(p, t->model_name);
    page_str(p, *t->protocol_name ? ", protocol " : "");
    page_text_of(p, t->protocol_name);
    if (!frame_find_variant(&f, &own, &e) && *own.variant) {
        page_str(p, ", ");
        page_text_of(p, own.variant);
    }
    free(own.variant);
}

struct page_costs page_costs(const struct scores_table *t, const struct scores_row *r)
{
    double kv = 0, kv_full = 0, read = 0, read_full = 0, tokens = 0, seconds = 0;
    for (int k = 0; k < t->n_tasks; k++)
        for (int i = 0; i < t->task[k].n_items; i++) {
            const struct scores_item *m = &r->cell[k].item[i];
            if (m->state != SCORES_DONE)
                continue;
            kv += m->kv_full_bytes > 0 && m->kv_bytes >= 0 ? (double)m->kv_bytes : 0;
            kv_full += m->kv_full_bytes > 0 && m->kv_bytes >= 0 ? (double)m->kv_full_bytes : 0;
            read += m->kv_read_full_bytes > 0 ? (double)m->kv_read_bytes : 0;
            read_full += m->kv_read_full_bytes > 0 ? (double)m->kv_read_full_bytes : 0;
            tokens += m->new_tokens > 0 && !isnan(m->decode_seconds) ? m->new_tokens : 0;
            seconds += m->new_tokens > 0 && !isnan(m->decode_seconds) ? m->decode_seconds : 0;
        }
    return (struct page_costs){.kv = kv_full > 0 ? 100 * kv / kv_full : NAN,
                               .read = read_full > 0 ? 100 * read / read_full : NAN,
                               .tokens_second = seconds > 0 ? tokens / seconds : NAN};
}

const struct comparison_row *page_compared(const struct page *p, int table, int row)
{
    return &p->comparison[table].row[row];
}
