/* The files of a plot: its data with all digits, and what gnuplot shall do with them. */
#include <string.h>

#include "harness/base/json.h"
#include "reports/plot_int.h"
#include "reports/visible.h"

/* ---- data ---- */

static void put_number(double x, struct buf *out)
{
    if (isfinite(x))
        json_put_number(out, x);
    else
        buf_str(out, "NaN");
}

void plot_put_data(const struct plot *p, struct buf *out)
{
    buf_str(out, "# x y low high; series by two empty lines apart\n");
    for (int i = 0; i < p->n_lines; i++) {
        struct buf label = visible_new(text_of(p->line[i].label));
        buf_printf(out, "%s# %s\n", i ? "\n\n" : "", label.s);
        buf_release(&label);
        for (int k = 0; k < p->line[i].n; k++) {
            const struct plot_dot *d = &p->line[i].dot[k];
            const double number[] = {d->x, d->y, d->low, d->high};
            for (int n = 0; n < 4; n++) {
                buf_str(out, n ? " " : "");
                put_number(plot_has_place(p, d) ? number[n] : NAN, out);
            }
            buf_char(out, '\n');
        }
        if (!p->line[i].n)
            buf_str(out, "NaN NaN NaN NaN\n");
    }
}

/* ---- looks: colour (Okabe and Ito's, grey in place of yellow), marker and dashes ---- */

static const char *const colours[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                      "#000000", "#E69F00", "#56B4E9", "#777777"};
static const int markers[] = {7, 5, 9, 13, 11, 6, 4, 8, 12, 10};
static const char *const dashes[] = {"solid", "(12,5)", "(3,4)", "(12,4,3,4)", "(20,6)"};

enum { RING = 6 };
static const char grey[] = "#555555";

static const char *colour_of(int series)
{
    return colours[series % (int)(sizeof colours / sizeof *colours)];
}

static int marker_of(int series)
{
    return markers[series % (int)(sizeof markers / sizeof *markers)];
}

static const char *dash_of(int series)
{
    return dashes[series % (int)(sizeof dashes / sizeof *dashes)];
}

/* ---- pieces of the script ---- */

/* Nothing within single quotes means anything to gnuplot, but for the quote, which is doubled. */
void plot_put_quoted(struct text t, struct buf *out)
{
    struct buf b = plot_text_new(t);
    buf_char(out, '\'');
    for (size_t i = 0; i < b.n; i++) {
        if (b.s[i] == '\'')
            buf_char(out, '\'');
        buf_char(out, b.s[i]);
    }
    buf_char(out, '\'');
    buf_release(&b);
}

static void put_titled(const char *what, const char *label, struct buf *out)
{
    buf_printf(out, "set %s ", what);
    plot_put_quoted(text_of(label), out);
    buf_char(out, '\n');
}

enum { OWN_TICKS = 9 };

static int add_tick(double *tick, int n, double x)
{
    int at = n;
    for (int i = 0; i < n; i++)
        if (tick[i] == x)
            return n;
    if (n == OWN_TICKS + 1)
        return n;
    for (; at && tick[at - 1] > x; at--)
        tick[at] = tick[at - 1];
    tick[at] = x;
    return n + 1;
}

/* The x values themselves, where they are few and apart; returns how many, 0: not so. */
static int ticks_of_points(const struct plot *p, const struct plot_range *r,
                           double tick[OWN_TICKS + 1])
{
    int n = 0;
    for (int i = 0; i < p->n_lines; i++)
        for (int k = 0; k < p->line[i].n; k++)
            if (plot_has_place(p, &p->line[i].dot[k]))
                n = add_tick(tick, n, p->line[i].dot[k].x);
    if (n > OWN_TICKS)
        return 0;
    for (int i = 1; i < n; i++)
        if (log(tick[i] / tick[i - 1]) < 0.06 * log(r->to / r->from))
            return 0;
    return n;
}

/* 1, 2 and 5 of each decade. */
static void put_decades(const struct plot_range *r, struct buf *out)
{
    static const double digit[] = {1, 2, 5};
    const bool wide = r->to / r->from > 1e4;
    const char *comma = "";
    for (int k = (int)floor(log10(r->from)); k <= (int)ceil(log10(r->to)); k++)
        for (int i = 0; i < (wide ? 1 : 3); i++) {
            double x = digit[i] * pow(10, k);
            if (x < r->from || x > r->to)
                continue;
            buf_printf(out, "%s%.15g", comma, x);
            comma = ", ";
        }
}

static void put_log_ticks(const struct plot *p, char axis, const struct plot_range *r,
                          struct buf *out)
{
    double tick[OWN_TICKS + 1];
    int n = axis == 'x' ? ticks_of_points(p, r, tick) : 0;
    buf_printf(out, "set logscale %c\nset %ctics (", axis, axis);
    for (int i = 0; i < n; i++)
        buf_printf(out, "%s%.15g", i ? ", " : "", tick[i]);
    if (!n)
        put_decades(r, out);
    buf_str(out, ")\n");
}

static void put_axis(const struct plot *p, char axis, const struct plot_range *r, struct buf *out)
{
    const struct plot_axis *a = axis == 'x' ? &p->x : &p->y;
    const char what[] = {axis, 'l', 'a', 'b', 'e', 'l', 0};
    put_titled(what, a->label, out);
    buf_printf(out, "set %crange [%.6g:%.6g]\n", axis, r->from, r->to);
    if (a->scale == PLOT_LOG)
        put_log_ticks(p, axis, r, out);
    else
        buf_printf(out, "set %ctics\n", axis);
}

static void put_frame(const struct plot *p, const struct plot_layout *l, struct buf *out)
{
    put_titled("title", p->title, out);
    put_axis(p, 'x', &l->x, out);
    put_axis(p, 'y', &l->y, out);
    buf_printf(out,
               "set lmargin at screen %.4f\nset rmargin at screen %.4f\n"
               "set bmargin at screen %.4f\nset tmargin at screen %.4f\n",
               l->left, l->right, l->bottom, l->top);
    buf_str(out, "set border 3 lw 0.8 lc rgb '#333333'\nset tics nomirror out scale 0.6\n"
                 "set grid lw 0.4 lc rgb '#DDDDDD' dt solid\nunset key\n");
}

/* Dashed across the area, with its band behind everything. */
static void put_references(const struct plot *p, struct buf *out)
{
    for (int i = 0; i < p->n_marks; i++) {
        const struct plot_mark *m = &p->mark[i];
        const struct plot_dot at = {1, m->y, NAN, NAN, NULL};
        if (!plot_has_place(p, &at))
            continue;
        if (isfinite(m->low) && isfinite(m->high))
            buf_printf(out,
                       "set object rect from graph 0, first %.6g to graph 1, first %.6g behind "
                       "fc rgb '#888888' fs transparent solid 0.15 noborder\n",
                       m->low, m->high);
        buf_printf(out,
                   "set arrow from graph 0, first %.6g to graph 1, first %.6g nohead front "
                   "lw 1.4 lc rgb '#333333' dt (8,6)\n",
                   m->y, m->y);
    }
}

/* A thin line from the point, the marker, the name. */
static void put_name(const struct plot *p, const struct plot_layout *l, const struct plot_name *n,
                     struct buf *out)
{
    const bool front = n->line_of >= 0 && p->line[n->line_of].style == PLOT_FRONT;
    const char *colour = n->line_of < 0 ? "#333333" : front ? grey : colour_of(n->line_of);
    const double marker = 1 + (l->name_left - 1) * 0.62;
    buf_printf(out,
               "set arrow from first %.6g, first %.6g to graph %.4f, graph %.4f nohead lw 0.6 "
               "lc rgb '%s' dt (2,3)\n",
               n->x_end, n->y_end, marker, n->y, colour);
    if (n->line_of >= 0)
        buf_printf(out, "set label '' at graph %.4f, graph %.4f point pt %d ps 0.8 lc rgb '%s'\n",
                   marker, n->y, front ? RING : marker_of(n->line_of), colour);
    for (int i = 0; i < n->lines; i++) {
        struct buf line;
        buf_init(&line);
        buf_text(&line, n->line[i]);
        buf_str(&line, i == n->lines - 1 && n->cut ? "…" : "");
        buf_str(out, "set label ");
        plot_put_quoted(text_buf(&line), out);
        buf_printf(out, " at graph %.4f, graph %.4f left noenhanced\n", l->name_left,
                   n->y + ((n->lines - 1) * 0.5 - i) * l->line_height);
        buf_release(&line);
    }
}

/* ---- series ---- */

static bool has_intervals(const struct plot_line *s)
{
    for (int k = 0; k < s->n; k++)
        if (isfinite(s->dot[k].low) && isfinite(s->dot[k].high))
            return true;
    return false;
}

static void put_source(const struct plot *p, int i, const char *columns, struct buf *out)
{
    buf_printf(out, "'%s.dat' index %d using %s ", p->name, i, columns);
}

static void put_interval(const struct plot *p, int i, struct buf *out)
{
    if (!has_intervals(&p->line[i]))
        return;
    if (p->line[i].style == PLOT_BAND) {
        put_source(p, i, "1:3:4", out);
        buf_printf(out, "with filledcurves fc rgb '%s' fs transparent solid 0.15 noborder, \\\n  ",
                   colour_of(i));
    } else {
        put_source(p, i, "1:($3 == $3 ? $2 : NaN):3:4", out); // NaN: no bar, else it ends below
        buf_printf(out, "with yerrorbars pt 0 lw 0.9 lc rgb '%s', \\\n  ", colour_of(i));
    }
}

static void put_series(const struct plot *p, struct buf *out)
{
    if (!p->n_lines) {
        buf_str(out, "plot NaN\n");
        return;
    }
    buf_str(out, "plot ");
    for (int i = 0; i < p->n_lines; i++) {
        put_interval(p, i, out);
        put_source(p, i, "1:2", out);
        if (p->line[i].style == PLOT_FRONT) {
            buf_printf(out, "with steps lw 1 lc rgb '%s', \\\n  ", grey);
            put_source(p, i, "1:2", out);
            buf_printf(out, "with points pt %d ps 1.6 lc rgb '%s'", RING, grey);
        } else if (p->line[i].style == PLOT_SCATTER)
            buf_printf(out, "with points pt %d ps 0.9 lc rgb '%s'", marker_of(i), colour_of(i));
        else
            buf_printf(out, "with linespoints lw 1.6 dt %s pt %d ps 0.8 lc rgb '%s'", dash_of(i),
                       marker_of(i), colour_of(i));
        buf_str(out, i < p->n_lines - 1 ? ", \\\n  " : "\n");
    }
}

/* ---- the script ---- */

static void put_output(const struct plot *p, const struct plot_layout *l, enum plot_output kind,
                       struct buf *out)
{
    const char *ending = kind == PLOT_SVG ? "svg" : kind == PLOT_PDF ? "pdf" : "png";
    if (kind == PLOT_SVG)
        buf_printf(out,
                   "set terminal svg noenhanced size %.0f,%.0f font 'Helvetica,12' name '%s' "
                   "background '#FFFFFF'\n",
                   l->width, l->height, p->name);
    else if (kind == PLOT_PDF)
        buf_printf(out,
                   "set terminal pdfcairo noenhanced size %.4fin,%.4fin font 'Helvetica,12' "
                   "fontscale 0.75 linewidth 2 pointscale 0.8\n",
                   l->width / 72, l->height / 72);
    else
        buf_printf(out,
                   "set terminal pngcairo noenhanced size %.0f,%.0f font 'Helvetica,12' "
                   "fontscale 1.5 linewidth 2 pointscale 2\n",
                   2 * l->width, 2 * l->height);
    buf_printf(out, "set output '%s.%s'\nreplot\n", p->name, ending);
}

void plot_put_script(const struct plot *p, unsigned outputs, struct buf *out)
{
    struct plot_layout l;
    plot_layout_make(p, &l);
    buf_printf(out,
               "# In this folder: gnuplot %s.gp   (5.4 or newer; what it draws is at the end)\n"
               "set encoding utf8\nset decimalsign '.'\nset terminal unknown\n",
               p->name);
    put_frame(p, &l, out);
    put_references(p, out);
    for (int i = 0; i < l.n_names; i++)
        put_name(p, &l, &l.name[i], out);
    plot_put_point_names(p, &l, out);
    put_series(p, out);
    for (enum plot_output kind = PLOT_SVG; kind <= PLOT_PNG; kind = (enum plot_output)(kind << 1))
        if (outputs & kind)
            put_output(p, &l, kind, out);
    plot_layout_release(&l);
}
