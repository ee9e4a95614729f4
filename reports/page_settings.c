/* Settings one by one: what they are, and of every task all that is known, with its items. */
#include <math.h>
#include <string.h>

#include "reports/page_int.h"

/* ---- facts of a cell: few bytes, there are thousands ---- */

static void put_stderr(struct page *p, double x)
{
    if (isnan(x))
        return;
    page_str(p, " ± ");
    page_number(p, x, 2, false);
}

static void put_interval(struct page *p, struct stats_interval i, bool plus)
{
    if (isnan(i.lo))
        return;
    page_str(p, " [");
    page_number(p, i.lo, 2, plus);
    page_str(p, ", ");
    page_number(p, i.hi, 2, plus);
    page_str(p, "]");
}

static void put_counts(struct page *p, const struct scores_cell *c, int items)
{
    const struct {
        const char *name;
        int n;
    } count[] = {{"failed", c->failed},
                 {"left", c->left},
                 {"without a score", c->done - c->n},
                 {"not planned", items - c->planned}};
    page_printf(p, "n %d of %d", c->n, items);
    for (size_t i = 0; i < sizeof count / sizeof *count; i++)
        if (count[i].n > 0)
            page_printf(p, ", %d %s", count[i].n, count[i].name);
}

static void put_difference(struct page *p, const struct comparison_difference *d)
{
    const struct stats_paired *d2 = &d->paired;
    if (!d2->pairs)
        return;
    page_str(p, "<br />less full ");
    page_number(p, d2->difference, 2, true);
    put_stderr(p, d2->stderr_);
    put_interval(p, d->interval, true);
    page_printf(p, "; %d better, %d worse, %d equal of %d pairs", d2->won, d2->lost, d2->tied,
                d2->pairs);
    if (isnan(d2->p))
        return;
    page_printf(p, "; p %.4f (%s)", d2->p, stats_test_name(d2->test));
    if (!isnan(d->adjusted))
        page_printf(p, ", adjusted (BH) %.4f", d->adjusted);
}

static void put_facts(struct page *p, int table, int row, int task)
{
    const struct scores_table *t = &p->scores.table[table];
    const struct comparison_cell *c = &page_compared(p, table, row)->cell[task];
    page_str(p, "<p>");
    page_text_of(p, t->task[task].metric);
    page_str(p, " ");
    page_number(p, c->score.mean, 2, false);
    put_stderr(p, c->score.stderr_);
    put_interval(p, c->score.interval, false);
    page_str(p, "; ");
    put_counts(p, &t->row[row].cell[task], t->task[task].n_items);
    put_difference(p, &c->difference);
    page_str(p, "</p>\n");
}

/* ---- a cell ---- */

static void put_summary(struct page *p, int table, int row, int task)
{
    const struct comparison_cell *c = &page_compared(p, table, row)->cell[task];
    page_str(p, "<summary><b>");
    page_text_of(p, p->scores.table[table].task[task].name);
    page_str(p, "</b> ");
    page_number(p, c->score.mean, 1, false);
    page_printf(p, " <small>n %d", c->score.n);
    if (!isnan(c->difference.paired.difference)) {
        page_str(p, ", ");
        page_number(p, c->difference.paired.difference, 1, true);
        page_str(p, comparison_is_shown(&c->difference) ? "† to full" : " to full");
    }
    page_str(p, "</small></summary>\n");
}

/* Where the others are. */
static void put_shown(struct page *p, const struct scores_cell *c, int shown)
{
    page_printf(p, "<p class=\"quiet\">%d of %d items shown%s</p>\n", shown, c->done + c->failed,
                shown > 1 ? ", the largest loss first" : "");
}

/* Items from *at on that are the cell's. */
static int put_cell(struct page *p, int table, int row, int task, int *at, struct err *e)
{
    const struct scores_table *t = &p->scores.table[table];
    const int from = *at;
    while (*at < p->n_items && p->item[*at].table == table && p->item[*at].row == row &&
           p->item[*at].task == task)
        ++*at;
    page_str(p, "<details class=\"cell\" data-task=\"");
    page_text_of(p, t->task[task].name);
    page_str(p, "\">");
    put_summary(p, table, row, task);
    page_printf(p, "<div id=\"c%lld-%lld\">\n", (long long)t->row[row].run,
                (long long)t->task[task].id);
    put_facts(p, table, row, task);
    put_shown(p, &t->row[row].cell[task], *at - from);
    int rc = *at > from ? page_put_items(p, p->item + from, *at - from, e) : 0;
    page_str(p, "</div></details>\n");
    return rc;
}

/* ---- a setting ---- */

static int put_configuration(struct page *p, int64_t run, struct err *e)
{
    static const char sql[] = "SELECT c.chain, c.json, c.identity, r.identity, r.origin FROM run r "
                              "JOIN setting c ON c.id = r.setting WHERE r.id = ?1";
    const struct db_val v = val_int(run);
    struct stmt *q;
    if (stmt_open(store_db(p->store), sql, &v, 1, &q, e))
        return -1;
    int rc = stmt_step(q, e);
    if (rc == 1) {
        page_printf(p, "<p class=\"quiet\">run %lld, chain ", (long long)run);
        page_text(p, stmt_text(q, 0));
        page_str(p, "</p>\n<details><summary><small>configuration and hashes</small></summary>"
                    "<div>\n<pre>");
        page_text(p, stmt_text(q, 1));
        page_str(p, "</pre>\n<p class=\"quiet\">setting <code>");
        page_text(p, stmt_text(q, 2));
        page_str(p, "</code>, run <code>");
        page_text(p, stmt_text(q, 3));
        page_str(p, "</code>, origin ");
        page_text(p, stmt_text(q, 4));
        page_str(p, "</p></div></details>\n");
    }
    stmt_close(q);
    return rc < 0 ? -1 : 0;
}

static int put_setting(struct page *p, int table, int row, int *at, struct err *e)
{
    const struct scores_table *t = &p->scores.table[table];
    const struct scores_row *r = &t->row[row];
    page_str(p, "<section class=\"setting\" data-method=\"");
    page_text_of(p, r->method);
    page_str(p, "\" data-text=\"");
    page_text_of(p, r->name);
    page_str(p, " ");
    page_text_of(p, r->method);
    page_printf(p, "\" id=\"r%lld\">\n<h3>", (long long)r->run);
    page_text_of(p, r->name);
    page_str(p, "</h3>\n");
    if (put_configuration(p, r->run, e))
        return -1;
    page_printf(
        p,
        "<p class=\"quiet\">all its items: <code>kvlab query &quot;SELECT task, sample, score, "
        "prediction, answers FROM item WHERE run = %lld ORDER BY task, score&quot;</code></p>\n",
        (long long)r->run);
    for (int i = 0; i < t->n_tasks; i++)
        if (put_cell(p, table, row, i, at, e))
            return -1;
    page_str(p, "</section>\n");
    return 0;
}

int page_put_settings(struct page *p, struct err *e)
{
    int at = 0;
    for (int i = 0; i < p->scores.n_tables; i++) {
        const struct scores_table *t = &p->scores.table[i];
        page_printf(p, "<section id=\"items%d\">\n<h2>Settings and items: ", i);
        page_variant(p, i);
        page_str(p, "</h2>\n");
        if (p->n_items < p->of_items)
            page_printf(
                p,
                "<p>%d of %d items of this page are shown with their answers: of every "
                "cell those that failed and those that lost the most (--items N: more).</p>\n",
                p->n_items, p->of_items);
        for (int k = 0; k < t->n_rows; k++)
            if (put_setting(p, i, k, &at, e))
                return -1;
        page_str(p, "</section>\n");
    }
    return 0;
}
