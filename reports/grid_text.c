/* A grid on a terminal: widths, heads in several lines, parts below each other. */
#include "reports/grid_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "reports/visible.h"

/* The place of a mark is kept in the other rows, so that the points stand below each other. */
static void put_marks(unsigned marks, unsigned of_column, enum grid_align align, struct buf *out)
{
    static const struct {
        enum grid_mark mark;
        const char *s;
    } known[] = {{GRID_DAGGER, "†"}, {GRID_DOUBLE, "‡"}, {GRID_STAR, "*"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (marks & known[i].mark)
            buf_str(out, known[i].s);
        else if (align == GRID_RIGHT && of_column & known[i].mark)
            buf_char(out, ' ');
}

static struct buf shown_new(const struct cell *c, int limit, int *cut)
{
    struct buf b = visible_new(c->repeated ? text_of("") : c->t);
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
    char **group, **head; // [n_columns]: as they may be shown
    struct buf *shown;    // [rows][n_columns]
    int *body, *width;    // [n_columns]: of the cells alone, and with the head
    int gap;              // between columns
};

static int span_width(const struct layout *l, int from, int to)
{
    int w = 0;
    for (int i = from; i < to; i++)
        w += l->width[i] + (i > from ? l->gap : 0);
    return w;
}

/* Heads at full length (word 0), or in lines whose words have up to `word` columns. */
static void set_widths(struct layout *l, int word, int gap)
{
    const struct grid *g = l->g;
    l->gap = gap;
    for (int i = 0; i < g->n_columns; i++) {
        const char *head = l->head[i];
        int w = word ? piece_width(head) : visible_columns(text_of(head));
        w = word && w > word ? word : w;
        l->width[i] = w > l->body[i] ? w : l->body[i];
    }
    for (int i = 1; i < g->n_columns; i = grid_group_end(g, i)) {
        int w = piece_width(l->group[i]), span = span_width(l, i, grid_group_end(g, i));
        w = word && w > word ? word : w;
        l->width[grid_group_end(g, i) - 1] += w > span ? w - span : 0;
    }
}

enum { INDENT = 2 }; // of what a long name has below its first line

/* Of a broken table: names that take most of each part's lines stand on several. */
static void narrow_names(struct layout *l, int width)
{
    const int most = width * 3 / 10;
    int head = visible_columns(text_of(l->head[0]));
    if (l->g->n_columns < 3 || l->g->column[0].align != GRID_LEFT || l->width[0] <= width * 2 / 5)
        return;
    l->width[0] = most > head ? most : head;
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
    narrow_names(l, width);
}

/* A group up to `end` that is wider than what is left of a line from `from`: as many as go in. */
static int cut_group(const struct layout *l, int from, int to, int end, int room)
{
    while (to < end && span_width(l, from, to + 1) <= room)
        to++;
    return to;
}

/* The first column that does not go into the part that starts at `from`: whole groups, as many as
 * there is room for beside column 0. A group is cut where it is wider than a line, and where the
 * line would be less than half full. */
static int part_end(const struct layout *l, int from, int width)
{
    int room = width - l->width[0] - l->gap, to = from;
    while (to < l->g->n_columns) {
        int end = grid_group_end(l->g, to);
        if (width && span_width(l, from, end) > room)
            return to == from                           ? cut_group(l, from, from + 1, end, room)
                   : 2 * span_width(l, from, to) < room ? cut_group(l, from, to, end, room)
                                                        : to;
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
    for (int i = p->from; i < p->to; i = grid_group_end(g, i)) {
        int end = grid_group_end(g, i) < p->to ? grid_group_end(g, i) : p->to;
        int n = wrap(l->group[i], span_width(l, i, end), line);
        lines = n > lines ? n : lines;
    }
    for (int row = 0; row < lines; row++) {
        pad(out, l->width[0], ' ');
        for (int i = p->from; i < p->to; i = grid_group_end(g, i)) {
            int end = grid_group_end(g, i) < p->to ? grid_group_end(g, i) : p->to;
            int span = span_width(l, i, end), n = wrap(l->group[i], span, line);
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
        int n = wrap(p->l->head[i], p->l->width[i], line);
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
            int n = wrap(p->l->head[i], p->l->width[i], line), at = row - (lines - n);
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

/* The first cell of a row on lines of its column's width, the later ones indented; line 0 is put,
 * the others are for below the row. */
static int name_lines(const struct part *p, size_t row, struct text line[HEAD_LINES])
{
    const struct buf *name = &p->l->shown[row * (size_t)p->l->g->n_columns];
    if (visible_columns(text_buf(name)) <= p->l->width[0]) {
        line[0] = text_buf(name);
        return 1;
    }
    return wrap(name->s, p->l->width[0] - INDENT, line);
}

static void put_rows(const struct part *p, bool colour, struct buf *out)
{
    const struct grid *g = p->l->g;
    for (size_t row = 0; row < grid_rows(g); row++) {
        if (grid_says_nothing(g, row, p->from, p->to))
            continue;
        if (grid_at(g, row, 0)->rule)
            put_rule(p, out);
        struct text line[HEAD_LINES] = {{"", 0}};
        const int lines = name_lines(p, row, line);
        for (int i = 0; i < p->to; i = part_next(p, i)) {
            size_t at = row * (size_t)g->n_columns + (size_t)i;
            pad(out, i ? p->l->gap : 0, ' ');
            put_aligned(i ? text_buf(&p->l->shown[at]) : line[0], p->l->width[i],
                        g->column[i].align, colour && g->cell[at].marks & GRID_BOLD, out);
        }
        end_line(out);
        for (int i = 1; i < lines; i++) {
            pad(out, INDENT, ' ');
            buf_text(out, line[i]);
            end_line(out);
        }
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

/* ---- what is laid out ---- */

static void show_heads(struct layout *l)
{
    for (int i = 0; i < l->g->n_columns; i++) {
        l->group[i] = visible_new(text_of(l->g->column[i].group_short)).s;
        l->head[i] = visible_new(text_of(l->g->column[i].head_short)).s;
    }
}

static int show_cells(struct layout *l, int cell_width)
{
    const struct grid *g = l->g;
    int cut = 0;
    for (int i = 0; i < g->n_columns; i++) {
        unsigned marks = grid_marks_of(g, i);
        for (size_t row = 0; row < grid_rows(g); row++) {
            const struct cell *c = grid_at(g, row, i);
            struct buf *shown = &l->shown[row * (size_t)g->n_columns + (size_t)i];
            *shown = shown_new(c, cell_width, &cut);
            put_marks(c->marks, marks, g->column[i].align, shown);
            int w = visible_columns(text_buf(shown));
            l->body[i] = w > l->body[i] ? w : l->body[i];
        }
    }
    return cut;
}

static struct layout layout_new(const struct grid *g)
{
    size_t n = (size_t)g->n_columns;
    return (struct layout){.g = g,
                           .group = xcalloc(n, sizeof(char *)),
                           .head = xcalloc(n, sizeof(char *)),
                           .shown = xcalloc(g->n_cells + 1, sizeof(struct buf)),
                           .body = xcalloc(n, sizeof(int)),
                           .width = xcalloc(n, sizeof(int))};
}

static void layout_release(struct layout *l)
{
    for (int i = 0; i < l->g->n_columns; i++) {
        free(l->group[i]);
        free(l->head[i]);
    }
    for (size_t i = 0; i < l->g->n_cells; i++)
        buf_release(&l->shown[i]);
    free(l->group);
    free(l->head);
    free(l->shown);
    free(l->body);
    free(l->width);
}

int grid_put_text(const struct grid *g, struct grid_look look, struct buf *out)
{
    assert(g->n_columns && g->n_cells % (size_t)g->n_columns == 0);
    struct layout l = layout_new(g);
    show_heads(&l);
    int cut = show_cells(&l, look.cell_width);
    choose_layout(&l, look.width);
    put_parts(&l, look, out);
    layout_release(&l);
    return cut;
}
