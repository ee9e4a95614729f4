/* Parts of frame.h. */
#ifndef KVLAB_FRAME_INT_H
#define KVLAB_FRAME_INT_H

#include "reports/frame.h"

/* Fills t->variant: options in which the protocols of the experiment differ, with its values. */
int frame_find_variant(const struct frame *f, struct frame_table *t, struct err *e);

#endif
