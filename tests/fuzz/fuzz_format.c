/* The input's lines as the names, words and cells of a document: every format writes it, and what
 * it writes is still of the format. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/json.h"
#include "harness/base/mem.h"
#include "reports/format.h"
#include "reports/plot_int.h"
#include "tests/fuzz/fuzz.h"

enum { PIECES = 12, COLUMNS = 3 };

/* Up to PIECES strings, cut at line ends; the last one has the rest, line ends and all. */
struct pieces {
    char *s[PIECES];
};

static struct pieces cut(const unsigned char *data, size_t n)
{
    struct pieces p;
    struct text rest = {(const char *)data, n};
    for (int i = 0; i < PIECES; i++) {
        size_t end = i < PIECES - 1 ? text_find(rest, text_of("\n"), 0) : rest.n;
        p.s[i] = xstrndup(rest.s, end);
        end += end < rest.n;
        rest.s += end, rest.n -= end;
    }
    return p;
}

static struct doc *make_doc(const struct pieces *p)
{
    struct doc *d = doc_new("fuzz");
    doc_title(d, "%s", p->s[0]);
    doc_field(d, "experiment", p->s[1]);
    doc_heading(d, "%s", p->s[2]);
    doc_fact(d, p->s[3], "%s", p->s[4]);
    struct grid *g = doc_grid(d, DOC_BOTH, "grid", p->s[5]);
    for (int i = 0; i < COLUMNS; i++)
        grid_column(g, p->s[6], p->s[7 + i % 2], i ? GRID_RIGHT : GRID_LEFT);
    for (int i = 0; i < 4 * COLUMNS; i++) {
        grid_cell(g, text_of(p->s[i % PIECES]));
        grid_mark(g, (enum grid_mark)(i & 7));
    }
    doc_note(d, "%s", p->s[9]);
    doc_quote(d, p->s[10], text_of(p->s[11]));
    doc_end(d);
    return d;
}

/* ---- what must hold ---- */

static void check_json(struct text t)
{
    struct err e;
    struct json *j = json_read(t, &e);
    assert(j);
    json_free(j);
}

/* As many fields in each record, and as many records as rows and a head. */
static void check_csv(struct text t)
{
    bool quoted = false;
    int fields = 1, records = 0;
    for (size_t i = 0; i < t.n; i++) {
        if (t.s[i] == '"')
            quoted = !quoted;
        fields += !quoted && t.s[i] == ',';
        if (!quoted && t.s[i] == '\n') {
            assert(fields == COLUMNS);
            fields = 1;
            records++;
        }
    }
    assert(!quoted && records == 5);
}

/* Angle brackets come in pairs, and no element but ours. */
static void check_html(struct text t)
{
    static const char *const never[] = {"<script", "<img", "<!--"};
    int open = 0;
    for (size_t i = 0; i < t.n; i++)
        open += t.s[i] == '<' ? 1 : t.s[i] == '>' ? -1 : 0;
    assert(!open);
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        assert(text_find(t, text_of(never[i]), 0) == t.n);
}

static void check_latex(struct text t)
{
    int depth = 0;
    for (size_t i = 0; i < t.n; i++) {
        if (t.s[i] == '%' && (!i || t.s[i - 1] == '\n'))
            i = text_find(t, text_of("\n"), i); // a comment of ours
        else if (t.s[i] == '\\')
            i++;
        else
            depth += t.s[i] == '{' ? 1 : t.s[i] == '}' ? -1 : 0;
        assert(depth >= 0);
    }
    assert(!depth);
}

static void check_visible(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        assert(t.s[i] == '\n' || ((unsigned char)t.s[i] >= 0x20 && t.s[i] != 0x7F));
}

static void check_format(const struct doc *d, const struct format *f)
{
    static const struct {
        const char *name;
        void (*check)(struct text t);
    } checks[] = {{"json", check_json},        {"csv", check_csv},       {"html", check_html},
                  {"latex", check_latex},      {"latex", check_visible}, {"html", check_visible},
                  {"markdown", check_visible}, {"text", check_visible}};
    const struct format_look look = {.width = 60};
    struct err e;
    struct buf b;
    buf_init(&b);
    int rc = f->put(d, &look, &b, &e);
    assert(!rc);
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (!strcmp(checks[i].name, f->name))
            checks[i].check(text_buf(&b));
    buf_release(&b);
}

/* gnuplot takes no line ends within quotes. */
static void check_plot(const struct pieces *pieces)
{
    struct plot *p = plot_new("fuzz", pieces->s[0]);
    struct buf b;
    buf_init(&b);
    plot_x(p, pieces->s[1], PLOT_LOG);
    plot_y(p, pieces->s[2], PLOT_LINEAR);
    for (int i = 3; i < PIECES; i++) {
        plot_series(p, pieces->s[i], PLOT_BARS);
        plot_point(p, i, strlen(pieces->s[i]), NAN, NAN);
    }
    plot_put_data(p, &b);
    check_visible(text_buf(&b));
    buf_reset(&b);
    plot_put_script(p, PLOT_SVG, &b);
    check_visible(text_buf(&b));
    for (size_t i = 0, quotes = 0; i < b.n; i++) {
        quotes += b.s[i] == '\'';
        assert(b.s[i] != '\n' || quotes % 2 == 0);
        quotes = b.s[i] == '\n' ? 0 : quotes;
    }
    buf_release(&b);
    plot_free(p);
}

void fuzz_one(const unsigned char *data, size_t n)
{
    struct pieces p = cut(data, n);
    struct doc *d = make_doc(&p);
    for (const struct format *const *f = format_all; *f; f++)
        check_format(d, *f);
    doc_free(d);
    check_plot(&p);
    for (int i = 0; i < PIECES; i++)
        free(p.s[i]);
}
