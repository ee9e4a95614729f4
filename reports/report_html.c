/* The page that a colleague opens: scores, every other report, and the items behind each number. */
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "reports/page_int.h"

static int put_page(struct store *s, const struct report_request *r, int *undrawn, struct buf *out,
                    struct err *e);

const struct report report_html = {
    .name = "html",
    .summary = "one page of all reports, with the items behind every number (-o FILE.html)",
    .help =
        "One file that asks nothing of any other: sorted and filtered in a browser, whole "
        "without its script. A score leads to its items: the answers beside the references "
        "and the full cache's answers. 1000 items are shown unless --items says else, and up to "
        "100 of a setting and task: those that failed, then those that lost the most, first "
        "the first of every setting and task, then the second ones; the page says how many of "
        "how many, and has the query for the others.",
    .takes = REPORT_EXPERIMENT | REPORT_MODEL | REPORT_BASELINE | REPORT_RESAMPLING | REPORT_ITEMS,
    .page = put_page,
};

static int baseline_of(const struct scores_table *t, const char *wanted)
{
    for (int i = 0; wanted && i < t->n_rows; i++)
        if (!strcmp(t->row[i].name, wanted))
            return i;
    return scores_reference(t);
}

int page_load(struct page *p, struct store *s, const struct report_request *r, struct err *e)
{
    const struct scores_request q = {
        .experiment = r->experiment, .model = r->model, .measures = true};
    p->store = s;
    p->request = r;
    if (report_check_names(&report_html, s, r, e) || scores_load(&p->scores, s, &q, e))
        return -1;
    p->comparison = xcalloc((size_t)p->scores.n_tables + 1, sizeof *p->comparison);
    for (int i = 0; i < p->scores.n_tables; i++) {
        const struct comparison_options o = {.seed = r->seed,
                                             .resamples = r->resamples,
                                             .level = r->level / 100,
                                             .baseline =
                                                 baseline_of(&p->scores.table[i], r->baseline)};
        comparison_init(&p->comparison[i], &p->scores.table[i], &o);
    }
    p->loaded = (struct loaded){&p->scores, p->comparison};
    page_choose_items(p);
    return 0;
}

void page_release(struct page *p)
{
    for (int i = 0; p->comparison && i < p->scores.n_tables; i++)
        comparison_release(&p->comparison[i]);
    free(p->comparison);
    free(p->item);
    if (p->scores.name)
        scores_release(&p->scores);
}

static int put_parts(struct page *p, struct err *e)
{
    page_put_begin(p);
    if (page_put_head(p, e))
        return -1;
    page_put_filters(p);
    page_put_scores(p);
    page_put_reports(p);
    if (page_put_settings(p, e))
        return -1;
    page_put_end(p);
    return 0;
}

static int put_page(struct store *s, const struct report_request *r, int *undrawn, struct buf *out,
                    struct err *e)
{
    struct page p = {.out = out};
    int rc = page_load(&p, s, r, e) || put_parts(&p, e) ? -1 : 0;
    *undrawn += p.undrawn;
    page_release(&p);
    return rc;
}
