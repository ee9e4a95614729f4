/* A document as a page of its own. */
#include "reports/doc_int.h"
#include "reports/format.h"
#include "reports/html.h"

static int put_document(const struct doc *d, const struct format_look *look, struct buf *out,
                        struct err *e);

const struct format format_html = {
    .name = "html", .endings = (const char *const[]){".html", ".htm", NULL}, .put = put_document};

static int put_document(const struct doc *d, const struct format_look *look, struct buf *out,
                        struct err *e)
{
    const struct text title = *d->title ? text_of(d->title) : text_of(d->report);
    (void)e;
    html_begin(title, NULL, out);
    buf_str(out, "<h1>");
    html_put_text(title, out);
    buf_str(out, "</h1>\n");
    html_put_blocks(d, look, "", out);
    html_end(out);
    return 0;
}
