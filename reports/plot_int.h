/* A plot as its files see it. */
#ifndef KVLAB_PLOT_INT_H
#define KVLAB_PLOT_INT_H

#include "reports/plot.h"

struct plot_axis {
    char *label;
    enum plot_scale scale;
};

struct plot_dot {
    double x, y, low, high;
    char *name; // or NULL
};

struct plot_line { // a series
    char *label;
    enum plot_style style;
    struct plot_dot *dot; // by rising x once it is drawn
    int n, newest;
};

struct plot_mark { // a reference
    char *label;
    double y, low, high;
};

struct plot {
    char *name, *title;
    struct plot_axis x, y;
    struct plot_line *line;
    int n_lines;
    struct plot_mark *mark;
    int n_marks;
    bool told;
};

/* Whether the scales have a place for it. */
bool plot_has_place(const struct plot *p, const struct plot_dot *d);

/* What may stand in a picture of t: what may be shown (visible.h), but for letters that a machine's
 * fonts may lack: cairo draws giants in their place. The caller releases it. */
struct buf plot_text_new(struct text t);

/* ---- layout: where everything stands ---- */

struct plot_range {
    double from, to;
};

/* A name beside the plot, of a series or a reference. */
struct plot_name {
    struct buf shown;
    struct text line[3]; // of `shown`
    int lines;
    bool cut;             // there is more of it
    double y;             // of its middle, a share of the area, spread so that none overlap
    double x_end, y_end;  // the point it belongs to
    int line_of, mark_of; // which series or reference it is, or -1
};

struct plot_layout {
    struct plot_range x, y;
    double width, height;            // of the picture, in points
    double left, right, bottom, top; // edges of the area, as shares of the picture
    double name_left, line_height;   // of names, as shares of the area
    struct plot_name *name;          // [n_names]: from the bottom up
    int n_names;
};

void plot_layout_make(const struct plot *p, struct plot_layout *l);
void plot_layout_release(struct plot_layout *l);

/* ---- files ---- */

enum plot_output { PLOT_SVG = 1, PLOT_PDF = 2, PLOT_PNG = 4 };

/* t between quotes, for gnuplot. */
void plot_put_quoted(struct text t, struct buf *out);
/* Names of points. */
void plot_put_point_names(const struct plot *p, const struct plot_layout *l, struct buf *out);
/* Where x stands between the ends of an axis, 0 to 1. */
double plot_share(const struct plot_range *r, enum plot_scale scale, double x);
void plot_put_data(const struct plot *p, struct buf *out);
void plot_put_script(const struct plot *p, unsigned outputs, struct buf *out);
/* Files in dir, then gnuplot there. */
int plot_draw(const struct plot *p, const char *dir, unsigned outputs, struct err *e);

#endif
