/* The points of one entry's "grid", "zip" and "exclude", and the settings that they make. */
#ifndef KVLAB_SWEEP_GRID_H
#define KVLAB_SWEEP_GRID_H

#include "runner/sweep.h"

struct sweep_grid {
    const struct json *entry, *grid, *zip, *exclude; // the latter three may be NULL
    size_t n_grid, n_zip;
    const char *where;
};

/* Has the entry any of the three? */
bool sweep_grid_is(const struct json *entry);
/* Checks the lists and the exclusions; where is kept. *n: points that stay. */
int sweep_grid_open(struct sweep_grid *g, const struct json *entry, const char *where, size_t *n,
                    struct err *e);

/* Points with the excluded ones are 0 .. n_grid * n_zip - 1. *out: the setting of one, the
 * caller's, or NULL where the point is excluded. */
int sweep_grid_at(const struct sweep_grid *g, size_t i, struct json **out, struct err *e);

#endif
