/* A grid as tabulars of booktabs. One that a paper's column has no room for is set across the page:
 * heads of numbers stand upright, what is wider than a page stands in parts below each other, whole
 * groups where they go in, the first column in each; and \resizebox shrinks a part that is still
 * wider than the text, as a narrow page or long names make it. */
#ifndef KVLAB_LATEX_GRID_H
#define KVLAB_LATEX_GRID_H

#include "reports/grid_int.h"

/* Needs table* and, in the preamble, graphicx. */
bool latex_grid_is_wide(const struct grid *g);
void latex_grid_put(const struct grid *g, struct buf *out);

#endif
