#include "reports/latex_grid.h"

#include <stdlib.h>

#include "reports/format.h"
#include "reports/visible.h"

enum { WIDE = 8 }; // columns of a table that a paper's column has no room for

/* Of \footnotesize, in points; generous, for nobody here knows the font. */
enum {
    PAGE = 510,  // of a page of two columns
    LETTER = 4,  // a digit or letter
    GAP = 6,     // two \tabcolsep of 3pt
    UPRIGHT = 10 // a line of a head that is turned
};

bool latex_grid_is_wide(const struct grid *g)
{
    return g->n_columns > WIDE;
}

/* Column 0 and [from, to). */
struct part {
    const struct grid *g;
    int from, to;
};

static int next_of(const struct part *p, int i)
{
    return i ? i + 1 : p->from;
}

/* Columns of the part up to i, the first being 1. */
static int place_of(const struct part *p, int i)
{
    return i - p->from + 2;
}

/* ---- widths ---- */

static int shown_columns(struct text t)
{
    struct buf b = visible_new(t);
    int n = visible_columns(text_buf(&b));
    buf_release(&b);
    return n;
}

/* The blank nearest to the middle, or 0. */
static size_t middle_of(struct text t)
{
    size_t best = 0;
    for (size_t i = 1; i + 1 < t.n; i++)
        if (t.s[i] == ' ' &&
            (!best || labs((long)(2 * i) - (long)t.n) < labs((long)(2 * best) - (long)t.n)))
            best = i;
    return best;
}

enum { LONG_HEAD = 11 }; // in two lines where it can be

static size_t break_of(struct text head)
{
    return head.n > LONG_HEAD ? middle_of(head) : 0;
}

/* In one line or two. */
static int head_columns(const struct column *c)
{
    const struct text t = text_of(c->head_short);
    const size_t at = break_of(t);
    if (!at)
        return shown_columns(t);
    int a = shown_columns((struct text){t.s, at});
    int b = shown_columns((struct text){t.s + at + 1, t.n - at - 1});
    return a > b ? a : b;
}

static int body_columns(const struct grid *g, int column)
{
    int widest = 0;
    for (size_t row = 0; row < grid_rows(g); row++) {
        const struct cell *c = grid_at(g, row, column);
        int n = shown_columns(c->t);
        for (unsigned mark = GRID_DAGGER; mark <= GRID_DOUBLE; mark *= 2)
            n += c->marks & mark ? 1 : 0;
        widest = n > widest ? n : widest;
    }
    return widest;
}

/* Heads of numbers that make the columns of a group wider than its numbers and its own name are:
 * all of the group. */
static bool is_turned(const struct grid *g, int column)
{
    const bool grouped = *g->column[column].group != 0;
    int i = column, heads = 0;
    bool any = false;
    if (!latex_grid_is_wide(g) || g->column[column].align != GRID_RIGHT)
        return false;
    while (grouped && i > 1 && grid_group_end(g, i - 1) > column)
        i--;
    for (int end = grouped ? grid_group_end(g, i) : i + 1; i < end; i++) {
        any |= head_columns(&g->column[i]) > body_columns(g, i) + 1;
        heads += head_columns(&g->column[i]);
    }
    return any && heads > shown_columns(text_of(g->column[column].group_short));
}

static int width_of(const struct grid *g, int column)
{
    int body = LETTER * body_columns(g, column), head = LETTER * head_columns(&g->column[column]);
    head = is_turned(g, column) ? UPRIGHT : head;
    return GAP + (head > body ? head : body);
}

/* The first column that a page has no room for beside column 0; groups stay whole where they can.
 * A table that is not wide is one part. */
static int part_end(const struct grid *g, int from)
{
    int room = PAGE - width_of(g, 0), to = from, whole = from;
    for (; to < g->n_columns; to++) {
        room -= width_of(g, to);
        if (room < 0 && to > from && latex_grid_is_wide(g))
            break;
        whole = to + 1 == grid_group_end(g, to) ? to + 1 : whole;
    }
    return whole > from ? whole : to;
}

/* ---- heads ---- */

static int group_end(const struct part *p, int i)
{
    int end = grid_group_end(p->g, i);
    return end < p->to ? end : p->to;
}

static bool has_groups(const struct part *p)
{
    bool any = false;
    for (int i = p->from; i < p->to; i++)
        any |= *p->g->column[i].group != 0;
    return any;
}

static void put_group_rules(const struct part *p, struct buf *out)
{
    for (int i = p->from; i < p->to; i = group_end(p, i))
        if (*p->g->column[i].group)
            buf_printf(out, "\\cmidrule(lr){%d-%d}", place_of(p, i),
                       place_of(p, group_end(p, i) - 1));
    buf_char(out, '\n');
}

static void put_groups(const struct part *p, struct buf *out)
{
    for (int i = p->from; i < p->to; i = group_end(p, i)) {
        int n = group_end(p, i) - i;
        buf_str(out, " & ");
        if (*p->g->column[i].group) {
            buf_printf(out, "\\multicolumn{%d}{c}{", n);
            format_put_latex(text_of(p->g->column[i].group_short), out);
            buf_char(out, '}');
        } else {
            while (--n > 0)
                buf_str(out, " & ");
        }
    }
    buf_str(out, " \\\\\n");
    put_group_rules(p, out);
}

static void put_flat_head(const struct column *c, struct buf *out)
{
    const struct text t = text_of(c->head_short);
    const size_t at = break_of(t);
    if (!at) {
        format_put_latex(t, out);
        return;
    }
    buf_str(out, c->align == GRID_RIGHT ? "\\shortstack[r]{" : "\\shortstack[l]{");
    format_put_latex((struct text){t.s, at}, out);
    buf_str(out, "\\\\");
    format_put_latex((struct text){t.s + at + 1, t.n - at - 1}, out);
    buf_char(out, '}');
}

static void put_head(const struct grid *g, int column, struct buf *out)
{
    const bool turned = is_turned(g, column);
    buf_str(out, turned ? "\\rotatebox{90}{" : "");
    if (turned)
        format_put_latex(text_of(g->column[column].head_short), out);
    else
        put_flat_head(&g->column[column], out);
    buf_str(out, turned ? "}" : "");
}

static void put_heads(const struct part *p, struct buf *out)
{
    buf_str(out, "\\toprule\n");
    if (has_groups(p))
        put_groups(p, out);
    for (int i = 0; i < p->to; i = next_of(p, i)) {
        buf_str(out, i ? " & " : "");
        put_head(p->g, i, out);
    }
    buf_str(out, " \\\\\n\\midrule\n");
}

/* ---- cells ---- */

/* A minus is longer than a hyphen. */
static void put_shown(const struct cell *c, struct buf *out)
{
    struct text t = c->t;
    if (c->kind == CELL_NUMBER && t.n > 1 && *t.s == '-') {
        buf_str(out, "$-$");
        t.s++, t.n--;
    }
    format_put_latex(t, out);
}

static void put_cell(const struct cell *c, struct buf *out)
{
    if (c->repeated)
        return;
    buf_str(out, c->marks & GRID_BOLD ? "\\textbf{" : "");
    put_shown(c, out);
    buf_str(out, c->marks & GRID_BOLD ? "}" : "");
    buf_str(out, c->marks & GRID_DAGGER ? "$^{\\dagger}$" : "");
    buf_str(out, c->marks & GRID_DOUBLE ? "$^{\\ddagger}$" : "");
    buf_str(out, c->marks & GRID_STAR ? "$^{*}$" : "");
}

static void put_rows(const struct part *p, struct buf *out)
{
    for (size_t row = 0; row < grid_rows(p->g); row++) {
        if (grid_says_nothing(p->g, row, p->from, p->to))
            continue;
        buf_str(out, grid_at(p->g, row, 0)->rule ? "\\midrule\n" : "");
        for (int i = 0; i < p->to; i = next_of(p, i)) {
            buf_str(out, i ? " & " : "");
            put_cell(grid_at(p->g, row, i), out);
        }
        buf_str(out, " \\\\\n");
    }
}

static void put_part(const struct part *p, struct buf *out)
{
    const bool wide = latex_grid_is_wide(p->g);
    if (wide)
        buf_str(out, "\\resizebox{\\ifdim\\width>\\textwidth\\textwidth\\else\\width\\fi}{!}{%\n");
    buf_str(out, "\\begin{tabular}{");
    for (int i = 0; i < p->to; i = next_of(p, i))
        buf_char(out, p->g->column[i].align == GRID_RIGHT ? 'r' : 'l');
    buf_str(out, "}\n");
    put_heads(p, out);
    put_rows(p, out);
    buf_str(out, wide ? "\\bottomrule\n\\end{tabular}}\n" : "\\bottomrule\n\\end{tabular}\n");
}

void latex_grid_put(const struct grid *g, struct buf *out)
{
    struct part p = {g, 1, 1};
    do {
        if (p.to > 1)
            buf_str(out, "\n\\medskip\n");
        p.from = p.to;
        p.to = part_end(g, p.from);
        put_part(&p, out);
    } while (p.to < g->n_columns);
}
