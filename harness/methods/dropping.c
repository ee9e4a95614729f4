#include "harness/methods/dropping.h"

#include <stddef.h>

const char *const when_names[] = {"step", "prompt", NULL};

int drop_size_of(const struct kv_budget *b, int layer, const struct kv_kept *kept, int n)
{
    if (layer < b->first_layer)
        return DROP_NOTHING;
    if (!kept->rows && b->tokens > n)
        return b->tokens;
    return n > 1 ? n : 1;
}

int drop_size_now(const struct kv_budget *b, int layer, int adopted)
{
    if (adopted != DROP_NOTHING || layer < b->first_layer)
        return adopted;
    return b->tokens > 0 ? b->tokens : DROP_NOTHING;
}

int drop_weakest(const float *worth, int n)
{
    int least = n - 1;
    for (int j = n - 2; j >= 0; j--)
        least = worth[j] < worth[least] ? j : least;
    return least;
}
