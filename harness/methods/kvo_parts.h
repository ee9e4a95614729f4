/* What the methods that are a part of KVO check alike. */
#ifndef KVLAB_KVO_PARTS_H
#define KVLAB_KVO_PARTS_H

#include "harness/kv/method.h"

/* ERR_USER: the chunk does not divide the window; no layer is left. */
int kvo_part_check(int window, int chunk, int first_layer, const struct kv_shape *shape,
                   struct err *e);

#endif
