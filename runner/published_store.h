/*
 * Published numbers in the database: runs of origin `published`, a run a model, protocol and
 * setting of a paper, with their numbers in table `published` and no items.
 *
 * The runs of a file belong to experiment `published PAPER`, whose configuration is the file's
 * content. A run is what it says, so numbers that are corrected are another run beside the old one,
 * and another experiment of the same name: as always the one planned (here: imported) last is the
 * one that reports show. Old numbers stay.
 */
#ifndef KVLAB_PUBLISHED_STORE_H
#define KVLAB_PUBLISHED_STORE_H

#include "harness/store/store.h"
#include "runner/published.h"

struct published_stored {
    bool known;        // it is the one that reports show already: nothing was changed
    size_t runs, made; // of the file; those that were not there before
};

/* All of it or nothing. */
int published_store(struct store *s, const struct published *p, struct published_stored *out,
                    struct err *e);

#endif
