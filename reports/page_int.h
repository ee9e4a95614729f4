/*
 * Parts of the page that `kvlab report html` writes: one file that is whole without its script and
 * asks nothing of any other. Scores and what is said of them are the page's; texts are escaped by
 * html.h. Ids: v0 a table, r12 the setting of run 12, c12-3 its items of task 3.
 */
#ifndef KVLAB_PAGE_INT_H
#define KVLAB_PAGE_INT_H

#include "reports/comparison.h"
#include "reports/html.h"
#include "reports/loaded.h"
#include "reports/report.h"

/* Items that are shown with their answers: of a cell, and of the page unless --items says else. */
enum { PAGE_CELL_ITEMS = 100, PAGE_ITEMS = 1000, PAGE_ANSWER_BYTES = 1500 };

/* An item that is shown. */
struct page_item {
    int table, row, task, place; // place: of the task's items
    int rank;                    // within its cell: 0 lost the most
    double difference;           // to the baseline's score; NaN: none. Of that itself its score
    /* What it asks of a reader, the most first. Where the baseline has no score, nothing is lost.
     */
    enum page_need { PAGE_FAILED, PAGE_UNSCORED, PAGE_PAIRED, PAGE_ALONE } need;
};

struct page {
    struct store *store;
    const struct report_request *request;
    struct scores scores;
    struct comparison *comparison; // [n_tables]
    struct loaded loaded;          // both, for the reports in the page
    struct page_item *item;        // shown, by table, row, task, rank
    int n_items, of_items;
    int undrawn; // plots
    struct buf *out;
};

int page_load(struct page *p, struct store *s, const struct report_request *r, struct err *e);
void page_release(struct page *p);

/* Which items are shown. */
void page_choose_items(struct page *p);

/* Whether it stands in the page. */
bool page_has_report(const struct report *r);

/* In the order of the page. Those that ask the database can fail. */
void page_put_begin(struct page *p);
int page_put_head(struct page *p, struct err *e);
void page_put_filters(struct page *p);
void page_put_scores(struct page *p);
void page_put_reports(struct page *p);
int page_put_settings(struct page *p, struct err *e);
int page_put_items(struct page *p, const struct page_item *i, int n, struct err *e);
void page_put_end(struct page *p);

/* ---- pieces ---- */

void page_str(struct page *p, const char *markup);
void page_printf(struct page *p, const char *markup, ...) ERR_PRINTF(2, 3);
void page_text(struct page *p, struct text t); // escaped
void page_text_of(struct page *p, const char *s);
/* <dt>name<dd>value, of words. */
void page_fact(struct page *p, const char *name, const char *fmt, ...) ERR_PRINTF(3, 4);
/* A number with so many decimals and a true minus sign; "+" where it is asked for; NaN: "-". */
void page_number(struct page *p, double x, int decimals, bool plus);

/* Bytes at the end as a share of a full f16 cache, of all items of a row that have both; NaN: none.
 * Of reads the same. */
struct page_costs {
    double kv, read, tokens_second;
};
struct page_costs page_costs(const struct scores_table *t, const struct scores_row *r);

/* Model and protocol of a table, with what differs where the model has several of the name. */
void page_variant(struct page *p, int table);

/* What is said of a cell or an average. */
const struct comparison_row *page_compared(const struct page *p, int table, int row);

#endif
