/*
 * PyramidKV (Cai et al. 2024, arXiv 2406.02069): early layers keep more tokens than late ones, in a
 * straight line. Beside any method that scores tokens; with "snapkv" it is the authors' method. Its
 * budget is what a layer keeps on average.
 *
 * Variants by options, for a budget of A tokens without the window (and without sinks), T tokens
 * and L layers:
 *   kvcache-factory  The authors' code (KVCache-Factory, PyramidKVCluster), in whole numbers: from
 *                    max = 2A - A / beta down to A / beta by (max - min) / (L - 1) a layer; where
 *                    the prompt has fewer than max, max is all of it and min = 2A - max. A prompt
 *                    of fewer than 2A tokens: A in each layer. The step is rounded down: all
 *                    layers keep L / 2 tokens more than L A for each that (max - min) / (L - 1)
 *                    leaves.
 *   kvpress          PyramidKVPress, where the window is part of A: the same in fractions, rounded
 *                    to even at the end; A in each layer unless T >= max >= min >= window.
 *
 * Layers that keep all (first_layer of the scoring method) are no part of the line. A budget that
 * the window uses up stays as it is (the authors' assert), as does one that keeps the whole prompt.
 */
#include <math.h>
#include <stddef.h>

#include "harness/kv/method.h"

enum { FACTORY, KVPRESS };
static const char *const variants[] = {"kvcache-factory", "kvpress", NULL};

struct pyramidkv_options {
    int variant, beta;
};

#define AT(field) offsetof(struct pyramidkv_options, field)
static const struct opt options[] = {
    {"variant", OPT_CHOICE, AT(variant), 0, 0, FACTORY, variants, NULL, NULL,
     "whose line: in whole numbers beside the window, or in fractions with it"},
    {"beta", OPT_INT, AT(beta), 1, 1000, 20, NULL, NULL, NULL,
     "the last layer has one in so many of the budget's tokens; 1: all layers have the same"},
    {0}};

/* A layer among those that compete. */
struct place {
    int n; // tokens of the prompt
    int window, layer, n_layers;
};

static int factory_rows(const struct place *p, int budget, int beta)
{
    int a = budget - p->window, min = a / beta, max = 2 * a - min, others = p->n - p->window;
    if (p->n < 2 * a || p->n_layers == 1)
        return budget;
    if (max >= others) {
        max = others;
        min = 2 * a - max;
    }
    return max - p->layer * ((max - min) / (p->n_layers - 1)) + p->window;
}

static int kvpress_rows(const struct place *p, double budget, int beta)
{
    double min = budget / beta, max = 2 * budget - min;
    int others = p->n - p->window;
    if (max >= others) {
        max = others;
        min = 2 * budget - max;
    }
    if (!(p->n >= max && max >= min && min >= p->window) || p->n_layers == 1)
        return (int)rint(budget);
    return (int)rint(max - p->layer * ((max - min) / (p->n_layers - 1)));
}

static void allot(const void *opt, const struct kv_contest *t)
{
    const struct pyramidkv_options *o = opt;
    for (int i = 0; i < t->n_slots; i++) {
        struct place p = {t->n, kv_contest_forced(t, i), t->layer - t->first_layer,
                          t->shape.n_layers - t->first_layer};
        if (t->keep[i] == t->n || t->keep[i] <= p.window)
            continue;
        t->keep[i] = o->variant == FACTORY ? factory_rows(&p, t->keep[i], o->beta)
                                           : kvpress_rows(&p, t->budget, o->beta);
    }
}

const struct kv_method method_pyramidkv = {
    .name = "pyramidkv",
    .version = 1,
    .summary = "early layers keep more tokens than late ones, beside a method that scores tokens",
    .cite = "Cai et al., arXiv 2406.02069",
    .hooks = 1u << KV_ALLOT,
    .opt_size = sizeof(struct pyramidkv_options),
    .options = options,
    .allot = allot,
};
