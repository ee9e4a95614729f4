#include "reports/difference.h"

#include <math.h>
#include <stddef.h>

/* Quantiles of the normal distribution: 97.5 % and 80 %. */
static const double level_quantile = 1.96, power_quantile = 0.84;

void moments_add(struct moments *m, double x)
{
    double off = x - m->mean;
    m->n++;
    m->mean += off / (double)m->n;
    m->squares += off * (x - m->mean);
}

void pooled_add(struct pooled *p, const struct moments *m)
{
    if (m->n < DIFFERENCE_PAIRS_MIN)
        return;
    p->pairs += m->n;
    p->degrees += m->n - 1;
    p->squares += m->squares;
}

double pooled_sd(const struct pooled *p)
{
    return p->degrees && p->squares > 0 ? sqrt(p->squares / (double)p->degrees) : NAN;
}

void difference_find(const struct difference_task *tasks, int n, struct difference *out)
{
    double error = 0, squares = 0;
    *out = (struct difference){.points = NAN, .sd = NAN};
    for (int t = 0; t < n; t++) {
        const struct difference_task *k = &tasks[t];
        double sd = pooled_sd(&k->stored);
        if (!k->items)
            continue;
        if (isnan(sd)) {
            sd = difference_sd;
            out->assumed++;
        } else {
            out->pairs += k->stored.pairs;
        }
        out->tasks++;
        out->items += k->items;
        squares += sd * sd;
        error += sd * sd / (double)k->items;
    }
    if (!out->tasks)
        return;
    out->sd = sqrt(squares / out->tasks);
    out->points = (level_quantile + power_quantile) * sqrt(error) / out->tasks;
}
