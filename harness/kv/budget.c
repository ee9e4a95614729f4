#include "harness/kv/budget.h"

int kv_budget_check(const struct kv_budget *b, int n_layers, struct err *e)
{
    if (b->tokens > 0 && b->bytes > 0)
        return err_user(e, "budget %d and bytes %g: one of them says how many tokens stay",
                        b->tokens, b->bytes);
    if (b->first_layer > 0 && b->first_layer >= n_layers)
        return err_user(e,
                        "first_layer %d leaves nothing to compress, the model has %d layers: at "
                        "most %d",
                        b->first_layer, n_layers, n_layers - 1);
    return 0;
}

/* The layers that keep all have their share of the bytes first. */
static double rows_of_bytes(const struct kv_budget *b, int n_prompt, int n_layers, double row_bytes)
{
    double left = b->bytes / row_bytes - b->first_layer;
    return left > 0 ? left / (n_layers - b->first_layer) * n_prompt : 0;
}

double kv_budget_rows(const struct kv_budget *b, int n_prompt, int n_layers, double row_bytes)
{
    double rows = n_prompt * b->kept;
    if (b->tokens > 0)
        rows = b->tokens;
    else if (b->bytes > 0)
        rows = rows_of_bytes(b, n_prompt, n_layers, row_bytes);
    return rows < n_prompt ? rows : n_prompt;
}
