/*
 * gemm_weights by panels: an item of the pool's loop is some panels of one matrix. A worker widens
 * and turns them piece by piece (PANEL_DEPTH columns at a time), once for all rows of x, and
 * multiplies blocks of x with them while both are in its caches. A sum's order depends on the
 * length of the row alone: how rows are cut into items, and x into calls, changes no bit.
 */
#ifndef KVLAB_GEMM_PANEL_H
#define KVLAB_GEMM_PANEL_H

#include "harness/tensor/gemm.h"

/* Floats that a worker needs. */
size_t gemm_panel_room(int max_cols);

void gemm_panels(struct gemm *g, const struct product *p, int n, const float *x, int m);

#endif
