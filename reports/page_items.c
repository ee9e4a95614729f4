/* Items of a cell with their answers, beside the references and the full cache's answers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/json.h"
#include "harness/base/utf8.h"
#include "reports/page_int.h"

/* ---- words of strangers ---- */

/* Where text may be cut: not within a character. */
static size_t cut_at(struct text t)
{
    size_t n = PAGE_ANSWER_BYTES;
    if (t.n <= n)
        return t.n;
    while (n > PAGE_ANSWER_BYTES - 4 && ((unsigned char)t.s[n] & 0xC0) == 0x80)
        n--;
    return n;
}

/* Line breaks stay; all else that a page would obey is escaped. */
static void put_words(struct page *p, struct text t)
{
    const size_t whole = t.n, n = cut_at(t);
    struct text rest = {t.s, n};
    while (rest.n) {
        size_t line = text_find(rest, text_of("\n"), 0);
        page_text(p, (struct text){rest.s, line});
        page_str(p, line < rest.n ? "\n" : "");
        line += line < rest.n;
        rest.s += line, rest.n -= line;
    }
    if (n < whole)
        page_printf(p, "<i class=\"quiet\"> … and %zu bytes more</i>", whole - n);
    if (!whole)
        page_str(p, "<i class=\"quiet\">nothing</i>");
}

static void put_words_cell(struct page *p, struct text t)
{
    page_str(p, "<td class=\"words\" dir=\"auto\">");
    put_words(p, t);
    page_str(p, "</td>");
}

/* A JSON array of strings; what is not one is shown as it stands. */
static void put_references(struct page *p, struct text answers)
{
    struct err e;
    struct json *j = answers.s ? json_read(answers, &e) : NULL;
    if (!j || json_type(j) != JSON_ARRAY) {
        put_words_cell(p, answers);
        json_free(j);
        return;
    }
    page_str(p, "<td class=\"words\">");
    page_str(p, json_length(j) > 1 ? "<ul>" : "");
    for (const struct json *a = json_first(j); a; a = json_next(a)) {
        page_str(p, json_length(j) > 1 ? "<li dir=\"auto\">" : "<span dir=\"auto\">");
        put_words(p, json_type(a) == JSON_STRING ? json_string(a) : text_of(""));
        page_str(p, json_length(j) > 1 ? "</li>" : "</span>");
    }
    page_str(p, json_length(j) > 1 ? "</ul></td>" : "</td>");
    json_free(j);
}

/* ---- rows ---- */

static void put_count(struct page *p, int64_t n)
{
    if (n < 0)
        page_str(p, "<td class=\"n\">-</td>");
    else
        page_printf(p, "<td class=\"n\">%lld</td>", (long long)n);
}

static void put_score(struct page *p, double x)
{
    page_str(p, "<td class=\"n\">");
    page_number(p, x, 1, false);
    page_str(p, "</td>");
}

static void put_share(struct page *p, int64_t bytes, int64_t full)
{
    put_score(p, bytes >= 0 && full > 0 ? 100.0 * (double)bytes / (double)full : NAN);
}

static const struct scores_item *item_of(const struct page *p, const struct page_item *i, int row)
{
    return &p->scores.table[i->table].row[row].cell[i->task].item[i->place];
}

enum { SAMPLE, ANSWER, ERROR, STOP, REFERENCES, FULL, COLUMNS };

static void put_answers(struct page *p, const struct stmt *q, bool beside)
{
    const struct text full = stmt_text(q, FULL), answer = stmt_text(q, ANSWER);
    put_references(p, stmt_text(q, REFERENCES));
    if (stmt_text(q, ERROR).s) {
        page_str(p, "<td class=\"words\"><b>failed:</b> ");
        put_words(p, stmt_text(q, ERROR));
        page_str(p, "</td>");
    } else {
        put_words_cell(p, answer);
    }
    if (!beside)
        return;
    if (!full.s)
        page_str(p, "<td class=\"words\"><i class=\"quiet\">has none</i></td>");
    else if (answer.s && text_eq(full, answer))
        page_str(p, "<td class=\"words\"><i class=\"quiet\">the same</i></td>");
    else
        put_words_cell(p, full);
}

static void put_row(struct page *p, const struct page_item *i, const struct stmt *q)
{
    const int base = p->comparison[i->table].options.baseline;
    const bool beside = base >= 0 && base != i->row;
    const struct scores_item *m = item_of(p, i, i->row);
    const struct text stop = stmt_text(q, STOP);
    page_str(p, "<tr><th scope=\"row\">");
    page_text(p, stmt_text(q, SAMPLE));
    page_str(p, "</th>");
    put_score(p, m->score);
    if (beside)
        put_score(p, item_of(p, i, base)->score);
    put_answers(p, q, beside);
    put_count(p, m->prompt_tokens);
    put_count(p, m->new_tokens);
    page_str(p, "<td>");
    page_text(p, stop.s ? stop : text_of("-"));
    page_str(p, "</td>");
    put_count(p, m->kv_bytes);
    put_share(p, m->kv_bytes, m->kv_full_bytes);
    put_share(p, m->kv_read_bytes, m->kv_read_full_bytes);
    page_str(p, "</tr>\n");
}

static int put_item(struct page *p, const struct page_item *i, struct err *e)
{
    static const char sql[] =
        "SELECT j.sample, j.prediction, j.error, j.stop, a.answers,"
        " (SELECT f.prediction FROM job f WHERE f.id = ?2)"
        " FROM job j LEFT JOIN sample a ON a.hash = j.sample_hash WHERE j.id = ?1";
    const int base = p->comparison[i->table].options.baseline;
    const struct db_val v[] = {val_int(item_of(p, i, i->row)->job),
                               val_int(base >= 0 ? item_of(p, i, base)->job : 0)};
    struct stmt *q;
    if (stmt_open(store_db(p->store), sql, v, 2, &q, e))
        return -1;
    int rc = stmt_step(q, e);
    if (rc == 1)
        put_row(p, i, q);
    stmt_close(q);
    return rc < 0 ? -1 : 0;
}

int page_put_items(struct page *p, const struct page_item *i, int n, struct err *e)
{
    const int base = p->comparison[i->table].options.baseline;
    const bool beside = base >= 0 && base != i->row;
    int rc = 0;
    page_printf(
        p,
        "<div class=\"box\" tabindex=\"0\" role=\"region\" aria-label=\"Items\">\n"
        "<table class=\"items\">\n<thead>\n<tr><th scope=\"col\">item</th>"
        "<th scope=\"col\" class=\"n\">score</th>%s<th scope=\"col\">references</th>"
        "<th scope=\"col\">answer</th>%s<th scope=\"col\" class=\"n\">prompt</th>"
        "<th scope=\"col\" class=\"n\">new</th><th scope=\"col\">end</th>"
        "<th scope=\"col\" class=\"n\">KV bytes</th><th scope=\"col\" class=\"n\">KV %%</th>"
        "<th scope=\"col\" class=\"n\">read %%</th></tr>\n</thead>\n<tbody>\n",
        beside ? "<th scope=\"col\" class=\"n\">full</th>" : "",
        beside ? "<th scope=\"col\">full cache’s answer</th>" : "");
    for (int k = 0; k < n && !rc; k++)
        rc = put_item(p, &i[k], e);
    page_str(p, "</tbody>\n</table>\n</div>\n");
    return rc;
}
