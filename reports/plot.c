#include "reports/plot.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/base/utf8.h"
#include "reports/grid_int.h"
#include "reports/plot_int.h"
#include "reports/visible.h"

struct plot *plot_new(const char *name, const char *title)
{
    struct plot *p = xcalloc(1, sizeof *p);
    assert(*name && !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")]);
    p->name = xstrdup(name);
    p->title = xstrdup(title);
    p->x.label = xstrdup("");
    p->y.label = xstrdup("");
    return p;
}

void plot_free(struct plot *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->n_lines; i++) {
        for (int k = 0; k < p->line[i].n; k++)
            free(p->line[i].dot[k].name);
        free(p->line[i].label);
        free(p->line[i].dot);
    }
    for (int i = 0; i < p->n_marks; i++)
        free(p->mark[i].label);
    free(p->line);
    free(p->mark);
    free(p->x.label);
    free(p->y.label);
    free(p->name);
    free(p->title);
    free(p);
}

const char *plot_name(const struct plot *p)
{
    return p->name;
}

const char *plot_title(const struct plot *p)
{
    return p->title;
}

static void set_axis(struct plot_axis *a, const char *label, enum plot_scale scale)
{
    free(a->label);
    *a = (struct plot_axis){xstrdup(label), scale};
}

void plot_x(struct plot *p, const char *label, enum plot_scale scale)
{
    set_axis(&p->x, label, scale);
}

void plot_y(struct plot *p, const char *label, enum plot_scale scale)
{
    set_axis(&p->y, label, scale);
}

void plot_reference(struct plot *p, const char *label, double y, double low, double high)
{
    p->mark = xrealloc(p->mark, mem_size((size_t)p->n_marks + 1, sizeof *p->mark));
    p->mark[p->n_marks++] = (struct plot_mark){xstrdup(label), y, low, high};
}

void plot_series(struct plot *p, const char *label, enum plot_style style)
{
    p->line = xrealloc(p->line, mem_size((size_t)p->n_lines + 1, sizeof *p->line));
    p->line[p->n_lines++] = (struct plot_line){.label = xstrdup(label), .style = style};
}

void plot_point(struct plot *p, double x, double y, double low, double high)
{
    assert(p->n_lines);
    struct plot_line *l = &p->line[p->n_lines - 1];
    l->dot = xrealloc(l->dot, mem_size((size_t)l->n + 1, sizeof *l->dot));
    int at = l->n++; // among equals the order of the calls
    for (; at && l->dot[at - 1].x > x; at--)
        l->dot[at] = l->dot[at - 1];
    l->dot[at] = (struct plot_dot){x, y, low, high, NULL};
    l->newest = at;
}

void plot_point_name(struct plot *p, const char *name)
{
    struct plot_line *l = &p->line[p->n_lines - 1];
    assert(l->n && !l->dot[l->newest].name);
    l->dot[l->newest].name = xstrdup(name);
}

void plot_is_told(struct plot *p)
{
    p->told = true;
}

bool plot_told(const struct plot *p)
{
    return p->told;
}

bool plot_has_place(const struct plot *p, const struct plot_dot *d)
{
    return isfinite(d->x) && isfinite(d->y) && (p->x.scale == PLOT_LINEAR || d->x > 0) &&
           (p->y.scale == PLOT_LINEAR || d->y > 0);
}

/* Latin, Greek, Cyrillic; signs, arrows, mathematics. */
static bool is_in_fonts(uint32_t c)
{
    return c < 0x530 || (c >= 0x1E00 && c < 0x2C00);
}

struct buf plot_text_new(struct text t)
{
    struct buf b = visible_new(t), out;
    int len;
    buf_init(&out);
    for (size_t i = 0; i < b.n; i += (size_t)len) {
        uint32_t c = utf8_at(b.s + i, &len);
        if (is_in_fonts(c))
            buf_add(&out, b.s + i, (size_t)len);
        else
            buf_printf(&out, "\\u%04x", (unsigned)c);
    }
    buf_release(&b);
    return out;
}

struct grid *plot_grid_new(const struct plot *p)
{
    struct grid *g = grid_new();
    g->name = xstrdup(p->name);
    grid_column(g, "", "series", GRID_LEFT);
    grid_column(g, "", *p->x.label ? p->x.label : "x", GRID_RIGHT);
    grid_key(g, "x");
    grid_column(g, "", *p->y.label ? p->y.label : "y", GRID_RIGHT);
    grid_key(g, "y");
    grid_column(g, "", "low", GRID_RIGHT);
    grid_column(g, "", "high", GRID_RIGHT);
    for (int i = 0; i < p->n_lines; i++)
        for (int k = 0; k < p->line[i].n; k++) {
            const struct plot_dot *d = &p->line[i].dot[k];
            const double number[] = {d->x, d->y, d->low, d->high};
            grid_cell(g, text_of(p->line[i].label));
            for (int n = 0; n < 4; n++)
                grid_value(g, number[n], "%.5g", number[n]);
        }
    for (int i = 0; i < p->n_marks; i++) {
        const struct plot_mark *m = &p->mark[i];
        const double number[] = {m->y, m->low, m->high};
        grid_cell(g, text_of(m->label));
        grid_blank(g);
        for (int n = 0; n < 3; n++)
            grid_value(g, number[n], "%.5g", number[n]);
    }
    return g;
}
