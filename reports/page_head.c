/* The page's begin and end: what it is of, what is in it, and the filters that its script works. */
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "reports/page_assets.h"
#include "reports/page_int.h"

void page_put_begin(struct page *p)
{
    page_str(p, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\" />\n"
                "<meta http-equiv=\"Content-Security-Policy\" content=\"");
    page_assets_policy(p->out);
    page_str(p,
             "\" />\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\n"
             "<meta name=\"referrer\" content=\"no-referrer\" />\n<title>");
    page_text_of(p, p->scores.name);
    page_str(p, " - kvlab</title>\n<style>");
    page_assets_style(p->out);
    page_str(p, "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#v0\">To the scores</a>\n");
}

void page_put_end(struct page *p)
{
    page_str(p, "</main>\n<script>");
    page_assets_script(p->out);
    page_str(p, "</script>\n</body>\n</html>\n");
}

/* ---- what it is of ---- */

static void put_counts(struct page *p)
{
    int done = 0, failed = 0, left = 0, unscored = 0, settings = 0, tasks = 0;
    for (int i = 0; i < p->scores.n_tables; i++) {
        const struct scores_table *t = &p->scores.table[i];
        settings += t->n_rows;
        tasks = t->n_tasks > tasks ? t->n_tasks : tasks;
        for (int k = 0; k < t->n_rows; k++)
            for (int j = 0; j < t->n_tasks; j++) {
                const struct scores_cell *c = &t->row[k].cell[j];
                done += c->done, failed += c->failed, left += c->left, unscored += c->done - c->n;
            }
    }
    page_fact(p, "settings", "%d", settings);
    page_fact(p, "tasks", "%d", tasks);
    page_fact(p, "items", "%d done, %d failed, %d left%s", done, failed, left,
              unscored ? "; some without a score" : "");
}

static int put_experiment(struct page *p, struct err *e)
{
    const struct db_val v = val_int(p->scores.experiment);
    struct stmt *q;
    if (stmt_open(store_db(p->store), "SELECT config_hash, planned FROM experiment WHERE id = ?1",
                  &v, 1, &q, e))
        return -1;
    int rc = stmt_step(q, e);
    if (rc == 1) {
        struct text hash = stmt_text(q, 0), planned = stmt_text(q, 1);
        page_fact(p, "configuration", "%.*s", (int)hash.n, hash.s);
        page_fact(p, "planned", "%.*s", (int)planned.n, planned.s);
    }
    stmt_close(q);
    return rc < 0 ? -1 : 0;
}

/* ---- what is in it ---- */

/* Several tables have numbers, as in the head. */
static void put_link(struct page *p, const char *id, int n, const char *words)
{
    page_printf(p, "<li><a href=\"#%s%d\">%s", id, n, words);
    if (p->scores.n_tables > 1)
        page_printf(p, " %d", n + 1);
    page_str(p, "</a></li>\n");
}

static void put_contents(struct page *p)
{
    page_str(p, "<nav aria-label=\"Contents\"><ul>\n");
    for (int i = 0; i < p->scores.n_tables; i++)
        put_link(p, "v", i, "scores");
    for (const struct report *const *r = report_all; *r; r++)
        if (page_has_report(*r))
            page_printf(p, "<li><a href=\"#report-%s\">%s</a></li>\n", (*r)->name, (*r)->name);
    for (int i = 0; i < p->scores.n_tables; i++)
        put_link(p, "items", i, "settings and items");
    page_str(p, "</ul></nav>\n");
}

static void put_variant(struct page *p, int table)
{
    page_printf(p, "<dt>%s</dt><dd>", table ? "and" : "model");
    page_variant(p, table);
    page_str(p, "</dd>\n");
}

int page_put_head(struct page *p, struct err *e)
{
    page_str(p, "<main>\n<header>\n<div class=\"top\"><h1>");
    page_text_of(p, p->scores.name);
    page_str(p,
             "</h1><button type=\"button\" id=\"theme\" hidden=\"hidden\">Colours</button></div>\n"
             "<dl>\n");
    for (int i = 0; i < p->scores.n_tables; i++)
        put_variant(p, i);
    put_counts(p);
    if (put_experiment(p, e))
        return -1;
    page_str(p, "</dl>\n");
    put_contents(p);
    page_str(p, "</header>\n");
    return 0;
}

/* ---- filters ---- */

/* Names in the order of their first appearance, each once. */
struct names {
    const char **v;
    int n;
};

static void add_name(struct names *names, const char *name)
{
    for (int i = 0; i < names->n; i++)
        if (!strcmp(names->v[i], name))
            return;
    names->v = xrealloc(names->v, mem_size((size_t)names->n + 1, sizeof *names->v));
    names->v[names->n++] = name;
}

static void put_filter(struct page *p, const char *kind, const char *label, struct names *names)
{
    page_printf(p,
                "<label for=\"find-%s\">%s</label>\n<div><input type=\"search\" id=\"find-%s\" "
                "placeholder=\"words of a name\" autocomplete=\"off\" />\n",
                kind, label, kind);
    for (int i = 0; i < names->n; i++) {
        page_printf(
            p, "<button type=\"button\" aria-pressed=\"false\" data-kind=\"%s\" data-key=\"", kind);
        page_text_of(p, names->v[i]);
        page_str(p, "\">");
        page_text_of(p, names->v[i]);
        page_str(p, "</button>\n");
    }
    page_str(p, "</div>\n");
    free(names->v);
}

void page_put_filters(struct page *p)
{
    struct names methods = {0}, tasks = {0};
    for (int i = 0; i < p->scores.n_tables; i++) {
        const struct scores_table *t = &p->scores.table[i];
        for (int k = 0; k < t->n_rows; k++)
            add_name(&methods, t->row[k].method);
        for (int k = 0; k < t->n_tasks; k++)
            add_name(&tasks, t->task[k].name);
    }
    page_str(p, "<div class=\"filters\" id=\"filters\" role=\"search\" hidden=\"hidden\">\n");
    put_filter(p, "method", "Settings", &methods);
    put_filter(p, "task", "Tasks", &tasks);
    page_str(p, "<output aria-live=\"polite\"></output>\n</div>\n");
}
