/* A grid on a terminal: widths, heads in several lines, parts below each other. */
#include "reports/grid_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "reports/visible.h"

static struct buf shown_new(const struct cell *c, int limit, int *cut)
{
    struct buf b = visible_new(c->t);
    if (limit && visible_columns(text_buf(&b)) > limit) {
        b.n = visible_fitting(text_buf(&b), limit - 1);
        buf_str(&b, "…");
        ++*cut;
    }
    return b;
}

/* ---- heads in several lines ---- */

enum { HEAD_LINES = 6 };

/* Lines of at most `width`, broken after a space, '_' or '-', else anywhere. */
static int wrap(const char *s, int width, struct text line[HEAD_LINES])
{
    struct text rest = text_of(s);
    int n = 0;
    while (rest.n && n < HEAD_LINES) {
        size_t take = visible_fitting(rest, width);
        if (take < rest.n && n < HEAD_LINES - 1) {
            size_t at = take;
            while (at && !strchr(" _-", rest.s[at - 1]))
                at--;
            if (rest.s[take] == ' ')
                at = take + 1;
            take = at ? at : take ? take : rest.n;
        } else {
            take = rest.n;
        }
        size_t end = take;
        while (end && rest.s[end - 1] == ' ')
            end--;
        line[n++] = (struct text){rest.s, end};
        rest.s += take, rest.n -= take;
    }
    return n;
}

/* The widest part of s that wrap() need not break. */
static int piece_width(const char *s)
{
    int widest_piece = 0;
    while (*s) {
        size_t n = strcspn(s, " _-");
        n += s[n] == '_' || s[n] == '-';
        int w = visible_columns((struct text){s, n});
        widest_piece = w > widest_piece ? w : widest_piece;
        s += n + (s[n] == ' ');
    }
    return widest_piece;
}

/* ---- layout ---- */

/* One way to lay it out. */
struct layout {
    const struct grid *g;
    struct buf *shown; // [rows][n_columns]
    int *body, *width; // [n_columns]: of the cells alone, and with the head
    int gap;           // between columns
};

static int span_width(const struct layout *l, int from, int to)
{
    int w = 0;
    for (int i = from; i < to; i++)
        w += l->width[i] + (i > from ? l->gap : 0);
    return w;
}

static int group_end(const struct grid *g, int from)
{
    int to = from + 1;
    while (to < g->n_columns && !strcmp(g->column[to].group, g->column[from].group))
        to++;
    return to;
}

/* Heads at full length (word 0), or in lines whose words have up to `word` columns. */
static void set_widths(struct layout *l, int word, int gap)
{
    const struct grid *g = l->g;
    l->gap = gap;
    for (int i = 0; i < g->n_columns; i++) {
        const char *head = g->column[i].head;
        int w = word ? piece_width(head) : visible_columns(text_of(head));
        w = word && w > word ? word : w;
        l->width[i] = w > l->body[i] ? w : l->body[i];
    }
    for (int i = 1; i < g->n_columns; i = group_end(g, i)) {
        int w = piece_width(g->column[i].group), span = span_width(l, i, group_end(g, i));
        w = word && w > word ? word : w;
        l->width[group_end(g, i) - 1] += w > span ? w - span : 0;
    }
}

/* The widest that goes into a line; where none does, the table is broken and there is room. */
static void choose_layout(struct layout *l, int width)
{
    static const struct {
        int word, gap;
    } way[] = {{0, 2}, {14, 2}, {10, 2}, {14, 1}, {10, 1}, {8, 1}, {7, 1}};
    for (size_t i = 0; i < sizeof way / sizeof *way; i++) {
        set_widths(l, way[i].word, way[i].gap);
        if (!width || span_width(l, 0, l->g->n_columns) <= width)
            return;
    }
    set_widths(l, 14, 2);
}

/* Columns [from, end) of one group that is wider than a line. */
static int cut_group(const struct layout *l, int from, int end, int room)
{
    int to = from + 1;
    while (to < end && span_width(l, from, to + 1) <= room)
        to++;
    return to;
}

/* The first column that does not go into the part that starts at `from`: whole groups, as many as
 * there is room for beside column 0. */
static int part_end(const struct layout *l, int from, int width)
{
    int room = width - l->width[0] - l->gap, to = from;
    while (to < l->g->n_columns) {
        int end = group_end(l->g, to);
        if (width && span_width(l, from, end) > room)
            return to > from ? to : cut_group(l, from, end, room);
        to = end;
    }
    return to;
}

/* ---- writing ---- */

static void pad(struct buf *out, int n, char c)
{
    while (n-- > 0)
        buf_char(out, c);
}

static void put_aligned(struct text t, int width, enum grid_align align, bool bold, struct buf *out)
{
    int space = width - visible_columns(t);
    if (align == GRID_RIGHT)
        pad(out, space, ' ');
    if (bold)
        buf_str(out, "\033[1m");
    buf_text(out, t);
    if (bold)
        buf_str(out, "\033[0m");
    if (align == GRID_LEFT)
        pad(out, space, ' ');
}

static void end_line(struct buf *out)
{
    while (out->n && out->s[out->n - 1] == ' ')
        out->s[--out->n] = 0;
    buf_char(out, '\n');
}

/* Column 0 and [from, to), each through put(). */
struct part {
    const struct layout *l;
    int from, to;
};

static int part_next(const struct part *p, int i)
{
    return i ? i + 1 : p->from;
}

static void put_groups(const struct part *p, struct buf *out)
{
    const struct layout *l = p->l;
    const struct grid *g = l->g;
    struct text line[HEAD_LINES];
    int lines = 0;
    for (int i = p->from; i < p->to; i = group_end(g, i)) {
        int end = group_end(g, i) < p->to ? group_end(g, i) : p->to;
        int n = wrap(g->column[i].group, span_width(l, i, end), line);
        lines = n > lines ? n : lines;
    }
    for (int row = 0; row < lines; row++) {
        pad(out, l->width[0], ' ');
        for (int i = p->from; i < p->to; i = group_end(g, i)) {
            int end = group_end(g, i) < p->to ? group_end(g, i) : p->to;
            int span = span_width(l, i, end), n = wrap(g->column[i].group, span, line);
            int at = row - (lines - n);
            pad(out, l->gap, ' ');
            put_aligned(at < 0 ? text_of("") : line[at], span, end - i > 1 ? GRID_LEFT : GRID_RIGHT,
                        false, out);
        }
        end_line(out);
    }
}

static int head_lines(const struct part *p)
{
    struct text line[HEAD_LINES];
    int lines = 0;
    for (int i = 0; i < p->to; i = part_next(p, i)) {
        int n = wrap(p->l->g->column[i].head, p->l->width[i], line);
        lines = n > lines ? n : lines;
    }
    return lines;
}

static void put_heads(const struct part *p, struct buf *out)
{
    struct text line[HEAD_LINES];
    int lines = head_lines(p);
    for (int row = 0; row < lines; row++) {
        for (int i = 0; i < p->to; i = part_next(p, i)) {
            int n = wrap(p->l->g->column[i].head, p->l->width[i], line), at = row - (lines - n);
            pad(out, i ? p->l->gap : 0, ' ');
            put_aligned(at < 0 ? text_of("") : line[at], p->l->width[i], p->l->g->column[i].align,
                        false, out);
        }
        end_line(out);
    }
}

static void put_rule(const struct part *p, struct buf *out)
{
    for (int i = 0; i < p->to; i = part_next(p, i)) {
        pad(out, i ? p->l->gap : 0, ' ');
        pad(out, p->l->width[i], '-');
    }
    buf_char(out, '\n');
}

static void put_rows(const struct part *p, bool colour, struct buf *out)
{
    const struct grid *g = p->l->g;
    for (size_t row = 0; row < grid_rows(g); row++) {
        if (grid_at(g, row, 0)->rule)
            put_rule(p, out);
        for (int i = 0; i < p->to; i = part_next(p, i)) {
            size_t at = row * (size_t)g->n_columns + (size_t)i;
            pad(out, i ? p->l->gap : 0, ' ');
            put_aligned(text_buf(&p->l->shown[at]), p->l->width[i], g->column[i].align,
                        colour && g->cell[at].bold, out);
        }
        end_line(out);
    }
}

static void put_parts(const struct layout *l, struct grid_look look, struct buf *out)
{
    struct part p = {l, 1, 1};
    do {
        if (p.to > 1)
            buf_char(out, '\n');
        p.from = p.to;
        p.to = part_end(l, p.from, look.width);
        put_groups(&p, out);
        put_heads(&p, out);
        put_rule(&p, out);
        put_rows(&p, look.colour, out);
    } while (p.to < l->g->n_columns);
}

int grid_put_text(const struct grid *g, struct grid_look look, struct buf *out)
{
    struct layout l = {.g = g};
    int cut = 0;
    assert(g->n_columns);
    l.shown = xcalloc(g->n_cells + 1, sizeof *l.shown);
    l.body = xcalloc((size_t)g->n_columns, sizeof *l.body);
    l.width = xcalloc((size_t)g->n_columns, sizeof *l.width);
    for (size_t i = 0; i < g->n_cells; i++) {
        int *body = &l.body[i % (size_t)g->n_columns];
        l.shown[i] = shown_new(&g->cell[i], look.cell_width, &cut);
        int w = visible_columns(text_buf(&l.shown[i]));
        *body = w > *body ? w : *body;
    }
    choose_layout(&l, look.width);
    put_parts(&l, look, out);
    for (size_t i = 0; i < g->n_cells; i++)
        buf_release(&l.shown[i]);
    free(l.shown);
    free(l.body);
    free(l.width);
    return cut;
}
