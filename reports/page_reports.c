/* The other reports in the page, each as it is made for all formats: a new one appears by itself.
 */
#include <string.h>

#include "reports/page_int.h"

/* Those that need no words of their own. The table of scores stands in the page with its items, and
 * a page makes no document. */
bool page_has_report(const struct report *r)
{
    return r->build && !r->min_args && strcmp(r->name, "table");
}

/* What it has no place for is not asked of a report. */
static struct report_request request_of(const struct page *p, const struct report *r)
{
    struct report_request q = *p->request;
    q.n_args = 0;
    q.experiment = r->takes & REPORT_EXPERIMENT ? p->scores.name : NULL;
    q.model = r->takes & REPORT_MODEL ? q.model : NULL;
    q.baseline = r->takes & REPORT_BASELINE ? q.baseline : NULL;
    q.x = q.y = NULL;
    q.loaded = &p->loaded;
    q.mix_protocols = p->scores.n_tables > 1 && r->takes & REPORT_MIX_PROTOCOLS;
    return q;
}

static void put_report(struct page *p, const struct report *r)
{
    const struct report_request q = request_of(p, r);
    const struct format_look look = {.undrawn = &p->undrawn};
    struct doc *d;
    struct err e;
    struct buf prefix;
    page_printf(p, "<section class=\"report\" id=\"report-%s\">\n<h2>Report %s</h2>\n<p>", r->name,
                r->name);
    page_text_of(p, r->summary);
    page_str(p, "</p>\n");
    buf_init(&prefix);
    buf_printf(&prefix, "%s-", r->name);
    if (!report_build(r, p->store, &q, &d, &e)) {
        html_put_blocks(d, &look, prefix.s, p->out);
        doc_free(d);
    } else {
        page_str(p, "<p class=\"missing\">Not here: ");
        page_text_of(p, e.msg);
        page_str(p, "</p>\n");
    }
    buf_release(&prefix);
    page_str(p, "</section>\n");
}

void page_put_reports(struct page *p)
{
    for (const struct report *const *r = report_all; *r; r++)
        if (page_has_report(*r))
            put_report(p, *r);
}
