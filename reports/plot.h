/*
 * A plot as data, and its picture by gnuplot.
 *
 * Series of points, each with an interval where there is one, are told apart by colour, marker and
 * dashes at once, so that grey print and colour-blind readers lose nothing; their names stand at
 * the right edge beside their last points, not in a legend. Dashed lines with a name are what
 * they are compared with. plot_write makes NAME.dat (all digits), NAME.gp (for gnuplot, to be
 * edited) and with gnuplot NAME.svg, NAME.pdf and NAME.png: the same plot gives the same bytes.
 *
 * Strings are copied and may hold any bytes.
 */
#ifndef KVLAB_PLOT_H
#define KVLAB_PLOT_H

#include <math.h>

#include "harness/base/text.h"

struct grid;
struct plot;

/* name: of its files and of its data; lower case. */
struct plot *plot_new(const char *name, const char *title);
void plot_free(struct plot *p);
const char *plot_name(const struct plot *p);
const char *plot_title(const struct plot *p);

enum plot_scale { PLOT_LINEAR, PLOT_LOG }; // points that a scale has no place for are left out

void plot_x(struct plot *p, const char *label, enum plot_scale scale);
void plot_y(struct plot *p, const char *label, enum plot_scale scale);
/* A dashed line at y with its name, such as the full cache, and a band from low to high (NAN:
 * none).
 */
void plot_reference(struct plot *p, const char *label, double y, double low, double high);

/* How the intervals of a series are drawn, and whether a line joins its points. */
enum plot_style {
    PLOT_BARS,    // a line, bars
    PLOT_BAND,    // a line in a band
    PLOT_SCATTER, // no line, bars
    PLOT_FRONT    // a grey stair from point to point, rings around them: what nothing beats
};
void plot_series(struct plot *p, const char *label, enum plot_style style);
/* Of the last series, in any order; low and high NAN: no interval. Drawn by rising x. */
void plot_point(struct plot *p, double x, double y, double low, double high);
/* A name above the point added last, where it is short and does not touch that of a point to its
 * left. */
void plot_point_name(struct plot *p, const char *name);

/* The points stand in a table of the report already: text formats do not list them again. */
void plot_is_told(struct plot *p);
bool plot_told(const struct plot *p);

/* Its data: series, x, y, low, high; named as the plot. The caller frees. */
struct grid *plot_grid_new(const struct plot *p);

/* Writes the files into dir, which is made where it is not. ERR_ITEM when they are there but for
 * the pictures: no gnuplot, or it failed. */
int plot_write(const struct plot *p, const char *dir, struct err *e);

/* The picture alone, to stand in a page: an svg element. ERR_ITEM when gnuplot made none. */
int plot_put_svg(const struct plot *p, struct buf *out, struct err *e);

#endif
