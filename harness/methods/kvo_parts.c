#include "harness/methods/kvo_parts.h"

#include "harness/methods/kvo_quant.h"

int kvo_part_check(int window, int chunk, int first_layer, const struct kv_shape *shape,
                   struct err *e)
{
    if (window % chunk)
        return err_user(e, "chunk %d does not divide the window %d; %d does", chunk, window,
                        kvo_near_divisor(window, chunk));
    if (first_layer > 0 && first_layer >= shape->n_layers)
        return err_user(e,
                        "first_layer %d leaves no layer to work in, the model has %d: at most %d",
                        first_layer, shape->n_layers, shape->n_layers - 1);
    return 0;
}
