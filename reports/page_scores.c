/* The page's tables of scores: settings by tasks, a table a model and protocol. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/json.h"
#include "reports/page_int.h"

/* ---- heads ---- */

static void put_head(struct page *p, const char *name, const char *title)
{
    page_printf(p, "<th scope=\"col\" class=\"n\" title=\"%s\">", title);
    page_text_of(p, name);
    page_str(p, "</th>");
}

static int category_end(const struct scores_table *t, int from)
{
    int i = from;
    while (i < t->n_tasks && !strcmp(t->task[i].category, t->task[from].category))
        i++;
    return i;
}

static void put_categories(struct page *p, const struct scores_table *t)
{
    for (int i = 0, end; i < t->n_tasks; i = end) {
        end = category_end(t, i);
        page_printf(p, "<th scope=\"colgroup\" colspan=\"%d\" data-group=\"", end - i);
        page_text_of(p, t->task[i].category);
        page_str(p, "\">");
        page_text_of(p, t->task[i].category);
        page_str(p, "</th>");
    }
}

static void put_heads(struct page *p, const struct scores_table *t)
{
    page_str(p, "<thead>\n<tr><th scope=\"col\" rowspan=\"2\">setting</th>"
                "<th scope=\"colgroup\" colspan=\"3\">mean</th>"
                "<th scope=\"colgroup\" colspan=\"3\">cost</th>");
    put_categories(p, t);
    page_str(p, "</tr>\n<tr>");
    put_head(p, "tasks", "mean of all tasks");
    put_head(p, "categories",
             "mean of the categories&#39; means, as on LongBench&#39;s leaderboard");
    put_head(p, "− full", "mean of tasks less that of the full cache, by item");
    put_head(p, "KV %", "bytes of the cache at the end as a share of a full f16 cache");
    put_head(p, "read %", "bytes of the cache that steps read, as a share of the same");
    put_head(p, "tok/s", "tokens a second of decoding");
    for (int i = 0; i < t->n_tasks; i++) {
        page_str(p, "<th scope=\"col\" class=\"n\" data-task=\"");
        page_text_of(p, t->task[i].name);
        page_str(p, "\" data-of=\"");
        page_text_of(p, t->task[i].category);
        page_str(p, "\">");
        page_text_of(p, t->task[i].name);
        page_str(p, "</th>");
    }
    page_str(p, "</tr>\n</thead>\n");
}

/* ---- cells ---- */

static void put_interval(struct page *p, struct stats_interval i, bool plus)
{
    if (isnan(i.lo))
        return;
    page_str(p, " [");
    page_number(p, i.lo, 1, plus);
    page_str(p, ", ");
    page_number(p, i.hi, 1, plus);
    page_str(p, "]");
}

/* One of the three is shown: standard error, interval, difference to the full cache. */
static void put_behind(struct page *p, const struct comparison_cell *c)
{
    page_str(p, "<small class=\"se\">");
    if (!isnan(c->score.stderr_)) {
        page_str(p, " ±");
        page_number(p, c->score.stderr_, 1, false);
    }
    page_str(p, "</small><small class=\"ci\">");
    put_interval(p, c->score.interval, false);
    page_str(p, "</small><small class=\"df\">");
    if (!isnan(c->difference.paired.difference)) {
        page_str(p, " ");
        page_number(p, c->difference.paired.difference, 1, true);
    }
    page_str(p, "</small>");
}

static const char *shade(const struct comparison_difference *d)
{
    if (!comparison_is_shown(d))
        return "";
    return d->paired.difference < 0 ? " lower" : " higher";
}

static void put_value(struct page *p, double x)
{
    if (isnan(x))
        return;
    page_str(p, " data-value=\"");
    json_put_number(p->out, x);
    page_str(p, "\"");
}

static void put_cell(struct page *p, const struct comparison_cell *c, bool best, const char *href)
{
    page_printf(p, "<td class=\"n%s%s\"", best ? " best" : "", shade(&c->difference));
    put_value(p, c->score.mean);
    page_str(p, ">");
    page_printf(p, *href ? "<a href=\"#%s\">" : "%s", href);
    page_number(p, c->score.mean, 1, false);
    page_str(p, *href ? "</a>" : "");
    page_str(p, c->score.missing ? "<span title=\"items are missing\">*</span>" : "");
    page_str(p, comparison_is_shown(&c->difference) ? "<sup>†</sup>" : "<sup></sup>");
    if (!isnan(c->score.mean))
        put_behind(p, c);
    page_str(p, "</td>");
}

static void put_difference(struct page *p, const struct comparison_cell *c)
{
    page_printf(p, "<td class=\"n%s\"", shade(&c->difference));
    put_value(p, c->difference.paired.difference);
    page_str(p, ">");
    page_number(p, c->difference.paired.difference, 1, true);
    page_str(p, comparison_is_shown(&c->difference) ? "<sup>†</sup>" : "<sup></sup>");
    page_str(p, "<small class=\"se\">");
    if (!isnan(c->difference.paired.stderr_)) {
        page_str(p, " ±");
        page_number(p, c->difference.paired.stderr_, 1, false);
    }
    page_str(p, "</small><small class=\"ci\">");
    put_interval(p, c->difference.interval, true);
    page_str(p, "</small></td>");
}

static void put_cost(struct page *p, double x)
{
    page_str(p, "<td class=\"n\"");
    put_value(p, x);
    page_str(p, ">");
    page_number(p, x, 1, false);
    page_str(p, "</td>");
}

/* ---- rows ---- */

/* task -1 and below: the averages. */
static const struct comparison_cell *cell_of(const struct page *p, int table, int row, int task)
{
    const struct comparison_row *r = page_compared(p, table, row);
    return task < 0 ? &r->average[-1 - task] : &r->cell[task];
}

/* The best of the compressed settings, where one is worse. */
static bool is_best(const struct page *p, int table, int row, int task)
{
    const struct scores_table *t = &p->scores.table[table];
    const double mine = cell_of(p, table, row, task)->score.mean;
    const double sign = scores_in_nats(t) ? -1 : 1;
    bool any_worse = false;
    if (scores_row_is_reference(&t->row[row]) || isnan(mine))
        return false;
    for (int i = 0; i < t->n_rows; i++) {
        const double x = cell_of(p, table, i, task)->score.mean;
        if (i == row || scores_row_is_reference(&t->row[i]) || isnan(x))
            continue;
        if (sign * x > sign * mine)
            return false;
        any_worse |= sign * x < sign * mine;
    }
    return any_worse;
}

static void put_name(struct page *p, const struct scores_row *r)
{
    page_printf(p, "<th scope=\"row\"><a href=\"#r%lld\">", (long long)r->run);
    page_text_of(p, r->name);
    page_str(p, "</a>");
    if (*r->weights) {
        page_str(p, " <small>");
        page_text_of(p, r->weights);
        page_str(p, "</small>");
    }
    page_str(p, "</th>");
}

static void put_row(struct page *p, int table, int row)
{
    const struct scores_table *t = &p->scores.table[table];
    const struct scores_row *r = &t->row[row];
    const struct page_costs costs = page_costs(t, r);
    page_printf(p, "<tr%s data-method=\"", scores_row_is_reference(r) ? " class=\"full\"" : "");
    page_text_of(p, r->method);
    page_str(p, "\" data-text=\"");
    page_text_of(p, r->name);
    page_str(p, " ");
    page_text_of(p, r->method);
    page_str(p, "\">");
    put_name(p, r);
    char run[32];
    snprintf(run, sizeof run, "r%lld", (long long)r->run);
    for (int a = 0; a < COMPARISON_AVERAGES; a++)
        put_cell(p, cell_of(p, table, row, -1 - a), is_best(p, table, row, -1 - a), run);
    put_difference(p, cell_of(p, table, row, -1));
    put_cost(p, costs.kv);
    put_cost(p, costs.read);
    put_cost(p, costs.tokens_second);
    for (int i = 0; i < t->n_tasks; i++) {
        char href[64];
        snprintf(href, sizeof href, "c%lld-%lld", (long long)r->run, (long long)t->task[i].id);
        put_cell(p, cell_of(p, table, row, i), is_best(p, table, row, i), href);
    }
    page_str(p, "</tr>\n");
}

static void put_items(struct page *p, const struct scores_table *t)
{
    page_str(p, "<tfoot>\n<tr class=\"rule\"><th scope=\"row\">items</th><td></td><td></td>"
                "<td></td><td></td><td></td><td></td>");
    for (int i = 0; i < t->n_tasks; i++)
        page_printf(p, "<td class=\"n\">%d</td>", t->task[i].n_items);
    page_str(p, "</tr>\n</tfoot>\n");
}

/* ---- around it ---- */

static void put_shows(struct page *p, int table)
{
    static const char *const show[][2] = {
        {"se", "standard error"}, {"ci", "interval"}, {"df", "difference to full"}};
    page_str(p, "<p class=\"show quiet\">Beside a score:</p>\n");
    for (size_t i = 0; i < sizeof show / sizeof *show; i++)
        page_printf(
            p,
            "<input type=\"radio\" class=\"show show-%s\" name=\"show%d\" id=\"show%d%s\"%s />"
            "<label class=\"show\" for=\"show%d%s\">%s</label>\n",
            show[i][0], table, table, show[i][0], i ? "" : " checked=\"checked\"", table,
            show[i][0], show[i][1]);
}

static void put_notes(struct page *p, int table)
{
    const struct comparison_options *o = &p->comparison[table].options;
    page_str(p, "<ul class=\"notes\">\n<li>");
    page_str(p, scores_in_nats(&p->scores.table[table])
                    ? "Hundredths of a nat a token, the less the better"
                    : "Scores 0-100");
    page_str(p, ", the mean over the items; a score leads to its items. ±: standard error, by the "
                "chance of items.</li>\n");
    if (o->baseline >= 0) {
        page_str(p, "<li>† and shade (orange lower, blue higher): the ");
        page_printf(p, "%g %% interval of the difference to ‘", 100 * o->level);
        page_text_of(p, p->scores.table[table].row[o->baseline].name);
        page_str(p, "’, paired by item, does not hold 0; not corrected for the number of "
                    "comparisons. Adjusted p stand beside the items.</li>\n");
    }
    page_printf(p,
                "<li>Intervals are by bootstrap over items within tasks, %d resamples, seed %llu; "
                "tasks are fixed.</li>\n<li>* items are missing: see there. Bold: the best of the "
                "compressed settings.</li>\n</ul>\n",
                o->resamples, (unsigned long long)o->seed);
}

static void put_table(struct page *p, int table)
{
    const struct scores_table *t = &p->scores.table[table];
    page_printf(p, "<section class=\"variant\" id=\"v%d\">\n<h2>Scores: ", table);
    page_variant(p, table);
    page_str(p, "</h2>\n");
    put_shows(p, table);
    page_printf(p,
                "<div class=\"box\" tabindex=\"0\" role=\"region\" aria-label=\"Scores\">\n"
                "<table class=\"scores\">\n<caption>%d settings, %d tasks</caption>\n",
                t->n_rows, t->n_tasks);
    put_heads(p, t);
    page_str(p, "<tbody>\n");
    for (int i = 0; i < t->n_rows; i++)
        put_row(p, table, i);
    page_str(p, "</tbody>\n");
    put_items(p, t);
    page_str(p, "</table>\n</div>\n");
    put_notes(p, table);
    page_str(p, "</section>\n");
}

void page_put_scores(struct page *p)
{
    for (int i = 0; i < p->scores.n_tables; i++)
        put_table(p, i);
}
