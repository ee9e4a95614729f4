/* Names of single points: small, above them, towards the side where there is room. Left out of the
 * picture are long ones, and those that would touch the name of a point further left. */
#include <stdlib.h>

#include "harness/base/mem.h"
#include "reports/plot_int.h"
#include "reports/visible.h"

/* Shares of the area. */
static const double letter = 0.0125, small_line = 0.042, beside = 0.012;

enum { LONGEST = 28 }; // columns

struct box {
    double left, right, y;
};

static bool touch(const struct box *a, const struct box *b)
{
    return a->left < b->right && b->left < a->right && a->y < b->y + small_line &&
           b->y < a->y + small_line;
}

/* As it is shown: names may hold any bytes. */
static int columns_of(const char *name)
{
    struct buf shown = visible_new(text_of(name));
    int columns = visible_columns(text_buf(&shown));
    buf_release(&shown);
    return columns;
}

/* To the left of its point, where nothing beats it; near the axis to the right. */
static bool place(const struct plot *p, const struct plot_layout *l, const struct plot_dot *d,
                  struct box *b)
{
    double x = plot_share(&l->x, p->x.scale, d->x);
    double width = letter * columns_of(d->name);
    bool right = x - beside - width < 0;
    b->left = right ? x + beside : x - beside - width;
    b->right = b->left + width;
    b->y = plot_share(&l->y, p->y.scale, d->y);
    return right;
}

static void put_point_name(const struct plot_dot *d, bool right, struct buf *out)
{
    buf_str(out, "set label ");
    plot_put_quoted(text_of(d->name), out);
    buf_printf(out,
               " at first %.6g, first %.6g %s offset char %s, char 0.75 front noenhanced "
               "font ',9' tc rgb '#333333'\n",
               d->x, d->y, right ? "left" : "right", right ? "0.6" : "-0.6");
}

static void put_line_names(const struct plot *p, const struct plot_layout *l,
                           const struct plot_line *s, struct buf *out)
{
    struct box *box = xcalloc((size_t)s->n + 1, sizeof *box);
    int n = 0;
    for (int k = 0; k < s->n; k++) {
        if (!s->dot[k].name || !plot_has_place(p, &s->dot[k]) ||
            columns_of(s->dot[k].name) > LONGEST)
            continue;
        bool right = place(p, l, &s->dot[k], &box[n]), free_place = true;
        for (int i = 0; i < n; i++)
            free_place &= !touch(&box[i], &box[n]);
        if (!free_place)
            continue;
        put_point_name(&s->dot[k], right, out);
        n++;
    }
    free(box);
}

void plot_put_point_names(const struct plot *p, const struct plot_layout *l, struct buf *out)
{
    for (int i = 0; i < p->n_lines; i++)
        put_line_names(p, l, &p->line[i], out);
}
