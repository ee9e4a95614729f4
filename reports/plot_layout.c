/* Where the parts of a plot stand: ranges of the axes, and names at the right edge that never
 * overlap. */
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "reports/plot_int.h"
#include "reports/visible.h"

/* In points, 1/72 inch. */
enum {
    AREA_WIDTH = 480,
    AREA_HEIGHT = 340,
    LEFT = 84,
    TOP = 42,
    BOTTOM = 56,
    LINE = 15,     // of a name
    GAP = 5,       // between names
    LETTER = 7,    // width of one, generously
    NAME_LEFT = 40 // from the axes to a name
};
enum { NAME_COLUMNS = 30 };

/* ---- ranges ---- */

static void extend(struct plot_range *r, double x, enum plot_scale scale)
{
    if (!isfinite(x) || (scale == PLOT_LOG && x <= 0))
        return;
    r->from = x < r->from ? x : r->from;
    r->to = x > r->to ? x : r->to;
}

/* Room beside the outermost points; a range of one point gets some of its own. */
static void widen(struct plot_range *r, enum plot_scale scale, double share)
{
    if (r->from > r->to)
        *r = (struct plot_range){scale == PLOT_LOG ? 1 : 0, scale == PLOT_LOG ? 10 : 1};
    if (scale == PLOT_LOG) {
        double room = r->to > r->from ? pow(r->to / r->from, share) : 2;
        r->from /= room, r->to *= room;
    } else {
        double room = r->to > r->from ? (r->to - r->from) * share : r->to ? 0.1 * fabs(r->to) : 1;
        r->from -= room, r->to += room;
    }
}

static void set_ranges(const struct plot *p, struct plot_layout *l)
{
    l->x = l->y = (struct plot_range){INFINITY, -INFINITY};
    for (int i = 0; i < p->n_lines; i++)
        for (int k = 0; k < p->line[i].n; k++) {
            const struct plot_dot *d = &p->line[i].dot[k];
            if (!plot_has_place(p, d))
                continue;
            extend(&l->x, d->x, p->x.scale);
            extend(&l->y, d->y, p->y.scale);
            extend(&l->y, d->low, p->y.scale);
            extend(&l->y, d->high, p->y.scale);
        }
    for (int i = 0; i < p->n_marks; i++) {
        extend(&l->y, p->mark[i].y, p->y.scale);
        extend(&l->y, p->mark[i].low, p->y.scale);
        extend(&l->y, p->mark[i].high, p->y.scale);
    }
    widen(&l->x, p->x.scale, 0.03);
    widen(&l->y, p->y.scale, 0.06);
}

double plot_share(const struct plot_range *r, enum plot_scale scale, double x)
{
    return scale == PLOT_LOG ? log(x / r->from) / log(r->to / r->from)
                             : (x - r->from) / (r->to - r->from);
}

/* ---- names ---- */

static struct text without_blanks(struct text t)
{
    for (; t.n && *t.s == ' '; t.n--)
        t.s++;
    while (t.n && t.s[t.n - 1] == ' ')
        t.n--;
    return t;
}

/* Up to three lines, broken after a blank or a mark; the last is cut where it must be. */
static void break_name(struct plot_name *n)
{
    struct text rest = text_buf(&n->shown);
    const int most = (int)(sizeof n->line / sizeof *n->line);
    while (rest.n && n->lines < most) {
        size_t take = visible_fitting(rest, NAME_COLUMNS), at = take;
        while (take < rest.n && rest.s[at] != ' ' && at && !strchr(" _-,;/=", rest.s[at - 1]))
            at--;
        take = at > take / 3 && n->lines < most - 1 ? at : take;
        n->line[n->lines++] = without_blanks((struct text){rest.s, take});
        rest.s += take, rest.n -= take;
        rest = without_blanks(rest);
    }
    n->cut = rest.n > 0;
}

static void add_name(struct plot_layout *l, const char *label, int line, int mark,
                     const struct plot_dot *end, double y)
{
    struct plot_name *n = &l->name[l->n_names++];
    *n = (struct plot_name){.shown = plot_text_new(text_of(label)),
                            .y = y,
                            .x_end = end->x,
                            .y_end = end->y,
                            .line_of = line,
                            .mark_of = mark};
    break_name(n);
}

static void add_names(const struct plot *p, struct plot_layout *l)
{
    l->name = xcalloc((size_t)(p->n_lines + p->n_marks) + 1, sizeof *l->name);
    for (int i = 0; i < p->n_lines; i++) {
        const struct plot_dot *last = NULL;
        for (int k = 0; k < p->line[i].n; k++)
            if (plot_has_place(p, &p->line[i].dot[k]))
                last = &p->line[i].dot[k];
        if (last)
            add_name(l, p->line[i].label, i, -1, last, plot_share(&l->y, p->y.scale, last->y));
    }
    for (int i = 0; i < p->n_marks; i++) {
        const struct plot_dot end = {l->x.to, p->mark[i].y, NAN, NAN, NULL};
        if (plot_has_place(p, &end))
            add_name(l, p->mark[i].label, -1, i, &end, plot_share(&l->y, p->y.scale, end.y));
    }
}

/* From the bottom up; equal heights stay in their order. */
static void sort_names(struct plot_layout *l)
{
    for (int i = 1; i < l->n_names; i++) {
        struct plot_name n = l->name[i];
        int at = i;
        for (; at && l->name[at - 1].y > n.y; at--)
            l->name[at] = l->name[at - 1];
        l->name[at] = n;
    }
}

static double height_of(const struct plot_name *n)
{
    return n->lines * LINE + GAP;
}

/* ---- spreading: as near to the wanted heights as names can stand without touching ---- */

/* Names that touch, as one block. */
struct pile {
    int first, n;
    double wanted, size; // of its bottom; in points
};

/* Where the pile's bottom should be, so that its names are off their wanted places by 0 on average;
 * and within the area. */
static void place_pile(const struct plot_layout *l, double area, struct pile *p)
{
    double sum = 0;
    p->size = 0;
    for (int i = p->first; i < p->first + p->n; i++) {
        sum += l->name[i].y * area - (p->size + height_of(&l->name[i]) / 2);
        p->size += height_of(&l->name[i]);
    }
    p->wanted = sum / p->n;
    p->wanted = p->wanted + p->size > area ? area - p->size : p->wanted;
    p->wanted = p->wanted < 0 ? 0 : p->wanted;
}

static void spread(struct plot_layout *l, double area)
{
    struct pile *pile = xcalloc((size_t)l->n_names + 1, sizeof *pile);
    int n = 0;
    for (int i = 0; i < l->n_names; i++) {
        pile[n++] = (struct pile){.first = i, .n = 1};
        place_pile(l, area, &pile[n - 1]);
        while (n > 1 && pile[n - 2].wanted + pile[n - 2].size > pile[n - 1].wanted) {
            pile[n - 2].n += pile[n - 1].n;
            place_pile(l, area, &pile[--n - 1]);
        }
    }
    for (int k = 0; k < n; k++) {
        double at = pile[k].wanted;
        for (int i = pile[k].first; i < pile[k].first + pile[k].n; i++) {
            l->name[i].y = (at + height_of(&l->name[i]) / 2) / area;
            at += height_of(&l->name[i]);
        }
    }
    free(pile);
}

/* ---- all of it ---- */

static double names_height(const struct plot_layout *l)
{
    double sum = 0;
    for (int i = 0; i < l->n_names; i++)
        sum += height_of(&l->name[i]);
    return sum;
}

static int names_width(const struct plot_layout *l)
{
    int widest = 0;
    for (int i = 0; i < l->n_names; i++)
        for (int k = 0; k < l->name[i].lines; k++) {
            int w = visible_columns(l->name[i].line[k]) + l->name[i].cut;
            widest = w > widest ? w : widest;
        }
    return widest;
}

void plot_layout_make(const struct plot *p, struct plot_layout *l)
{
    *l = (struct plot_layout){0};
    set_ranges(p, l);
    add_names(p, l);
    sort_names(l);
    double names = names_height(l), area = names > AREA_HEIGHT ? names : AREA_HEIGHT;
    l->width = LEFT + AREA_WIDTH + NAME_LEFT + LETTER * names_width(l) + GAP;
    l->height = TOP + area + BOTTOM;
    l->left = LEFT / l->width;
    l->right = (LEFT + AREA_WIDTH) / l->width;
    l->bottom = BOTTOM / l->height;
    l->top = (BOTTOM + area) / l->height;
    l->name_left = 1 + (double)NAME_LEFT / AREA_WIDTH;
    l->line_height = LINE / area;
    spread(l, area);
}

void plot_layout_release(struct plot_layout *l)
{
    for (int i = 0; i < l->n_names; i++)
        buf_release(&l->name[i].shown);
    free(l->name);
    *l = (struct plot_layout){0};
}
